// A million random calls of deques against std::deque, with tiny nodes: pushes and pops at both
// ends, batches, leases that are acknowledged and returned, dead letters, transactions.
#include <algorithm>
#include <deque>
#include <list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "sequences/small_sequences.h"
#include "support/seed.h"
#include "support/slow_build.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Random = std::mt19937_64;

constexpr std::uint64_t kCapacity = 60;
constexpr std::uint32_t kMaxDeliveries = 3;

template <typename T>
T Made(std::uint64_t n) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(n);
  } else {
    // Some have a node of their own while they are leased.
    return std::to_string(n) + std::string(n % 29 == 0 ? 700 : n % 13, '.');
  }
}

// An element, and how it is ordered among those that were returned.
template <typename T>
struct Modelled {
  T value;
  std::uint64_t order = 0;
  std::uint32_t deliveries = 0;
};

template <typename T>
class DequeOps {
 public:
  using Element = Modelled<T>;
  struct Held {
    Leased<T> lease;
    Element element;
  };

  DequeOps(Store store, std::uint64_t seed)
      : store_(std::move(store)),
        deque_(*store_.OpenShared<SharedDeque<T>>(
            "queue",
            {.capacity = kCapacity, .max_deliveries = kMaxDeliveries, .dead_letters = "dead"})),
        dead_(*store_.OpenShared<SharedDeque<T>>("dead")),
        random_(seed) {}

  void Run(int calls) {
    for (int done = 0; done < calls && !testing::Test::HasFailure(); ++done) {
      SCOPED_TRACE("call " + std::to_string(done));
      One();
      if (Below(2000) == 0) {
        ExpectSame();
      }
      if (done % (calls / 3) == 0) {
        ASSERT_TRUE(IsSound(store_));
      }
    }
    held_.clear();
    ASSERT_TRUE(deque_.Clear().ok());
    ASSERT_TRUE(dead_.Clear().ok());
    EXPECT_EQ(*deque_.ns().Size(), 1U) << "nodes are left";
    EXPECT_EQ(*dead_.ns().Size(), dead_letters_.empty() ? 0U : 1U) << "nodes are left";
    ASSERT_TRUE(IsSound(store_));
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  T Value() { return Made<T>(++made_); }
  [[nodiscard]] bool Empty() const { return returned_.empty() && model_.empty(); }
  [[nodiscard]] std::size_t Size() const { return returned_.size() + model_.size(); }

  void PushFrontModel(const T& value) {
    if (returned_.empty()) {
      model_.push_front({value});
    } else {
      returned_.push_front({value, returned_.front().order - 1, 0});
    }
  }
  Element Take(bool back) {
    auto& from =
        back ? (model_.empty() ? returned_ : model_) : (returned_.empty() ? model_ : returned_);
    Element element = back ? from.back() : from.front();
    if (back) {
      from.pop_back();
    } else {
      from.pop_front();
    }
    return element;
  }
  void GiveBack(const Element& element) {
    const auto at = std::find_if(returned_.begin(), returned_.end(),
                                 [&](const Element& each) { return each.order > element.order; });
    returned_.insert(at, element);
  }

  void One() {
    switch (Below(16)) {
      case 0:
      case 1:
      case 2: {
        const T value = Value();
        const absl::Status pushed = deque_.PushBack(value);
        ASSERT_EQ(pushed.ok(), Size() < kCapacity) << pushed;
        if (pushed.ok()) {
          model_.push_back({value});
        }
        break;
      }
      case 3: {
        const T value = Value();
        const absl::Status pushed = deque_.PushFront(value);
        ASSERT_EQ(pushed.ok(), Size() < kCapacity) << pushed;
        if (pushed.ok()) {
          PushFrontModel(value);
        }
        break;
      }
      case 4: {
        std::vector<T> values(Below(12));
        std::generate(values.begin(), values.end(), [this] { return Value(); });
        const absl::Status pushed = deque_.Append(values);
        ASSERT_EQ(pushed.ok(), values.empty() || Size() + values.size() <= kCapacity) << pushed;
        for (std::size_t i = 0; pushed.ok() && i < values.size(); ++i) {
          model_.push_back({values[i]});
        }
        break;
      }
      case 5:
      case 6:
      case 7: {
        const bool back = Below(3) == 0;
        const auto popped = back ? deque_.PopBack() : deque_.PopFront();
        ASSERT_EQ(popped.ok(), !Empty()) << popped.status();
        if (popped.ok()) {
          ASSERT_EQ(*popped, Take(back).value);
        }
        break;
      }
      case 8: {
        const auto popped = deque_.PopFrontMany(1 + Below(9));
        ASSERT_EQ(popped.ok(), !Empty()) << popped.status();
        for (std::size_t i = 0; popped.ok() && i < popped->size(); ++i) {
          ASSERT_EQ((*popped)[i], Take(false).value);
        }
        break;
      }
      case 9:
      case 10:
      case 11:
        Lease();
        break;
      case 12:
      case 13:
        EndLease();
        break;
      case 14:
        InTransaction();
        break;
      default:
        Read();
        break;
    }
  }

  void Lease() {
    if (held_.size() > 8) {
      EndLease();
      return;
    }
    while (!returned_.empty() && returned_.front().deliveries >= kMaxDeliveries) {
      dead_letters_.push_back(returned_.front().value);
      returned_.pop_front();
    }
    auto lease = deque_.LeaseFront();
    ASSERT_EQ(lease.ok(), !Empty()) << lease.status();
    ASSERT_EQ(*dead_.Size(), dead_letters_.size());
    ++tickets_;
    if (!lease.ok()) {
      --tickets_;
      return;
    }
    Element element = Take(false);
    ++element.deliveries;
    element.order = element.order == 0 ? tickets_ : element.order;
    ASSERT_EQ(lease->value(), element.value);
    ASSERT_EQ(lease->deliveries(), element.deliveries);
    held_.push_back({*std::move(lease), element});
  }

  void EndLease() {
    if (held_.empty()) {
      return;
    }
    auto at = held_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(Below(held_.size())));
    Held held = std::move(*at);
    held_.erase(at);
    switch (Below(4)) {
      case 0:
        ASSERT_TRUE(held.lease.Acknowledge().ok());
        EXPECT_TRUE(absl::IsFailedPrecondition(held.lease.Acknowledge()));
        break;
      case 1: {
        const absl::Status done =
            store_.Transact([&](Transaction& txn) { return held.lease.AcknowledgeIn(txn); });
        ASSERT_TRUE(done.ok()) << done;
        EXPECT_TRUE(absl::IsFailedPrecondition(held.lease.Return()));
        break;
      }
      case 2:
        ASSERT_TRUE(held.lease.Return().ok());
        GiveBack(held.element);
        break;
      default:
        GiveBack(held.element);  // The lease is destroyed.
        break;
    }
  }

