// Vectors: errors, types of elements, the calls that look at all elements, moments, transactions,
// edits, full stores, and files that another program has written to. Random calls are in
// vec_ops_test.cc.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "commy/commy.h"
#include "sequences/root.h"
#include "sequences/small_sequences.h"
#include "support/store_fixture.h"

// One struct, as programs of different ages have it.
namespace acme::early {
struct Sample {
  std::uint64_t id = 0;
  std::uint32_t weight = 2;
  friend bool operator==(const Sample&, const Sample&) = default;
};
COMMY_STRUCT(Sample, "acme.Sample", id, weight);
}  // namespace acme::early
namespace acme::late {
struct Sample {
  std::uint64_t id = 0;
  std::uint32_t weight = 2;
  alignas(8) std::uint64_t origin = 77;
  friend bool operator==(const Sample&, const Sample&) = default;
};
COMMY_STRUCT(Sample, "acme.Sample", id, weight, origin);
}  // namespace acme::late

namespace commy::test {
namespace {

using acme::Padded;
using acme::Position;
using Code = absl::StatusCode;
using Numbers = SharedVec<std::uint64_t>;
using Texts = SharedVec<std::string>;
using Index = std::optional<std::uint64_t>;

std::vector<std::uint64_t> UpTo(std::uint64_t count) {
  std::vector<std::uint64_t> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

// Every test ends with a store that is sound; the pieces of vectors are tiny.
class VecTest : public StoreFixture {
 protected:
  void TearDown() override {
    EXPECT_TRUE(IsSound(store_));
    StoreFixture::TearDown();
  }

  template <typename T>
  SharedVec<T> Must(const std::string& path = "vec") {
    absl::StatusOr<SharedVec<T>> opened = store_.OpenShared<SharedVec<T>>(path);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  template <typename T>
  SharedVec<T> MustHave(const std::vector<T>& values, const std::string& path = "vec") {
    SharedVec<T> vec = Must<T>(path);
    EXPECT_TRUE(vec.Assign(values).ok());
    return vec;
  }
  template <typename Vec>
  static std::vector<typename Vec::value_type> All(const Vec& vec) {
    const auto all = vec.ToVector();
    EXPECT_TRUE(all.ok()) << all.status();
    return all.ok() ? *all : std::vector<typename Vec::value_type>();
  }

  const SmallSequences small_;
  Store store_ = MustOpen(QuietOptions());
};

// --- Errors ------------------------------------------------------------------------------------

TEST_F(VecTest, AnIndexPastTheEndIsOutOfRangeAndChangesNothing) {
  for (const std::uint64_t size : {0U, 3U, 100U}) {
    const std::vector<std::uint64_t> values = UpTo(size);
    const Numbers vec = MustHave<std::uint64_t>(values);
    const std::string told = "the index " + std::to_string(size) + " is past the end: there are " +
                             std::to_string(size) + " elements";
    EXPECT_TRUE(Says(vec.At(size).status(), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.Set(size, 1), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.Erase(size), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.Update(size, [](std::uint64_t&) {}), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.Swap(0, size), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.Swap(size, 0), Code::kOutOfRange, told));
    EXPECT_TRUE(Says(vec.FillRange(0, size + 1, 1), Code::kOutOfRange, told));
    EXPECT_TRUE(absl::IsOutOfRange(vec.Insert(size + 1, 1)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.InsertAll(size + 1, UpTo(90))));
    EXPECT_TRUE(absl::IsOutOfRange(vec.EraseRange(size, 1)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.EraseRange(size + 1, 0)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.EraseRange(0, size + 1)));
    // Sums that overflow.
    EXPECT_TRUE(absl::IsOutOfRange(vec.EraseRange(size, UINT64_MAX)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.FillRange(size, UINT64_MAX, 1)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.FillRange(UINT64_MAX, 2, 1)));
    EXPECT_TRUE(absl::IsOutOfRange(vec.At(UINT64_MAX).status()));
    EXPECT_TRUE(absl::IsOutOfRange(vec.Set(UINT64_MAX, 1)));
    EXPECT_EQ(*vec.Slice(size, 5), std::vector<std::uint64_t>());
    EXPECT_EQ(*vec.Slice(UINT64_MAX, UINT64_MAX), std::vector<std::uint64_t>());
    EXPECT_EQ(All(vec), values);
  }
}

TEST_F(VecTest, APopOfAnEmptyVectorIsNotFound) {
  const Numbers vec = Must<std::uint64_t>();
  const auto expect_empty = [&] {
    EXPECT_TRUE(Says(vec.PopBack().status(), Code::kNotFound, "empty"));
    EXPECT_TRUE(Says(vec.PopFront().status(), Code::kNotFound, "empty"));
    EXPECT_TRUE(absl::IsOutOfRange(vec.First().status()));
    EXPECT_TRUE(absl::IsOutOfRange(vec.Last().status()));
    EXPECT_TRUE(*vec.Empty());
    const auto edit = vec.Edit();
    EXPECT_TRUE(absl::IsNotFound(edit->PopBack().status()));
    const absl::Status in_transaction =
        store_.Transact([&](Transaction& txn) { return vec.In(txn).PopFront().status(); });
    EXPECT_TRUE(absl::IsNotFound(in_transaction));
  };
  expect_empty();
  EXPECT_EQ(*vec.ns().Size(), 0U);
  ASSERT_TRUE(vec.PushBack(1).ok());
  EXPECT_EQ(*vec.PopFront(), 1U);
  expect_empty();
  ASSERT_TRUE(vec.Assign(UpTo(100)).ok());
  ASSERT_TRUE(vec.Clear().ok());
  expect_empty();
}

TEST_F(VecTest, ElementsHaveNoTimeToLive) {
  EXPECT_TRUE(Says(store_.OpenShared<Numbers>("vec", {.default_ttl = absl::Seconds(1)}).status(),
                   Code::kInvalidArgument, "the elements of a vec<u64> have no time to live"));
  EXPECT_TRUE(store_.ListNamespaces()->empty());
}

TEST_F(VecTest, AnotherTypeIsRefusedWithBothTypes) {
  const Numbers vec = MustHave<std::uint64_t>({7});
  const auto refused = [&](const absl::Status& status, const std::string& wanted) {
    EXPECT_TRUE(Says(status, Code::kInvalidArgument, "vec<u64>"));
    EXPECT_TRUE(Says(status, Code::kInvalidArgument, wanted));
  };
  refused(store_.OpenShared<SharedVec<std::int64_t>>("vec").status(), "vec<i64>");
  refused(store_.OpenShared<Texts>("vec").status(), "vec<string>");
  refused(store_.OpenShared<SharedVec<Position>>("vec").status(), "vec<struct acme.Position");
  refused(store_.OpenShared<SharedBox<std::uint64_t>>("vec").status(), "box<u64>");
  EXPECT_EQ(All(vec), std::vector<std::uint64_t>{7});
}

TEST_F(VecTest, AnElementForWhichThereIsNoRoomChangesNothing) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{1} << 20;
  const Store little = MustOpen(temp_.File("little"), options);
  const auto vec = little.OpenShared<Texts>("vec");
  ASSERT_TRUE(vec.ok());
  ASSERT_TRUE(vec->Append({"a", "b"}).ok());
  const std::string large(std::size_t{2} << 20, 'L');
  EXPECT_TRUE(absl::IsResourceExhausted(vec->PushBack(large)));
  EXPECT_TRUE(absl::IsResourceExhausted(vec->PushFront(large)));
  EXPECT_TRUE(absl::IsResourceExhausted(vec->Set(0, large)));
  EXPECT_TRUE(absl::IsResourceExhausted(vec->Insert(1, large)));
  EXPECT_EQ(*vec->ToVector(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(IsSound(little));
}

// --- Types of elements ---------------------------------------------------------------------------

TEST_F(VecTest, StructsWithPaddingAreStoredWithoutIt) {
  const SharedVec<Padded> vec = Must<Padded>();
  std::vector<Padded> values;
  for (std::uint8_t i = 0; i < 40; ++i) {
    // In memory that is full of other bytes.
    alignas(Padded) unsigned char bytes[sizeof(Padded)];
    std::memset(bytes, 0xA5, sizeof(bytes));
    auto* const value = new (bytes) Padded;
    value->tag = i;
    value->count = i * 7U;
    values.push_back(*value);
    ASSERT_TRUE(vec.PushBack(*value).ok());
  }
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Sort([](const Padded& a, const Padded& b) { return a.tag > b.tag; }).ok());
  EXPECT_EQ(vec.First()->tag, 39);
  EXPECT_EQ(*vec.IndexOf(values[3]), Index(36));
  ScanRange scan = vec.ns().Scan();
  for (const Entry& entry : scan) {
    EXPECT_EQ(entry.value().find("\xA5\xA5\xA5"), std::string_view::npos);
  }
  EXPECT_TRUE(scan.status().ok());
}

TEST_F(VecTest, ElementsMayHaveElements) {
  using Lists = std::vector<std::string>;
  const SharedVec<Lists> vec = Must<Lists>();
  std::vector<Lists> values;
  for (int i = 0; i < 60; ++i) {
    values.emplace_back(i % 7, std::string(i % 11, 'x'));
  }
  ASSERT_TRUE(vec.Append(values).ok());
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Update(30, [](Lists& list) { list.emplace_back("more"); }).ok());
  values[30].emplace_back("more");
  ASSERT_TRUE(vec.Swap(0, 59).ok());
  std::swap(values[0], values[59]);
  EXPECT_EQ(*vec.At(30), values[30]);
  EXPECT_EQ(All(vec), values);
  std::uint64_t seen = 0;
  ASSERT_TRUE(vec.ForEachPiece([&](std::span<const Lists> piece) { seen += piece.size(); }).ok());
  EXPECT_EQ(seen, 60U);
}

TEST_F(VecTest, BoolsAreElementsAsOthers) {
  const SharedVec<bool> vec = Must<bool>();
  std::vector<bool> values;
  for (int i = 0; i < 500; ++i) {
    values.push_back(i % 3 == 0);
    ASSERT_TRUE(vec.PushBack(i % 3 == 0).ok());
  }
  EXPECT_EQ(All(vec), values);
  EXPECT_TRUE(*vec.Equals(values));
  EXPECT_EQ(*vec.Count(true), 167U);
  ASSERT_TRUE(vec.Update(1, [](bool& value) { value = !value; }).ok());
  EXPECT_TRUE(*vec.At(1));
  ASSERT_TRUE(vec.Sort().ok());
  EXPECT_EQ(*vec.IndexOf(true), Index(332));
  EXPECT_EQ(*vec.Dedup(), 498U);
  EXPECT_EQ(All(vec), (std::vector<bool>{false, true}));
  std::uint64_t seen = 0;
  ASSERT_TRUE(vec.ForEachPiece([&](std::span<const bool> piece) { seen += piece.size(); }).ok());
  EXPECT_EQ(seen, 2U);
  auto range = vec.Range();
  for (const bool value : range) {
    seen += value ? 10 : 1;
  }
  EXPECT_EQ(seen, 13U);
}

TEST_F(VecTest, ProgramsOfBothAgesOfAStructReadAndWriteTheSameVector) {
  using Early = acme::early::Sample;
  using Late = acme::late::Sample;
  const SharedVec<Early> early = Must<Early>();
  std::vector<Early> old_values;
  std::vector<Late> new_values;
  for (std::uint64_t i = 0; i < 50; ++i) {
    old_values.push_back({i, 9});
    new_values.push_back({i, 9, 77});
  }
  ASSERT_TRUE(early.Append(old_values).ok());
  const SharedVec<Late> late = Must<Late>();
  EXPECT_NE(late.ns().Type()->find("origin:u64"), std::string::npos);
  EXPECT_EQ(All(late), new_values);
  // Elements of both ages beside each other, in leaves and at both ends.
  const auto set = [&](std::uint64_t index, const Late& value) {
    ASSERT_TRUE(late.Set(index, value).ok());
    new_values[index] = value;
    old_values[index] = {value.id, value.weight};
  };
  set(0, {1000, 1, 1});
  set(20, {1020, 2, 2});
  set(49, {1049, 3, 3});
  ASSERT_TRUE(late.PushFront({2000, 4, 4}).ok());
  ASSERT_TRUE(late.PushBack({2001, 5, 5}).ok());
  ASSERT_TRUE(early.PushBack({2002, 6}).ok());
  ASSERT_TRUE(early.PushFront({2003, 7}).ok());
  new_values.insert(new_values.begin(), {{2003, 7, 77}, {2000, 4, 4}});
  old_values.insert(old_values.begin(), {{2003, 7}, {2000, 4}});
  new_values.insert(new_values.end(), {{2001, 5, 5}, {2002, 6, 77}});
  old_values.insert(old_values.end(), {{2001, 5}, {2002, 6}});
  EXPECT_EQ(All(late), new_values);
  EXPECT_EQ(All(early), old_values);
  for (std::uint64_t i = 0; i < new_values.size(); ++i) {
    ASSERT_EQ(*late.At(i), new_values[i]);
    ASSERT_EQ(*early.At(i), old_values[i]);
  }
  EXPECT_EQ(*early.PopBack(), old_values.back());
  EXPECT_EQ(*late.PopFront(), new_values.front());
  ASSERT_TRUE(late.Reverse().ok());
  EXPECT_EQ(late.First()->origin, 5U);
  EXPECT_EQ(early.First()->id, 2001U);
  EXPECT_TRUE(Says(store_.OpenShared<SharedVec<Early>>("vec").status(), Code::kInvalidArgument,
                   "more fields"));
  EXPECT_TRUE(store_.OpenShared<SharedVec<Late>>("vec").ok());
}

// --- Calls that look at many elements ------------------------------------------------------------

TEST_F(VecTest, ABinarySearchFindsAnElementThatIsThere) {
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 0; i < 200; ++i) {
    values.push_back(3 * i);
  }
  const Numbers vec = MustHave<std::uint64_t>(values);
  for (std::uint64_t i = 0; i < 600; ++i) {
    const Index wanted = i % 3 == 0 ? Index(i / 3) : std::nullopt;
    ASSERT_EQ(*vec.BinarySearch(i), wanted);
    ASSERT_EQ(*vec.BinarySearchByKey(i + 5, [](std::uint64_t each) { return each + 5; }), wanted);
    ASSERT_EQ(*vec.BinarySearchBy([i](std::uint64_t each) {
      return each < i ? -1 : each > i ? 1 : 0;
    }),
              wanted);
  }
  ASSERT_TRUE(vec.Reverse().ok());
  EXPECT_EQ(*vec.BinarySearch(597, std::greater<>()), Index(0));
  EXPECT_EQ(*vec.BinarySearch(596, std::greater<>()), std::nullopt);
  ASSERT_TRUE(vec.Clear().ok());
  EXPECT_EQ(*vec.BinarySearch(0), std::nullopt);
  ASSERT_TRUE(vec.Append({4, 4, 4, 4}).ok());
  EXPECT_LT(*vec.BinarySearch(4), Index(4));
}

TEST_F(VecTest, BoundsAreThoseOfTheStandardLibrary) {
  const std::vector<std::uint64_t> values = {1, 3, 3, 3, 5, 8, 8, 13};
  const Numbers vec = MustHave<std::uint64_t>(values);
  auto edit = vec.Edit();
  ASSERT_TRUE(edit.ok()) << edit.status();
  const absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
  for (std::uint64_t i = 0; i < 15; ++i) {
    const auto low = static_cast<std::uint64_t>(std::lower_bound(values.begin(), values.end(), i) -
                                                values.begin());
    const auto high = static_cast<std::uint64_t>(std::upper_bound(values.begin(), values.end(), i) -
                                                 values.begin());
    EXPECT_EQ(*vec.LowerBound(i), low);
    EXPECT_EQ(*vec.UpperBound(i), high);
    EXPECT_EQ(*edit->LowerBound(i), low);
    EXPECT_EQ(*vec.At(*snapshot).UpperBound(i), high);
    EXPECT_EQ(*vec.PartitionPoint([i](std::uint64_t each) { return each < i; }), low);
    EXPECT_EQ(vec.BinarySearch(i)->has_value(), low != high);
  }
}

TEST_F(VecTest, AnUpdateTakesWhatItsFunctionReturnsOrLeaves) {
  const Numbers vec = MustHave<std::uint64_t>({1, 2, 3});
  EXPECT_TRUE(vec.Update(0, [](std::uint64_t each) { return each + 10; }).ok());
  EXPECT_TRUE(vec.Update(1, [](std::uint64_t& each) { each += 20; }).ok());
  EXPECT_EQ(All(vec), (std::vector<std::uint64_t>{11, 22, 3}));
  EXPECT_TRUE(absl::IsOutOfRange(vec.Update(3, [](std::uint64_t each) { return each; })));
}

TEST_F(VecTest, WhatElementsCanBeMadeOfIsAppended) {
  const auto texts = Must<std::string>("texts");
  EXPECT_TRUE(texts.Append(std::vector<std::string_view>{"a", "bc"}).ok());
  EXPECT_TRUE(texts.Append(std::vector<const char*>{"d"}).ok());
  EXPECT_TRUE(texts.InsertAll(0, {"first", "second"}).ok());
  EXPECT_EQ(All(texts), (std::vector<std::string>{"first", "second", "a", "bc", "d"}));
  const auto numbers = Must<double>("numbers");
  EXPECT_TRUE(numbers.Assign({1.5, 2.5}).ok());
  EXPECT_TRUE(numbers.Append(std::vector<short>{7}).ok());
  EXPECT_EQ(All(numbers), (std::vector<double>{1.5, 2.5, 7}));
  double sum = 0;
  EXPECT_TRUE(numbers
                  .ForEachPiece(1, 5,
                                [&sum](std::span<const double> piece) {
                                  for (const double each : piece) {
                                    sum += each;
                                  }
                                })
                  .ok());
  EXPECT_EQ(sum, 9.5);
}

TEST_F(VecTest, SortIsStableAndSortUnstableSorts) {
  std::vector<Position> values;
  for (int i = 0; i < 120; ++i) {
    values.push_back({static_cast<double>(i * 7 % 10), static_cast<double>(i)});
  }
  const SharedVec<Position> vec = MustHave(values);
  ASSERT_TRUE(vec.SortBy([](const Position& each) { return each.x; }).ok());
  std::stable_sort(values.begin(), values.end(),
                   [](const Position& a, const Position& b) { return a.x < b.x; });
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.SortUnstable(std::greater<>()).ok());
  std::sort(values.begin(), values.end(), std::greater<>());
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Sort().ok());
  std::sort(values.begin(), values.end());
  EXPECT_EQ(All(vec), values);
}

