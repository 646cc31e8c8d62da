// A million random calls of vectors against std::vector, with tiny nodes: of numbers, texts, bytes
// and structs; of the vector itself, in edits and in transactions.
#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "commy/commy.h"
#include "commy/internal/sequence_sizes.h"
#include "sequences/small_sequences.h"
#include "support/seed.h"
#include "support/slow_build.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using acme::Position;
using Random = std::mt19937_64;

template <typename T>
T Made(std::uint64_t n) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(n % 128);
  } else if constexpr (std::is_same_v<T, Position>) {
    return {static_cast<double>(n % 7), static_cast<double>(n)};
  } else {
    return n % 9 == 0 ? T() : T(n % 41 == 0 ? 300 : n % 17, static_cast<char>('a' + n % 26));
  }
}

template <typename T>
class VecOps {
 public:
  using Model = std::vector<T>;

  VecOps(Store store, std::uint64_t seed)
      : store_(std::move(store)), vec_(*store_.OpenShared<SharedVec<T>>("vec")), random_(seed) {}

  void Run(int calls) {
    for (int done = 0; done < calls && !testing::Test::HasFailure();) {
      SCOPED_TRACE("call " + std::to_string(done));
      const std::uint64_t kind = Below(20);
      if (kind == 0) {
        done += InEdit();
      } else if (kind == 1) {
        done += InTransaction();
      } else {
        Change(vec_, model_);
        Read(vec_, model_);
        done += 2;
      }
      if (Below(2000) == 0) {
        ExpectSame();
      }
      if (done % (calls / 3) < 2) {
        ASSERT_TRUE(IsSound(store_));
      }
    }
    ExpectSame();
    const std::uint64_t keys = *vec_.ns().Size();
    ASSERT_TRUE(vec_.Clear().ok());
    EXPECT_LE(*vec_.ns().Size(), 1U) << "nodes are left of " << keys;
    ASSERT_TRUE(IsSound(store_));
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  T Value() { return Made<T>(random_()); }
  std::vector<T> Values(std::uint64_t most) {
    std::vector<T> values(Below(most + 1));
    std::generate(values.begin(), values.end(), [this] { return Value(); });
    return values;
  }
  std::ptrdiff_t At(std::uint64_t index) { return static_cast<std::ptrdiff_t>(index); }

  template <typename Vec>
  void Change(const Vec& vec, Model& model) {
    const std::uint64_t size = model.size();
    const std::uint64_t index = Below(size + 1);
    const bool there = index < size;
    switch (Below(size > 400 ? 26 : 21)) {
      case 0:
      case 1: {
        const T value = Value();
        ASSERT_TRUE(vec.PushBack(value).ok());
        model.push_back(value);
        break;
      }
      case 2:
      case 3: {
        const T value = Value();
        ASSERT_TRUE(vec.PushFront(value).ok());
        model.insert(model.begin(), value);
        break;
      }
      case 4:
      case 5: {
        const auto popped = vec.PopBack();
        ASSERT_EQ(popped.ok(), size != 0) << popped.status();
        if (size != 0) {
          EXPECT_TRUE(*popped == model.back());
          model.pop_back();
        }
        break;
      }
      case 6:
      case 7: {
        const auto popped = vec.PopFront();
        ASSERT_EQ(popped.ok(), size != 0) << popped.status();
        if (size != 0) {
          EXPECT_TRUE(*popped == model.front());
          model.erase(model.begin());
        }
        break;
      }
      case 8:
      case 9: {
        const T value = Value();
        ASSERT_TRUE(vec.Insert(index, value).ok());
        model.insert(model.begin() + At(index), value);
        break;
      }
      case 10: {
        ASSERT_EQ(vec.Erase(index).ok(), there);
        if (there) {
          model.erase(model.begin() + At(index));
        }
        break;
      }
      case 11:
      case 12: {
        const T value = Value();
        ASSERT_EQ(vec.Set(index, value).ok(), there);
        if (there) {
          model[index] = value;
        }
        break;
      }
      case 13: {
        const std::vector<T> values = Values(Below(10) == 0 ? 80 : 5);
        ASSERT_TRUE(vec.Append(values).ok());
        model.insert(model.end(), values.begin(), values.end());
        break;
      }
      case 14: {
        const std::vector<T> values = Values(Below(10) == 0 ? 60 : 5);
        ASSERT_TRUE(vec.InsertAll(index, values).ok());
        model.insert(model.begin() + At(index), values.begin(), values.end());
        break;
      }
      case 15: {
        const std::uint64_t count = Below(Below(100) == 0 ? size + 2 : 3);
        const bool fits = count <= size - index;
        ASSERT_EQ(vec.EraseRange(index, count).ok(), fits);
        if (fits) {
          model.erase(model.begin() + At(index), model.begin() + At(index + count));
        }
        break;
      }
      case 16: {
        if (size == 0) {
          break;
        }
        const std::uint64_t other = Below(size);
        ASSERT_EQ(vec.Swap(index, other).ok(), there);
        if (there) {
          std::swap(model[index], model[other]);
        }
        break;
      }
      case 17: {
        const T value = Value();
        const std::uint64_t count = there ? Below(size - index + 1) : 0;
        ASSERT_TRUE(vec.FillRange(index, count, value).ok());
        std::fill_n(model.begin() + At(index), count, value);
        break;
      }
      case 18:
        Rewrite(vec, model);
        break;
      case 19: {
        const std::uint64_t to = Below(4) == 0 ? size + Below(30) : size;
        const T value = Value();
        ASSERT_TRUE(vec.Resize(to, value).ok());
        model.resize(to, value);
        break;
      }
      case 20:
        if (Below(40) == 0) {
          const std::vector<T> values = Values(200);
          ASSERT_TRUE(vec.Assign(values).ok());
          model = values;
        }
        break;
      default: {  // Large ones become small again.
        const std::uint64_t to = Below(size);
        ASSERT_TRUE(Below(8) == 0 ? vec.Clear().ok() : vec.Truncate(to).ok());
        model.resize(std::min<std::uint64_t>(*vec.Size(), to));
        break;
      }
    }
  }

  template <typename Vec>
  void Rewrite(const Vec& vec, Model& model) {
    if (Below(4) != 0) {
      return;
    }
    if (Below(2) == 0) {
      ASSERT_TRUE(vec.Reverse().ok());
      std::reverse(model.begin(), model.end());
      return;
    }
    const T value = model.empty() ? Value() : model[Below(model.size())];
    const auto removed = vec.RemoveAll(value);
    ASSERT_TRUE(removed.ok());
    EXPECT_EQ(*removed, std::erase(model, value));
    const auto same = vec.Dedup();
    ASSERT_TRUE(same.ok());
    const std::size_t before = model.size();
    model.erase(std::unique(model.begin(), model.end()), model.end());
    EXPECT_EQ(*same, before - model.size());
  }

  template <typename Vec>
  void Read(const Vec& vec, const Model& model) {
    ASSERT_EQ(*vec.Size(), model.size());
    const std::uint64_t index = Below(model.size() + 1);
    const auto element = vec.At(index);
    ASSERT_EQ(element.ok(), index < model.size()) << element.status();
    if (element.ok()) {
      EXPECT_TRUE(*element == model[index]);
    } else {
      EXPECT_TRUE(absl::IsOutOfRange(element.status()));
    }
    if (Below(10) == 0) {
      const std::uint64_t count = Below(50);
      const auto slice = vec.Slice(index, count);
      ASSERT_TRUE(slice.ok());
      const auto end = model.begin() + At(std::min<std::uint64_t>(index + count, model.size()));
      EXPECT_TRUE(*slice == std::vector<T>(model.begin() + At(index), end));
    }
  }

  int InEdit() {
    Model changed = model_;
    auto edit = vec_.Edit();
    EXPECT_TRUE(edit.ok()) << edit.status();
    const int calls = static_cast<int>(Below(40));
    for (int i = 0; i < calls && !testing::Test::HasFailure(); ++i) {
      Change(*edit, changed);
      Read(*edit, changed);
    }
    Read(vec_, model_);  // Which sees none of it.
    if (Below(4) != 0) {
      const absl::Status published = edit->Publish();
      EXPECT_TRUE(published.ok()) << published;
      model_ = changed;
    }
    return 2 * calls + 1;
  }

  int InTransaction() {
    Model changed = model_;
    const int calls = static_cast<int>(Below(8));
    const bool commits = Below(4) != 0;
    const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
      changed = model_;
      const TransactionVec<T> in = vec_.In(txn);
      for (int i = 0; i < calls && !testing::Test::HasFailure(); ++i) {
        Change(in, changed);
        Read(in, changed);
      }
      return commits ? absl::OkStatus() : absl::CancelledError("");
    });
    EXPECT_EQ(done.ok(), commits) << done;
    if (commits) {
      model_ = changed;
    }
    return 2 * calls + 1;
  }

  void ExpectSame() {
    const auto all = vec_.ToVector();
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(*all == model_);
    std::size_t index = 0;
    auto range = vec_.Range();
    for (const T& value : range) {
      ASSERT_LT(index, model_.size());
      EXPECT_TRUE(value == model_[index]);
      ++index;
    }
    EXPECT_TRUE(range.status().ok()) << range.status();
    EXPECT_EQ(index, model_.size());
  }

  Store store_;
  SharedVec<T> vec_;
  Random random_;
  Model model_;
};

class VecOpsTest : public StoreFixture {
 protected:
  template <typename T>
  void Run() {
    const SmallSequences small;
    VecOps<T>(MustOpen(QuietOptions()), Seed()).Run(Calls(250'000));
  }
};

TEST_F(VecOpsTest, AVectorOfNumbersIsAsStdVector) {
  Run<double>();
}
TEST_F(VecOpsTest, AVectorOfTextsIsAsStdVector) {
  Run<std::string>();
}
TEST_F(VecOpsTest, AVectorOfBytesIsAsStdVector) {
  Run<std::uint8_t>();
}
TEST_F(VecOpsTest, AVectorOfStructsIsAsStdVector) {
  Run<Position>();
}

}  // namespace
}  // namespace commy::test