  void InTransaction() {
    const bool commits = Below(3) != 0;
    const T first = Value();
    const T second = Value();
    const bool fits = Size() + 2 <= kCapacity;
    T popped = T();
    const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
      const TransactionDeque<T> in = deque_.In(txn);
      absl::Status status = in.PushBack(first);
      status.Update(in.PushFront(second));
      EXPECT_EQ(status.ok(), fits);
      if (!status.ok()) {
        return status;
      }
      EXPECT_EQ(*in.Back(), first);
      EXPECT_EQ(*in.Front(), second);
      const auto taken = in.PopBack();
      if (!taken.ok()) {
        return taken.status();
      }
      popped = *taken;
      return commits ? absl::OkStatus() : absl::CancelledError("");
    });
    ASSERT_EQ(done.ok(), fits && commits) << done;
    if (done.ok()) {
      EXPECT_EQ(popped, first);
      PushFrontModel(second);
    }
  }

  void Read() {
    ASSERT_EQ(*deque_.Size(), Size());
    const std::uint64_t index = Below(Size() + 1);
    const auto element = deque_.At(index);
    ASSERT_EQ(element.ok(), index < Size());
    if (element.ok()) {
      EXPECT_EQ(*element, index < returned_.size() ? returned_[index].value
                                                   : model_[index - returned_.size()].value);
    }
  }

  void ExpectSame() {
    std::vector<T> all;
    for (const Element& element : returned_) {
      all.push_back(element.value);
    }
    for (const Element& element : model_) {
      all.push_back(element.value);
    }
    EXPECT_EQ(*deque_.ToVector(), all);
    EXPECT_EQ(*dead_.ToVector(), dead_letters_);
    const auto info = deque_.Info();
    ASSERT_TRUE(info.ok());
    EXPECT_EQ(info->returned, returned_.size());
    EXPECT_EQ(info->leases.size(), held_.size());
    std::size_t index = 0;
    auto range = deque_.Range();
    for (const T& value : range) {
      EXPECT_EQ(value, all[index++]);
    }
    EXPECT_TRUE(range.status().ok());
    EXPECT_EQ(index, all.size());
  }

  Store store_;
  SharedDeque<T> deque_;
  SharedDeque<T> dead_;
  Random random_;
  std::deque<Element> returned_;
  std::deque<Element> model_;
  std::list<Held> held_;
  std::vector<T> dead_letters_;
  std::uint64_t made_ = 0;
  std::uint64_t tickets_ = 1'000'000'000;  // Room for those that are put before them.
};

class DequeOpsTest : public StoreFixture {
 protected:
  template <typename T>
  void Run() {
    const SmallSequences small;
    DequeOps<T>(MustOpen(QuietOptions()), Seed()).Run(Calls(500'000));
  }
};

TEST_F(DequeOpsTest, ADequeOfNumbersIsAsStdDeque) {
  Run<std::uint64_t>();
}
TEST_F(DequeOpsTest, ADequeOfTextsIsAsStdDeque) {
  Run<std::string>();
}

}  // namespace
}  // namespace commy::test