TEST_F(VecTest, ElementsAreTakenOutByWhatTheyAre) {
  const Numbers vec = MustHave(UpTo(100));
  EXPECT_EQ(*vec.DedupBy([](std::uint64_t each) { return each / 10; }), 90U);
  EXPECT_EQ(All(vec), (std::vector<std::uint64_t>{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}));
  EXPECT_EQ(*vec.RetainIf([](std::uint64_t each) { return each >= 40; }), 4U);
  EXPECT_EQ(*vec.RetainIf([](std::uint64_t) { return true; }), 0U);
  EXPECT_EQ(*vec.CountIf([](std::uint64_t each) { return each > 60; }), 3U);
  EXPECT_EQ(*vec.FindIf([](std::uint64_t each) { return each > 60; }), Index(3));
  EXPECT_EQ(*vec.FindIf([](std::uint64_t each) { return each > 90; }), std::nullopt);
  EXPECT_EQ(*vec.RetainIf([](std::uint64_t) { return false; }), 6U);
  EXPECT_TRUE(*vec.Empty());
  EXPECT_EQ(*vec.DedupBy([](std::uint64_t each) { return each; }), 0U);
}

TEST_F(VecTest, AssignFillResizeAndTruncateReplaceElements) {
  const Numbers vec = MustHave(UpTo(100));
  std::vector<std::uint64_t> values = UpTo(100);
  ASSERT_TRUE(vec.FillRange(10, 70, 5).ok());
  std::fill_n(values.begin() + 10, 70, 5);
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.FillRange(100, 0, 5).ok());
  ASSERT_TRUE(vec.Resize(130, 8).ok());
  values.resize(130, 8);
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Resize(40).ok());
  values.resize(40);
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Truncate(41).ok());
  ASSERT_TRUE(vec.Truncate(39).ok());
  values.resize(39);
  EXPECT_EQ(All(vec), values);
  ASSERT_TRUE(vec.Fill(3).ok());
  EXPECT_EQ(All(vec), std::vector<std::uint64_t>(39, 3));
  ASSERT_TRUE(vec.Truncate(0).ok());
  EXPECT_LE(*vec.ns().Size(), 1U);
  ASSERT_TRUE(vec.Assign(UpTo(50)).ok());
  EXPECT_EQ(All(vec), UpTo(50));
  ASSERT_TRUE(vec.Assign(std::vector<std::uint64_t>()).ok());
  EXPECT_TRUE(*vec.Empty());
}

TEST_F(VecTest, VectorsWithTheSameElementsAreEqual) {
  const Numbers a = MustHave(UpTo(100), "a");
  const Numbers b = Must<std::uint64_t>("b");
  EXPECT_FALSE(*a.Equals(b));
  for (std::uint64_t i = 100; i-- > 0;) {
    ASSERT_TRUE(b.PushFront(i).ok());  // Other pieces than those of "a".
  }
  EXPECT_TRUE(*a.Equals(b));
  EXPECT_TRUE(*a.Equals(UpTo(100)));
  EXPECT_FALSE(*a.Equals(UpTo(99)));
  EXPECT_FALSE(*a.Equals(UpTo(101)));
  ASSERT_TRUE(b.Set(50, 1).ok());
  EXPECT_FALSE(*a.Equals(b));
  EXPECT_FALSE(*b.Equals(a));
}

TEST_F(VecTest, PiecesOfNumbersAreAlignedAndInTheFile) {
  const SharedVec<double> vec = Must<double>();
  double wanted = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE((i % 2 == 0 ? vec.PushBack(i) : vec.PushFront(i)).ok());
    wanted += i;
  }
  double sum = 0;
  std::uint64_t count = 0;
  int pieces = 0;
  ASSERT_TRUE(vec.ForEachPiece([&](std::span<const double> piece) {
                   ++pieces;
                   count += piece.size();
                   sum = std::accumulate(piece.begin(), piece.end(), sum);
                   const auto at = reinterpret_cast<std::uintptr_t>(piece.data());
                   EXPECT_EQ(at % alignof(double), 0U);
                   EXPECT_EQ(at % sequences::kRunAlign, 0U);
                 })
                  .ok());
  EXPECT_EQ(count, 300U);
  EXPECT_EQ(sum, wanted);
  EXPECT_GT(pieces, 5);
  // Twice the same places: they are no copies.
  std::vector<const double*> places[2];
  for (auto& each : places) {
    ASSERT_TRUE(
        vec.ForEachPiece([&](std::span<const double> piece) { each.push_back(piece.data()); })
            .ok());
  }
  EXPECT_EQ(std::vector(places[0].begin() + 1, places[0].end() - 1),
            std::vector(places[1].begin() + 1, places[1].end() - 1));
}

// --- Moments -----------------------------------------------------------------------------------

TEST_F(VecTest, ARangeSeesOneMomentWhileTheVectorChanges) {
  const Numbers vec = MustHave(UpTo(200));
  std::uint64_t next = 0;
  auto range = vec.Range();
  for (const std::uint64_t value : range) {
    ASSERT_EQ(value, next++);
    switch (next % 4) {
      case 0:
        ASSERT_TRUE(vec.PopFront().ok());
        break;
      case 1:
        ASSERT_TRUE(vec.InsertAll(0, UpTo(5)).ok());
        break;
      case 2:
        ASSERT_TRUE(vec.Reverse().ok());
        break;
      default:
        ASSERT_TRUE(vec.Assign(UpTo(next)).ok());
    }
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  EXPECT_EQ(next, 200U);
  auto part = vec.Range(3, 4);
  std::vector<std::uint64_t> seen;
  const std::vector<std::uint64_t> wanted = *vec.Slice(3, 4);
  for (const std::uint64_t value : part) {
    seen.push_back(value);
    ASSERT_TRUE(vec.Clear().ok());
  }
  EXPECT_EQ(seen, wanted);
}

TEST_F(VecTest, ASnapshotSeesTheVectorAsItWas) {
  const Numbers vec = MustHave(UpTo(150));
  const absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
  ASSERT_TRUE(snapshot.ok());
  ASSERT_TRUE(vec.Clear().ok());
  ASSERT_TRUE(vec.Append({9, 9}).ok());
  const SnapshotVec<std::uint64_t> at = vec.At(*snapshot);
  EXPECT_EQ(*at.Size(), 150U);
  EXPECT_EQ(All(at), UpTo(150));
  EXPECT_EQ(*at.Last(), 149U);
  EXPECT_EQ(*at.IndexOf(77), Index(77));
  EXPECT_TRUE(absl::IsOutOfRange(at.At(150).status()));
  auto range = at.Range(148);
  std::uint64_t seen = 0;
  for (const std::uint64_t value : range) {
    seen = 1000 * seen + value;
  }
  EXPECT_EQ(seen, 148149U);
  EXPECT_EQ(All(vec), (std::vector<std::uint64_t>{9, 9}));
}

// --- Transactions --------------------------------------------------------------------------------

TEST_F(VecTest, ATransactionChangesTheVectorWhenItCommits) {
  const Numbers vec = MustHave(UpTo(100));
  const Namespace other = MustOpenNamespace(store_, "other");
  absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    const auto in = vec.In(txn);
    absl::Status status = in.PushBack(100);
    status.Update(in.Erase(50));
    status.Update(txn.Put(other, "k", "v"));
    EXPECT_EQ(*in.Size(), 100U);
    EXPECT_EQ(*in.At(50), 51U);
    EXPECT_EQ(*vec.Size(), 100U);
    EXPECT_EQ(*vec.At(50), 50U);
    return absl::CancelledError("no");
  });
  EXPECT_TRUE(absl::IsCancelled(done));
  EXPECT_EQ(All(vec), UpTo(100));
  EXPECT_TRUE(absl::IsNotFound(other.Get("k").status()));
  done = store_.Transact([&](Transaction& txn) -> absl::Status {
    absl::Status status = vec.In(txn).Truncate(30);
    status.Update(vec.In(txn).Sort(std::greater<>()));
    status.Update(vec.In(txn).PopBack().status());
    status.Update(txn.Put(other, "k", "v"));
    return status;
  });
  EXPECT_TRUE(done.ok()) << done;
  std::vector<std::uint64_t> wanted = UpTo(30);
  std::reverse(wanted.begin(), wanted.end());
  wanted.pop_back();
  EXPECT_EQ(All(vec), wanted);
  EXPECT_EQ(*other.Get("k"), "v");
}

TEST_F(VecTest, ATransactionRunsAgainAfterAChangeFromOutside) {
  const Numbers vec = MustHave(UpTo(100));
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    const std::uint64_t size = *vec.In(txn).Size();
    if (runs++ == 0) {
      EXPECT_TRUE(vec.PushBack(100).ok());
    }
    return vec.In(txn).Set(50, size);
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(*vec.At(50), 101U);
  EXPECT_EQ(*vec.Size(), 101U);
}

TEST_F(VecTest, AChangeThatFailsLeavesNothingInItsTransaction) {
  const Numbers vec = MustHave(UpTo(100));
  std::vector<std::uint64_t> wanted = UpTo(100);
  const auto fail = [&](Transaction& txn) {
    const auto in = vec.In(txn);
    EXPECT_TRUE(in.PushBack(100).ok());
    EXPECT_TRUE(in.EraseRange(20, 30).ok());
    EXPECT_TRUE(absl::IsOutOfRange(in.InsertAll(1000, UpTo(200))));
    EXPECT_TRUE(absl::IsOutOfRange(in.FillRange(60, 30, 1)));
    EXPECT_TRUE(absl::IsOutOfRange(in.Swap(2, 400)));
    EXPECT_TRUE(absl::IsOutOfRange(in.EraseRange(70, 2)));
  };
  const absl::Status failed = store_.Transact([&](Transaction& txn) {
    fail(txn);
    return vec.In(txn).InsertAll(1000, UpTo(200));
  });
  EXPECT_TRUE(absl::IsOutOfRange(failed));
  EXPECT_EQ(All(vec), wanted);
  // One that goes on has the changes that did not fail.
  const absl::Status done = store_.Transact([&](Transaction& txn) {
    fail(txn);
    return vec.In(txn).PushBack(101);
  });
  EXPECT_TRUE(done.ok()) << done;
  wanted.push_back(100);
  wanted.erase(wanted.begin() + 20, wanted.begin() + 50);
  wanted.push_back(101);
  EXPECT_EQ(All(vec), wanted);
  ASSERT_TRUE(vec.Clear().ok());
  EXPECT_LE(*vec.ns().Size(), 1U);
}

TEST_F(VecTest, AChangeInsideAChangeOfTheSameTransactionIsRefused) {
  const Numbers vec = MustHave<std::uint64_t>(UpTo(100));
  const absl::Status done = store_.Transact([&](Transaction& txn) {
    const TransactionVec<std::uint64_t> in = vec.In(txn);
    return in.Update(10, [&](std::uint64_t& each) {
      each = 7;
      EXPECT_TRUE(in.Set(40, 8).ok());
    });
  });
  EXPECT_TRUE(Says(done, Code::kFailedPrecondition, "in the same transaction")) << done;
  EXPECT_EQ(All(vec), UpTo(100));
}

TEST_F(VecTest, MoreElementsThanTheStoreCanHaveAreRefusedBeforeTheyAreMade) {
  const Numbers vec = MustHave<std::uint64_t>(UpTo(3));
  EXPECT_TRUE(Says(vec.Resize(std::uint64_t{1} << 61U), Code::kResourceExhausted, "max_size"));
  EXPECT_TRUE(absl::IsOutOfRange(vec.Resize(UINT64_MAX)));
  EXPECT_TRUE(absl::IsOutOfRange(vec.FillRange(2, UINT64_MAX, 1)));
  EXPECT_EQ(All(vec), UpTo(3));
}

TEST_F(VecTest, TwoVectorsOfATransactionChangeAtOneMoment) {
  const Numbers a = MustHave(UpTo(60), "a");
  const Numbers b = Must<std::uint64_t>("b");
  for (int i = 0; i < 60; ++i) {
    const absl::Status moved = store_.Transact([&](Transaction& txn) -> absl::Status {
      const absl::StatusOr<std::uint64_t> value = a.In(txn).PopBack();
      return value.ok() ? b.In(txn).PushFront(*value) : value.status();
    });
    ASSERT_TRUE(moved.ok()) << moved;
  }
  EXPECT_TRUE(*a.Empty());
  EXPECT_EQ(All(b), UpTo(60));
}

// --- Edits -------------------------------------------------------------------------------------

TEST_F(VecTest, AnEditIsAbortedIfOthersHaveChangedTheVector) {
  const Numbers vec = MustHave(UpTo(100));
  const std::vector<std::function<absl::Status()>> others = {
      [&] { return vec.PushBack(1); },
      [&] { return vec.PopFront().status(); },
      [&] { return vec.Set(50, 3); },
      [&] { return vec.Sort(); },
      [&] { return vec.Clear(); },
      [&] { return vec.PushBack(4); },
      [&] { return store_.Transact([&](Transaction& txn) { return vec.In(txn).PushBack(5); }); },
  };
  for (const auto& change : others) {
    auto edit = vec.Edit();
    ASSERT_TRUE(edit.ok());
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(edit->PushBack(1000).ok());
    }
    ASSERT_TRUE(change().ok());
    const std::vector<std::uint64_t> wanted = All(vec);
    EXPECT_TRUE(absl::IsAborted(edit->Publish()));
    EXPECT_EQ(All(vec), wanted);
  }
  ASSERT_TRUE(vec.Clear().ok());
  EXPECT_LE(*vec.ns().Size(), 1U);
}

TEST_F(VecTest, AnEditIsOverAfterPublish) {
  const Numbers vec = MustHave(UpTo(10));
  auto edit = vec.Edit();
  ASSERT_TRUE(edit.ok());
  ASSERT_TRUE(edit->Append(UpTo(100)).ok());
  EXPECT_TRUE(edit->Publish().ok());
  EXPECT_TRUE(Says(edit->Publish(), Code::kFailedPrecondition, "the edit is over"));
  EXPECT_TRUE(absl::IsFailedPrecondition(edit->PushBack(1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(edit->Clear()));
  EXPECT_TRUE(absl::IsFailedPrecondition(edit->ToVector().status()));
  EXPECT_EQ(*vec.Size(), 110U);
  // Moved, it goes on in the new place.
  auto first = vec.Edit();
  ASSERT_TRUE(first->PushBack(7).ok());
  VecEdit<std::uint64_t> second = *std::move(first);
  ASSERT_TRUE(second.PushBack(8).ok());
  EXPECT_TRUE(second.Publish().ok());
  EXPECT_EQ(*vec.Last(), 8U);
  EXPECT_EQ(*vec.Size(), 112U);
  // One that is dropped changes nothing.
  { ASSERT_TRUE(vec.Edit()->Clear().ok()); }
  EXPECT_EQ(*vec.Size(), 112U);
  EXPECT_TRUE(Says(vec.Edit(absl::ZeroDuration()).status(), Code::kInvalidArgument, ""));
}

TEST_F(VecTest, AnEditOfADroppedVectorIsRefused) {
  const Numbers vec = MustHave(UpTo(100));
  auto edit = vec.Edit();
  ASSERT_TRUE(edit->Insert(50, 1).ok());
  ASSERT_TRUE(store_.DropNamespace("vec").ok());
  EXPECT_TRUE(IsNamespaceDropped(edit->Publish()));
  EXPECT_TRUE(IsNamespaceDropped(vec.PushBack(1)));
  EXPECT_TRUE(IsNamespaceDropped(vec.At(3).status()));
  EXPECT_TRUE(IsNamespaceDropped(vec.Edit().status()));
  EXPECT_TRUE(*Must<std::uint64_t>().Empty());
}

TEST_F(VecTest, AnEditBesideAClearOfTheNamespaceIsAborted) {
  const Numbers vec = MustHave(UpTo(100));
  for (int refill = 0; refill < 3; ++refill) {
    ASSERT_TRUE(vec.Assign(UpTo(100)).ok());
    auto edit = vec.Edit();
    ASSERT_TRUE(edit->Insert(50, 1).ok());
    ASSERT_TRUE(edit->PushBack(1).ok());
    ASSERT_TRUE(vec.ns().Clear().ok());
    const std::vector<std::uint64_t> wanted = UpTo(refill == 0 ? 0 : refill == 1 ? 3 : 90);
    ASSERT_TRUE(vec.Append(wanted).ok());
    EXPECT_TRUE(absl::IsAborted(edit->Publish()));
    EXPECT_EQ(All(vec), wanted);
  }
  // The same in a transaction.
  ASSERT_TRUE(vec.Assign(UpTo(100)).ok());
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) {
    absl::Status status = vec.In(txn).Insert(runs == 0 ? 50 : 0, 5);
    if (runs++ == 0) {
      EXPECT_TRUE(vec.ns().Clear().ok());
    }
    return status;
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(All(vec), std::vector<std::uint64_t>{5});
}

std::uint64_t NextNode(const Numbers& vec) {
  sequences::RootView root;
  const absl::StatusOr<std::string> bytes = vec.ns().Get("");
  EXPECT_TRUE(bytes.ok() && sequences::ParseRoot(*bytes, &root).ok());
  return root.next_node;
}

TEST_F(VecTest, NodesHaveNewIdsAfterAClearOfTheNamespace) {
  const Numbers vec = Must<std::uint64_t>();
  std::uint64_t before = 0;
  for (int i = 0; i < 200; ++i) {
    // The first root is one of each kind of change.
    switch (i % 3) {
      case 0:
        ASSERT_TRUE(vec.PushBack(1).ok());
        break;
      case 1:
        ASSERT_TRUE(vec.Append(UpTo(50)).ok());
        break;
      default:
        ASSERT_TRUE(vec.Resize(2).ok());
    }
    EXPECT_GT(NextNode(vec), before);
    ASSERT_TRUE(vec.InsertAll(1, UpTo(60)).ok());
    before = NextNode(vec);
    // Its own Clear() keeps the root, and with it the next id.
    ASSERT_TRUE(vec.Clear().ok());
    EXPECT_EQ(NextNode(vec), before);
    ASSERT_TRUE(vec.ns().Clear().ok());
  }
}

// --- A full store --------------------------------------------------------------------------------

TEST_F(VecTest, AFullStoreKeepsItsElementsAndGetsRoomFromPops) {
  // A change writes something for each node that it takes out, so tiny nodes take too much.
  internal::SetSequenceSizes({});
  Options options = QuietOptions();
  options.max_size = std::uint64_t{1} << 20;
  const Store little = MustOpen(temp_.File("little"), options);
  const auto vec = little.OpenShared<Numbers>("vec");
  ASSERT_TRUE(vec.ok());
  std::vector<std::uint64_t> values;
  const auto fill = [&] {
    absl::Status status;
    while ((status = vec->PushBack(values.size())).ok()) {
      values.push_back(values.size());
      ASSERT_LT(values.size(), 1'000'000U);
    }
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_TRUE(absl::IsResourceExhausted(vec->Append(UpTo(5000))));
    ASSERT_EQ(All(*vec), values);
    ASSERT_TRUE(IsSound(little));
  };
  fill();
  const std::uint64_t most = values.size();
  EXPECT_GT(most, 1000U);
  // Pops from the end, in the root and out of leaves.
  for (int i = 0; i < 300; ++i) {
    const absl::StatusOr<std::uint64_t> popped = vec->PopBack();
    ASSERT_TRUE(popped.ok()) << popped.status() << " after " << i;
    ASSERT_EQ(*popped, values.back());
    values.pop_back();
  }
  fill();
  EXPECT_GT(values.size(), most * 9 / 10);
  // From the front.
  for (int i = 0; i < 300; ++i) {
    const absl::StatusOr<std::uint64_t> popped = vec->PopFront();
    ASSERT_TRUE(popped.ok()) << popped.status() << " after " << i;
    ASSERT_EQ(*popped, values.front());
    values.erase(values.begin());
  }
  ASSERT_EQ(All(*vec), values);
  while (vec->PushBack(0).ok()) {
    values.push_back(0);
  }
  absl::Status status = vec->Truncate(values.size() - 50);
  ASSERT_TRUE(status.ok()) << status;
  values.resize(values.size() - 50);
  ASSERT_EQ(All(*vec), values);
  while (vec->PushBack(0).ok()) {
    values.push_back(0);
  }
  status = vec->EraseRange(1000, 100);
  ASSERT_TRUE(status.ok()) << status;
  values.erase(values.begin() + 1000, values.begin() + 1100);
  ASSERT_EQ(All(*vec), values);
  while (vec->PushBack(0).ok()) {
  }
  status = vec->Clear();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_LE(*vec->ns().Size(), 1U);
  values.clear();
  fill();
  EXPECT_GT(values.size(), most * 9 / 10);
  ASSERT_TRUE(vec->ns().Clear().ok());  // Has room whatever there is.
  EXPECT_TRUE(vec->PushBack(1).ok());
}

// --- What another program wrote ------------------------------------------------------------------

struct Raw {
  sequences::RootHead head{.magic = sequences::kRootMagic, .next_node = 1000};
  std::vector<sequences::Entry> entries;
  std::string front;
  std::string back;

  [[nodiscard]] std::string Bytes() const {
    sequences::RootHead told = head;
    std::string bytes(reinterpret_cast<const char*>(&told), sizeof(told));
    bytes += sequences::BytesOf(entries);
    bytes.resize((bytes.size() + 15) / 16 * 16);
    bytes += front;
    bytes.resize((bytes.size() + 15) / 16 * 16);
    bytes += back;
    bytes.resize((bytes.size() + 15) / 16 * 16);
    return bytes;
  }
};

// A root with a tree of these entries.
Raw WithTree(std::vector<sequences::Entry> entries, std::uint64_t count, std::uint32_t height) {
  Raw raw;
  raw.head.height = height;
  raw.head.tree_count = count;
  raw.head.entries = static_cast<std::uint32_t>(entries.size());
  raw.entries = std::move(entries);
  return raw;
}

std::string Words(const std::vector<std::uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

// Every call of a vector, by its name.
template <typename T>
std::vector<std::pair<std::string, absl::Status>> CallAll(const Store& store,
                                                          const SharedVec<T>& vec) {
  std::vector<std::pair<std::string, absl::Status>> told;
  const auto tell = [&told](const std::string& name, const absl::Status& status) {
    told.emplace_back(name, status);
  };
  const auto with = [&](const std::string& prefix, const auto& calls) {
    tell(prefix + "size", calls.Size().status());
    tell(prefix + "at", calls.At(0).status());
    tell(prefix + "at 5", calls.At(5).status());
    tell(prefix + "last", calls.Last().status());
    tell(prefix + "all", calls.ToVector().status());
    tell(prefix + "slice", calls.Slice(2, 3).status());
    tell(prefix + "pieces", calls.ForEachPiece([](std::span<const T>) {}));
    tell(prefix + "contains", calls.Contains(T()).status());
  };
  with("", vec);
  auto range = vec.Range();
  for (const T& value : range) {
    (void)value;
  }
  tell("range", range.status());
  tell("binary search", vec.BinarySearch(T()).status());
  // Each change in a transaction that does not commit, so that all meet the same bytes.
  const auto change = [&](const std::string& name, auto call) {
    absl::Status status;
    (void)store.Transact([&](Transaction& txn) -> absl::Status {
      status = call(vec.In(txn));
      return absl::CancelledError("");
    });
    tell("transaction: " + name, status);
    auto edit = vec.Edit();
    tell("edit: " + name, edit.ok() ? call(*edit) : edit.status());
  };
  (void)store.Transact([&](Transaction& txn) -> absl::Status {
    with("in transaction: ", vec.In(txn));
    return absl::CancelledError("");
  });
  change("push back", [](const auto& calls) { return calls.PushBack(T()); });
  change("push front", [](const auto& calls) { return calls.PushFront(T()); });
  change("append", [](const auto& calls) { return calls.Append(std::vector<T>(100)); });
  change("pop back", [](const auto& calls) { return calls.PopBack().status(); });
  change("pop front", [](const auto& calls) { return calls.PopFront().status(); });
  change("set", [](const auto& calls) { return calls.Set(0, T()); });
  change("insert", [](const auto& calls) { return calls.Insert(1, T()); });
  change("erase", [](const auto& calls) { return calls.Erase(0); });
  change("erase range", [](const auto& calls) { return calls.EraseRange(1, 3); });
  change("truncate", [](const auto& calls) { return calls.Truncate(1); });
  change("clear", [](const auto& calls) { return calls.Clear(); });
  change("swap", [](const auto& calls) { return calls.Swap(0, 1); });
  change("update", [](const auto& calls) { return calls.Update(0, [](T&) {}); });
  change("reverse", [](const auto& calls) { return calls.Reverse(); });
  change("sort", [](const auto& calls) { return calls.SortUnstable(); });
  change("fill", [](const auto& calls) { return calls.FillRange(0, 2, T()); });
  return told;
}

class HostileVecTest : public VecTest {
 protected:
  using Nodes = std::vector<std::pair<std::uint64_t, std::string>>;

  template <typename T>
  void Write(const SharedVec<T>& vec, const std::string& root, const Nodes& nodes) {
    ASSERT_TRUE(vec.ns().Clear().ok());
    ASSERT_TRUE(vec.ns().Put("", root).ok());
    for (const auto& [id, bytes] : nodes) {
      ASSERT_TRUE(vec.ns().Put(sequences::NodeKey(id).view(), bytes).ok());
    }
  }
  // Makes all calls: each answers, and nothing but DataLoss (or that an index is past the end).
  // Those that look at all elements answer DataLoss; with `root`, all do.
  template <typename T>
  void ExpectDamaged(const std::string& name, const SharedVec<T>& vec, const std::string& root,
                     const Nodes& nodes, bool all) {
    SCOPED_TRACE(name);
    Write(vec, root, nodes);
    for (const auto& [call, status] : CallAll(store_, vec)) {
      const bool looks_at_all = call == "all" || call == "pieces" || call == "range" ||
                                call == "in transaction: all" || call == "transaction: reverse" ||
                                call == "edit: reverse" || call == "transaction: sort";
      EXPECT_TRUE(absl::IsDataLoss(status) ||
                  (!all && !looks_at_all && (status.ok() || absl::IsOutOfRange(status))))
          << call << ": " << status;
    }
    // Real changes, too: each leaves bytes for the next one.
    const absl::Status statuses[] = {vec.PushBack(T()),      vec.PushFront(T()),
                                     vec.Set(0, T()),        vec.Append(std::vector<T>(40)),
                                     vec.Insert(2, T()),     vec.PopBack().status(),
                                     vec.PopFront().status()};
    for (const absl::Status& status : statuses) {
      EXPECT_TRUE(absl::IsDataLoss(status) || (!all && (status.ok() || absl::IsOutOfRange(status))))
          << status;
    }
    ASSERT_TRUE(vec.ns().Clear().ok());
    ASSERT_TRUE(vec.PushBack(T()).ok());
    ASSERT_EQ(*vec.Size(), 1U);
  }
};

TEST_F(HostileVecTest, ARootThatIsNoneIsDataLoss) {
  const Numbers vec = Must<std::uint64_t>();
  const auto root = [&](const std::string& name, const std::function<void(Raw&)>& spoil,
                        const std::string& more = "") {
    Raw raw;
    raw.back = Words({1, 2, 3});
    raw.head.back_width = 8;
    raw.head.back_count = 3;
    raw.head.back_bytes = 24;
    spoil(raw);
    std::string bytes = raw.Bytes();
    bytes.resize(bytes.size() - (raw.back.size() == 24 ? 8 : 0));
    ExpectDamaged(name, vec, bytes + more, {}, true);
  };
  ExpectDamaged("empty", vec, "", {}, true);
  ExpectDamaged("text", vec, "hello", {}, true);
  ExpectDamaged("short", vec, Raw().Bytes().substr(0, 63), {}, true);
  ExpectDamaged("zeros", vec, std::string(200, '\0'), {}, true);
  root("magic", [](Raw& raw) { raw.head.magic ^= 1; });
  root("height", [](Raw& raw) { raw.head.height = 17; });
  root("height without a tree", [](Raw& raw) { raw.head.height = 2; });
  root("count without entries", [](Raw& raw) { raw.head.tree_count = 5; });
  root("entries without room", [](Raw& raw) { raw.head.entries = UINT32_MAX; });
  root("entries without a count", [](Raw& raw) {
    raw.entries = {{1, 1, 8, 0}};
    raw.head.entries = 1;
  });
  root(
      "bytes behind the end", [](Raw&) {}, "more");
  root("front too long", [](Raw& raw) { raw.head.front_bytes = UINT32_MAX; });
  root("back too long", [](Raw& raw) { raw.head.back_bytes = 4096; });
  root("queue too long", [](Raw& raw) { raw.head.queue_bytes = UINT32_MAX; });
  root("back count", [](Raw& raw) { raw.head.back_count = 4; });
  root("back huge count", [](Raw& raw) { raw.head.back_count = UINT32_MAX; });
  root("back width", [](Raw& raw) { raw.head.back_width = 7; });
  root("back huge width", [](Raw& raw) { raw.head.back_width = UINT32_MAX; });
  root("back variable", [](Raw& raw) { raw.head.back_width = 0; });
  root("front count", [](Raw& raw) { raw.head.front_count = 1; });
}

TEST_F(HostileVecTest, ARunWhoseLengthsOverflowIsDataLoss) {
  const Texts vec = Must<std::string>();
  for (const std::uint32_t length : {13U, 0x7fffffffU, 0xfffffff0U, 0xffffffffU}) {
    Raw raw;
    raw.back = std::string(16, 'x');
    std::memcpy(raw.back.data(), &length, sizeof(length));
    raw.head.back_count = 1;
    raw.head.back_bytes = 16;
    ExpectDamaged("one element", vec, raw.Bytes(), {}, true);
    // The same in a leaf, behind a good element.
    std::string leaf(20, '\0');
    leaf[0] = 4;
    std::memcpy(leaf.data() + 8, &length, sizeof(length));
    ExpectDamaged("a leaf", vec, WithTree({{1, 2, 20, 1}}, 2, 0).Bytes(), {{1, leaf}}, false);
  }
}

TEST_F(HostileVecTest, AnElementThatIsNotOfTheTypeIsDataLoss) {
  const Numbers vec = Must<std::uint64_t>();
  Raw raw;
  raw.back = std::string(16, '\1');
  raw.head.back_width = 4;
  raw.head.back_count = 4;
  raw.head.back_bytes = 16;
  Write(vec, raw.Bytes(), {});
  EXPECT_TRUE(Says(vec.At(0).status(), Code::kDataLoss, "not of the container's type"));
  EXPECT_TRUE(Says(vec.ToVector().status(), Code::kDataLoss, "not of the container's type"));
  EXPECT_TRUE(absl::IsDataLoss(vec.Sort()));
  EXPECT_TRUE(absl::IsDataLoss(vec.Update(0, [](std::uint64_t&) {})));
  ASSERT_TRUE(vec.Set(0, 7).ok());
  EXPECT_EQ(*vec.At(0), 7U);
  ASSERT_TRUE(vec.Truncate(1).ok());
  EXPECT_EQ(All(vec), std::vector<std::uint64_t>{7});
}

TEST_F(HostileVecTest, ATreeThatDoesNotAddUpIsDataLoss) {
  const Numbers vec = Must<std::uint64_t>();
  const std::string leaf = Words({1, 2, 3, 4});
  const auto inner = [](const std::vector<sequences::Entry>& entries) {
    return std::string(sequences::BytesOf(entries));
  };
  const auto tree = [&](const std::string& name, std::vector<sequences::Entry> entries,
                        std::uint64_t count, std::uint32_t height, const Nodes& nodes) {
    ExpectDamaged(name, vec, WithTree(std::move(entries), count, height).Bytes(), nodes, false);
  };
  tree("more than its entries", {{1, 4, 32, 0}}, 5, 0, {{1, leaf}});
  tree("fewer than its entries", {{1, 4, 32, 0}}, 3, 0, {{1, leaf}});
  tree("an entry without elements", {{1, 0, 0, 0}, {1, 4, 32, 0}}, 4, 0, {{1, leaf}});
  tree("counts that overflow", {{1, UINT64_MAX, 32, 0}, {1, 5, 32, 0}}, 4, 0, {{1, leaf}});
  tree("a huge count", {{1, UINT64_MAX / 8, 32, 0}}, UINT64_MAX / 8, 0, {{1, leaf}});
  tree("a huge count of variable ones", {{1, UINT64_MAX / 8, 32, 1}}, UINT64_MAX / 8, 0,
       {{1, leaf}});
  tree("no such leaf", {{2, 4, 32, 0}}, 4, 0, {{1, leaf}});
  tree("an empty leaf", {{1, 4, 32, 0}}, 4, 0, {{1, ""}});
  tree("a leaf of a wrong size", {{1, 4, 32, 0}}, 4, 0, {{1, leaf.substr(1)}});
  tree("a leaf of a wrong width", {{1, 4, 32, 0}}, 4, 0, {{1, leaf.substr(16)}});
  tree("a leaf as an inner node", {{1, 4, 32, 0}}, 4, 1, {{1, leaf}});
  tree("an inner node without entries", {{2, 4, 0, 0}}, 4, 1, {{1, leaf}, {2, ""}});
  tree("an inner node of a wrong count", {{2, 5, 0, 0}}, 5, 1,
       {{1, leaf}, {2, inner({{1, 4, 32, 0}})}});
  tree("an inner node of a huge count", {{2, 4, 0, 0}}, 4, 1,
       {{1, leaf}, {2, inner({{1, UINT64_MAX, 32, 0}})}});
  for (const std::uint32_t height : {1U, 2U, 16U}) {
    tree("an inner node that names itself", {{2, 5, 0, 0}}, 5, height,
         {{2, inner({{2, 5, 0, 0}})}});
  }
  // A huge count that adds up: its leaf is the last to say so.
  Nodes chain = {{1, leaf}};
  std::uint64_t count = 4;
  for (std::uint64_t level = 2; level < 14; ++level) {
    std::vector<sequences::Entry> entries(16, {level - 1, count, 32, 0});
    chain.emplace_back(level, inner(entries));
    count *= 16;
  }
  Write(vec, WithTree({{13, count, 0, 0}}, count, 12).Bytes(), chain);
  EXPECT_EQ(*vec.Size(), count);
  EXPECT_EQ(*vec.At(count - 1), 4U);
  EXPECT_EQ(*vec.At(5), 2U);
  EXPECT_TRUE(vec.Set(count / 2, 9).ok());
  // Whatever it answers, it answers.
  (void)vec.EraseRange(3, count / 2);
  (void)vec.PopFront();
  (void)vec.PopBack();
  ASSERT_TRUE(vec.ns().Clear().ok());
}

TEST_F(HostileVecTest, AnEditThatMeetsDamagePublishesNothing) {
  const Numbers vec = MustHave(UpTo(100));
  sequences::RootView root;
  const std::string bytes = *vec.ns().Get("");
  ASSERT_TRUE(sequences::ParseRoot(bytes, &root).ok());
  ScanRange scan = vec.ns().Scan();
  std::string leaf;
  for (const Entry& entry : scan) {
    if (!entry.key().empty()) {
      leaf.assign(entry.key());
      break;
    }
  }
  ASSERT_TRUE(vec.ns().Put(leaf, "x").ok());
  auto edit = vec.Edit();
  ASSERT_TRUE(edit.ok());
  ASSERT_TRUE(edit->PushBack(7).ok());
  absl::Status failed;
  for (std::uint64_t i = 0; failed.ok() && i < 100; ++i) {
    failed = edit->Set(i, 1);
  }
  EXPECT_TRUE(absl::IsDataLoss(failed));
  EXPECT_TRUE(absl::IsDataLoss(edit->PushBack(8)));
  EXPECT_TRUE(absl::IsDataLoss(edit->Publish()));
  EXPECT_EQ(*vec.Size(), 100U);
  EXPECT_EQ(*vec.ns().Get(""), bytes);
}

}  // namespace
}  // namespace commy::test
