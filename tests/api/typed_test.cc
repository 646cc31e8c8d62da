// Typed containers: what they say of themselves, which types of programs fit, and how their values
// lie in the file. Random operations on them are in containers_ops_test.cc.
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

#include <pthread.h>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "commy/commy.h"
#include "engine/engine.h"
#include "support/fault_platform.h"
#include "support/ordered_fixture.h"
#include "support/wait_for.h"

// Versions of one struct, as programs of different ages have it.
namespace acme::v1 {
struct Config {
  std::uint64_t a = 1;
  std::uint32_t b = 2;
  friend bool operator==(const Config&, const Config&) = default;
};
COMMY_STRUCT(Config, "acme.Config", a, b);
}  // namespace acme::v1
namespace acme::v2 {
struct Config {
  std::uint64_t a = 1;
  std::uint32_t b = 2;
  alignas(8) std::uint64_t c = 3;
  friend bool operator==(const Config&, const Config&) = default;
};
COMMY_STRUCT(Config, "acme.Config", a, b, c);
}  // namespace acme::v2
namespace acme::in_padding {
struct Config {
  std::uint64_t a = 1;
  std::uint32_t b = 2;
  std::uint32_t c = 3;
};
COMMY_STRUCT(Config, "acme.Config", a, b, c);
}  // namespace acme::in_padding
namespace acme::removed {
struct Config {
  std::uint64_t a = 1;
};
COMMY_STRUCT(Config, "acme.Config", a);
}  // namespace acme::removed
namespace acme::reordered {
struct Config {
  std::uint32_t b = 2;
  std::uint64_t a = 1;
  std::uint64_t c = 3;
};
COMMY_STRUCT(Config, "acme.Config", b, a, c);
}  // namespace acme::reordered
namespace acme::renamed {
struct Config {
  std::uint64_t a = 1;
  std::uint32_t x = 2;
  std::uint64_t c = 3;
};
COMMY_STRUCT(Config, "acme.Config", a, x, c);
}  // namespace acme::renamed
namespace acme::wider {
struct Config {
  std::uint64_t a = 1;
  std::uint64_t b = 2;
};
COMMY_STRUCT(Config, "acme.Config", a, b);
}  // namespace acme::wider

namespace acme::wide1 {
struct Grown {
  std::uint64_t a = 0;
};
COMMY_STRUCT(Grown, "acme.Grown", a);
}  // namespace acme::wide1
namespace acme::wide2 {
struct Grown {
  std::uint64_t a = 0;
  std::array<Line, 1> line;
  friend bool operator==(const Grown& x, const Grown& y) { return x.a == y.a && x.line == y.line; }
};
COMMY_STRUCT(Grown, "acme.Grown", a, line);
}  // namespace acme::wide2

namespace commy::test {
namespace {

using acme::Color;
using acme::Line;
using acme::Nested;
using acme::Padded;
using acme::Person;
using acme::Position;
using Code = absl::StatusCode;
using Positions = SharedHashMap<std::uint64_t, Position>;
using V1 = acme::v1::Config;
using V2 = acme::v2::Config;

// Every test ends with a store that is sound.
class TypedTest : public OrderedFixture {
 protected:
  void TearDown() override {
    EXPECT_TRUE(IsSound(store_));
    OrderedFixture::TearDown();
  }

  template <typename Container>
  Container Must(const std::string& path, const SharedOptions& options = SharedOptions()) {
    absl::StatusOr<Container> opened = store_.OpenShared<Container>(path, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  template <typename Container>
  testing::AssertionResult IsRefused(const std::string& path, Code code, const std::string& part,
                                     const SharedOptions& options = SharedOptions()) {
    return Says(store_.OpenShared<Container>(path, options).status(), code, part);
  }
  std::string TypeAt(const std::string& path) { return *store_.OpenNamespace(path)->Type(); }

  // How many blocks are in use, once nothing waits to be freed.
  std::uint64_t BlocksUsed() {
    for (int i = 0; i < 8; ++i) {
      EngineOf(store_).session.Beat();
    }
    const absl::StatusOr<CheckReport> report = store_.Check();
    EXPECT_TRUE(IsSound(report));
    return report->blocks_reachable;
  }

  Store store_ = MustOpen(TinyNodes(QuietOptions()));
};

// --- Types that fit ----------------------------------------------------------------------------

TEST_F(TypedTest, AContainerSaysItsType) {
  Must<Positions>("map");
  Must<SharedBTreeSet<std::string>>("set");
  Must<SharedBox<double>>("box");
  Must<SharedCounter>("counter");
  EXPECT_EQ(TypeAt("map"), "map<u64,struct acme.Position{x:f64,y:f64}>");
  EXPECT_EQ(TypeAt("set"), "set<string>");
  EXPECT_EQ(TypeAt("box"), "box<f64>");
  EXPECT_EQ(TypeAt("counter"), "counter");
  EXPECT_EQ(TypeAt("untyped"), "");
  std::map<std::string, std::string> listed;
  const std::vector<NamespaceInfo> all = *store_.ListNamespaces();
  for (const NamespaceInfo& info : all) {
    listed[info.path] = info.type;
  }
  EXPECT_EQ(listed["set"], "set<string>");
  EXPECT_EQ(listed["untyped"], "");
}

TEST_F(TypedTest, AnotherTypeOrKindIsRefusedWithBothTypes) {
  Must<Positions>("map");
  using Others = SharedHashMap<std::uint64_t, std::string>;
  EXPECT_TRUE(IsRefused<Others>("map", Code::kInvalidArgument, "map<u64,string>"));
  EXPECT_TRUE(
      IsRefused<Others>("map", Code::kInvalidArgument, std::string(Positions::kDescriptor)));
  EXPECT_TRUE(
      (IsRefused<SharedHashMap<std::int64_t, Position>>("map", Code::kInvalidArgument, "i64")));
  EXPECT_TRUE(IsRefused<SharedHashSet<std::uint64_t>>("map", Code::kInvalidArgument, "set<u64>"));
  EXPECT_TRUE(IsRefused<SharedBox<Position>>("map", Code::kInvalidArgument, "box<struct"));
  EXPECT_TRUE(IsRefused<SharedCounter>("map", Code::kInvalidArgument, "counter"));
  Must<SharedCounter>("counter");
  EXPECT_TRUE(IsRefused<SharedBox<int>>("counter", Code::kInvalidArgument, "box<i32>"));
  EXPECT_EQ(TypeAt("map"), Positions::kDescriptor);
  EXPECT_TRUE(Must<Positions>("map").Put(1, {}).ok());
}

TEST_F(TypedTest, AnotherOrderIsRefused) {
  Must<SharedHashMap<int, int>>("hash");
  Must<SharedBTreeSet<int>>("ordered");
  EXPECT_TRUE((IsRefused<SharedBTreeMap<int, int>>("hash", Code::kInvalidArgument, "order")));
  EXPECT_TRUE(IsRefused<SharedHashSet<int>>("ordered", Code::kInvalidArgument, "order"));
}

TEST_F(TypedTest, OnlyAContainerThatIsThereIsOpenedWithoutCreating) {
  const SharedOptions existing{.create_if_missing = false};
  EXPECT_TRUE(IsRefused<SharedBox<int>>("box", Code::kNotFound, "box", existing));
  EXPECT_TRUE(store_.ListNamespaces()->empty());
  Must<SharedBox<int>>("box");
  EXPECT_TRUE(store_.OpenShared<SharedBox<int>>("box", existing).ok());
}

// --- Evolution -----------------------------------------------------------------------------------

TEST_F(TypedTest, ALongerStructTakesOverAndReadsOldValuesWithItsInitialValues) {
  const auto old = Must<SharedBTreeMap<int, V1>>("map");
  ASSERT_TRUE(old.Put(1, {10, 20}).ok());
  const auto now = Must<SharedBTreeMap<int, V2>>("map");
  EXPECT_NE(TypeAt("map").find("c:u64"), std::string::npos);
  EXPECT_EQ(*now.Get(1), (V2{10, 20, 3}));
  const auto view = now.GetView(1);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_FALSE(view->in_place());
  EXPECT_EQ(**view, (V2{10, 20, 3}));
  // Programs of both ages go on, each with its own values.
  ASSERT_TRUE(now.Put(2, {11, 21, 31}).ok());
  EXPECT_TRUE(now.GetView(2)->in_place());
  ASSERT_TRUE(old.Put(3, {12, 22}).ok());
  EXPECT_EQ(*old.Get(1), (V1{10, 20}));
  EXPECT_EQ(*now.Get(3), (V2{12, 22, 3}));
  std::vector<std::uint64_t> seen;
  auto range = now.Range();
  for (const auto& [key, value] : range) {
    seen.push_back(value.c);
  }
  ASSERT_TRUE(range.status().ok()) << range.status();
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{3, 31, 3}));
  EXPECT_TRUE((IsRefused<SharedBTreeMap<int, V1>>("map", Code::kInvalidArgument, "more fields")));
  EXPECT_TRUE((store_.OpenShared<SharedBTreeMap<int, V2>>("map").ok()));
}

TEST_F(TypedTest, AHandleOfTheShorterStructReadsTheFieldsThatItKnowsAndDropsTheOthers) {
  const auto old = Must<SharedBox<V1>>("box");
  const auto now = Must<SharedBox<V2>>("box");
  ASSERT_TRUE(now.Store({1, 2, 3}).ok());
  EXPECT_EQ(*old.Load(), (V1{1, 2}));
  EXPECT_EQ(now.Load()->c, 3U);
  now.Store({1, 2, 30}).IgnoreError();
  EXPECT_TRUE(*old.CompareExchange(*old.Load(), V1{3, 4}));
  EXPECT_EQ(*now.Load(), (V2{3, 4, 3}));
  ASSERT_TRUE(old.Store({5, 6}).ok());
  EXPECT_EQ(*now.Load(), (V2{5, 6, 3}));
}

TEST_F(TypedTest, AStructThatDoesNotOnlyGrowAtTheEndIsRefused) {
  const auto box = Must<SharedBox<V1>>("box");
  ASSERT_TRUE(box.Store({5, 6}).ok());
  EXPECT_TRUE(IsRefused<SharedBox<acme::in_padding::Config>>("box", Code::kInvalidArgument, "c"));
  EXPECT_TRUE(IsRefused<SharedBox<acme::removed::Config>>("box", Code::kInvalidArgument, "field"));
  EXPECT_TRUE(IsRefused<SharedBox<acme::reordered::Config>>("box", Code::kInvalidArgument, "b"));
  EXPECT_TRUE(IsRefused<SharedBox<acme::renamed::Config>>("box", Code::kInvalidArgument, "x"));
  EXPECT_TRUE(IsRefused<SharedBox<acme::wider::Config>>("box", Code::kInvalidArgument, "b"));
  EXPECT_TRUE(
      IsRefused<SharedBox<std::vector<V2>>>("box", Code::kInvalidArgument, "box<vector<struct"));
  EXPECT_EQ(*box.Load(), (V1{5, 6}));
  // Nor do keys and structs inside others change.
  Must<SharedHashSet<V1>>("set");
  EXPECT_TRUE(IsRefused<SharedHashSet<V2>>("set", Code::kInvalidArgument, "acme.Config"));
  Must<SharedBox<std::vector<V1>>>("vector");
  EXPECT_TRUE(IsRefused<SharedBox<std::vector<V2>>>("vector", Code::kInvalidArgument, "acme"));
}

// A loop of reads and swaps must end, also for a value that was written by an older program.
TEST_F(TypedTest, AnOldValueThatWasReadCanBeSwapped) {
  ASSERT_TRUE(Must<SharedBox<V1>>("box").Store({5, 6}).ok());
  ASSERT_TRUE((Must<SharedHashMap<int, V1>>("map").Put(1, {5, 6}).ok()));
  const auto box = Must<SharedBox<V2>>("box");
  const auto map = Must<SharedHashMap<int, V2>>("map");
  EXPECT_FALSE(*box.CompareExchange(V2{5, 6, 4}, V2{7, 8, 9}));
  EXPECT_TRUE(*box.CompareExchange(*box.Load(), V2{7, 8, 9}));
  EXPECT_EQ(*box.Load(), (V2{7, 8, 9}));
  EXPECT_FALSE(*map.CompareAndSwap(1, std::nullopt, V2{7, 8, 9}));
  EXPECT_TRUE(*map.CompareAndSwap(1, *map.Get(1), std::nullopt));
  EXPECT_FALSE(*map.Contains(1));
}

TEST_F(TypedTest, AnOldValueThatWasSeenIsNoChange) {
  ASSERT_TRUE(Must<SharedBox<V1>>("box").Store({5, 6}).ok());
  const auto box = Must<SharedBox<V2>>("box");
  EXPECT_TRUE(Says(box.WaitForChange(*box.Load(), absl::ZeroDuration()).status(),
                   Code::kDeadlineExceeded, ""));
  EXPECT_EQ(box.WaitForChange(V2{5, 6, 4}, absl::ZeroDuration())->c, 3U);
}

// --- Namespaces without a type ---------------------------------------------------------------

TEST_F(TypedTest, AnUntypedNamespaceIsOpenedOnlyOnRequest) {
  const Namespace raw = MustOpenNamespace(store_, "n");
  ASSERT_TRUE(raw.Put(EncodeKey(7), std::string(16, '\0')).ok());
  using Map = SharedHashMap<int, Position>;
  EXPECT_TRUE(IsRefused<Map>("n", Code::kFailedPrecondition, "adopt_untyped = true"));
  EXPECT_EQ(TypeAt("n"), "");
  const Map map = Must<Map>("n", {.adopt_untyped = true});
  EXPECT_EQ(*map.Get(7), Position());
  EXPECT_EQ(TypeAt("n"), Map::kDescriptor);
  EXPECT_TRUE(store_.OpenShared<Map>("n").ok());
  EXPECT_EQ(*raw.Type(), Map::kDescriptor);
}

TEST_F(TypedTest, AdoptingNamesTheKeyThatDoesNotFitAndDeclaresNothing) {
  const SharedOptions adopt{.adopt_untyped = true};
  const Namespace values = MustOpenOrdered(store_, "values");
  ASSERT_TRUE(values.Put(EncodeKey("good"), std::string(16, '\0')).ok());
  ASSERT_TRUE(values.Put("wrong", "17 bytes, not 16.").ok());
  using Map = SharedBTreeMap<std::string, Position>;
  EXPECT_TRUE(IsRefused<Map>("values", Code::kInvalidArgument, "the key \"wrong\"", adopt));
  EXPECT_TRUE(IsRefused<Map>("values", Code::kInvalidArgument, "acme.Position", adopt));
  EXPECT_EQ(TypeAt("values"), "");
  const Namespace keys = MustOpenNamespace(store_, "keys");
  ASSERT_TRUE(keys.Put("abc", "").ok());
  EXPECT_TRUE(IsRefused<SharedHashSet<int>>("keys", Code::kInvalidArgument, "\"abc\"", adopt));
  EXPECT_TRUE(IsRefused<SharedBox<int>>("keys", Code::kInvalidArgument, "\"abc\"", adopt));
  EXPECT_TRUE(IsRefused<SharedCounter>("keys", Code::kInvalidArgument, "", adopt));
  EXPECT_EQ(TypeAt("keys"), "");
  EXPECT_TRUE(
      (IsRefused<SharedBTreeMap<int, int>>("keys", Code::kInvalidArgument, "order", adopt)));
  ASSERT_TRUE(keys.Put("x", "value").ok());
  EXPECT_TRUE(
      IsRefused<SharedHashSet<std::string>>("keys", Code::kInvalidArgument, "\"x\"", adopt));
  ASSERT_TRUE(*keys.Delete("x"));
  EXPECT_TRUE(store_.OpenShared<SharedHashSet<std::string>>("keys", adopt).ok());
}

TEST_F(TypedTest, AnEmptyNamespaceCannotBecomeACounter) {
  MustOpenNamespace(store_, "n");
  EXPECT_TRUE(IsRefused<SharedCounter>("n", Code::kInvalidArgument, "", {.adopt_untyped = true}));
  EXPECT_EQ(TypeAt("n"), "");
}

// --- Bytes that are not of the type ------------------------------------------------------------

TEST_F(TypedTest, ForeignBytesAreDataLossAndEndARange) {
  const auto map = Must<SharedBTreeMap<std::uint8_t, Position>>("map");
  ASSERT_TRUE(map.Put(1, {1, 1}).ok());
  ASSERT_TRUE(map.ns().Put("\x02", "bad").ok());
  ASSERT_TRUE(map.Put(3, {3, 3}).ok());
  EXPECT_TRUE(Says(map.Get(2).status(), Code::kDataLoss, "of 3 bytes"));
  EXPECT_TRUE(Says(map.GetOr(2, {}).status(), Code::kDataLoss, ""));
  EXPECT_TRUE(Says(map.GetView(2).status(), Code::kDataLoss, ""));
  EXPECT_TRUE(Says(map.ReadWith(2, [](const Position&) { FAIL(); }), Code::kDataLoss, ""));
  EXPECT_TRUE(Says(map.Update(2, [](auto value) { return value; }), Code::kDataLoss, ""));
  EXPECT_TRUE(Says(map.RetainIf([](auto, auto) { return true; }).status(), Code::kDataLoss, ""));
  EXPECT_TRUE(*map.Contains(2));
  std::vector<int> seen;
  auto range = map.Range();
  for (const auto& [key, value] : range) {
    seen.push_back(key);
  }
  EXPECT_EQ(seen, std::vector<int>{1});
  EXPECT_TRUE(Says(range.status(), Code::kDataLoss, "acme.Position"));
  EXPECT_EQ(std::ranges::distance(map.Keys()), 3);
  EXPECT_EQ(*map.ns().Get("\x02"), "bad") << "the update changed it";
  // And a key.
  ASSERT_TRUE(map.ns().Put("\x02zz", std::string(16, '\0')).ok());
  auto keys = map.Keys();
  EXPECT_EQ(std::ranges::distance(keys), 2);
  EXPECT_TRUE(Says(keys.status(), Code::kDataLoss, "a key is not of the container's type"));
  EXPECT_TRUE(map.Erase(2).value());
}

TEST_F(TypedTest, ANotANumberIsNoKey) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto map = Must<SharedBTreeMap<double, int>>("map");
  const std::string why = "NaN";
  const Code bad = Code::kInvalidArgument;
  EXPECT_TRUE(Says(map.Put(nan, 1), bad, why));
  EXPECT_TRUE(Says(map.Insert(nan, 1).status(), bad, why));
  EXPECT_TRUE(Says(map.Get(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.GetView(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.Contains(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.Erase(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.Update(nan, [](auto value) { return value; }), bad, why));
  EXPECT_TRUE(Says(map.CompareAndSwap(nan, std::nullopt, 1).status(), bad, why));
  EXPECT_TRUE(Says(map.Emplace(nan, [](int&) {}), bad, why));
  EXPECT_TRUE(Says(map.ComputeIfAbsent(nan, [] { return 1; }).status(), bad, why));
  EXPECT_TRUE(Says(map.Extend(std::vector<std::pair<double, int>>{{nan, 1}}), bad, why));
  EXPECT_TRUE(Says(map.LowerBound(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.UpperBound(nan).status(), bad, why));
  EXPECT_TRUE(Says(map.Floor(nan).status(), bad, why));
  auto range = map.Range({.to = nan});
  EXPECT_EQ(std::ranges::distance(range), 0);
  EXPECT_TRUE(Says(range.status(), bad, why));
  Transaction transaction = *store_.Begin();
  EXPECT_TRUE(Says(map.In(transaction).Put(nan, 1), bad, why));
  EXPECT_TRUE(Says(map.In(transaction).Insert(nan, 1).status(), bad, why));
  EXPECT_TRUE(Says(map.In(transaction).Erase(nan).status(), bad, why));
  const auto set = Must<SharedHashSet<Position>>("set");
  EXPECT_TRUE(Says(set.Insert({0, nan}).status(), bad, why));
  EXPECT_TRUE(Says(set.Contains({0, nan}).status(), bad, why));
  EXPECT_TRUE(Says(set.Erase({0, nan}).status(), bad, why));
  // The two zeros are one key.
  ASSERT_TRUE(map.Put(-0.0, 5).ok());
  EXPECT_EQ(*map.Get(0.0), 5);
  EXPECT_EQ(*map.Size(), 1U);
}

// --- Views ---------------------------------------------------------------------------------------

template <typename T>
testing::AssertionResult IsInPlace(const absl::StatusOr<TypedView<T>>& view, const T& value) {
  if (!view.ok()) {
    return testing::AssertionFailure() << view.status();
  }
  if (!view->in_place()) {
    return testing::AssertionFailure() << "a copy";
  }
  if (reinterpret_cast<std::uintptr_t>(&**view) % alignof(T) != 0) {
    return testing::AssertionFailure() << "at " << &**view;
  }
  return **view == value ? testing::AssertionSuccess()
                         : testing::AssertionFailure() << "another value";
}

struct alignas(32) Half {
  std::uint64_t value = 0;
  friend bool operator==(const Half&, const Half&) = default;
};
COMMY_STRUCT(Half, "acme.Half", value);

// Of a number, for each type.
void Set(std::uint64_t n, std::uint8_t& value) {
  value = static_cast<std::uint8_t>(n);
}
void Set(std::uint64_t n, Position& value) {
  value.x = static_cast<double>(n);
}
void Set(std::uint64_t n, Half& value) {
  value.value = n;
}
void Set(std::uint64_t n, Line& value) {
  value.value = static_cast<std::uint32_t>(n);
}
void Set(std::uint64_t n, std::array<Line, 3>& value) {
  Set(n, value[2]);
}
void Set(std::uint64_t n, acme::wide2::Grown& value) {
  value.a = n;
  value.line[0].value = static_cast<std::uint32_t>(n);
}

// Whichever way a value comes into the store, it lies there as its type asks.
template <typename Map>
void ExpectAllInPlace(const Store& store, const Map& map) {
  using T = typename Map::mapped_type;
  const auto value = [](std::uint64_t n) {
    T made{};
    Set(n, made);
    return made;
  };
  const auto key = [](std::uint64_t n) {
    return std::to_string(n) + std::string(n * 7 % 131, 'k');
  };
  for (std::uint64_t n = 0; n < 130; ++n) {
    ASSERT_TRUE(map.Put(key(n), value(n)).ok());
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n))) << "put " << n;
  }
  for (std::uint64_t n = 0; n < 130; ++n) {
    ASSERT_TRUE(*map.CompareAndSwap(key(n), value(n), value(n + 1)));
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n + 1))) << "swap " << n;
    ASSERT_TRUE(map.Update(key(n), [&](std::optional<T>) { return std::optional(value(n)); }).ok());
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n))) << "update " << n;
    ASSERT_TRUE(map.Emplace(key(n), [&](T& made) { Set(n + 2, made); }).ok());
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n + 2))) << "emplace " << n;
    ASSERT_TRUE(*map.Insert(key(n) + "new", value(n)));
    ASSERT_TRUE(IsInPlace(map.GetView(key(n) + "new"), value(n))) << "insert " << n;
  }
  const absl::Status done = store.Transact([&](Transaction& transaction) {
    absl::Status put;
    for (std::uint64_t n = 0; n < 130; ++n) {
      put.Update(map.In(transaction).Put(key(n), value(n + 3)));
    }
    return put;
  });
  ASSERT_TRUE(done.ok()) << done;
  std::map<std::string, T> batch;
  for (std::uint64_t n = 0; n < 130; ++n) {
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n + 3))) << "transaction " << n;
    batch[key(n)] = value(n + 4);
  }
  ASSERT_TRUE(map.Extend(batch).ok());
  for (std::uint64_t n = 0; n < 130; ++n) {
    ASSERT_TRUE(IsInPlace(map.GetView(key(n)), value(n + 4))) << "batch " << n;
    ASSERT_TRUE(map.ReadWith(key(n),
                             [&](const T& read) {
                               EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&read) % alignof(T), 0U);
                             })
                    .ok());
  }
}

TEST_F(TypedTest, PlainValuesAreReadInPlaceAndAligned) {
  using Text = std::string;
  ExpectAllInPlace(store_, Must<SharedHashMap<Text, std::uint8_t>>("1"));
  ExpectAllInPlace(store_, Must<SharedBTreeMap<Text, Position>>("8"));
  ExpectAllInPlace(store_, Must<SharedHashMap<Text, Half>>("32"));
  ExpectAllInPlace(store_, Must<SharedBTreeMap<Text, Half>>("32b"));
  ExpectAllInPlace(store_, Must<SharedHashMap<Text, Line>>("64"));
  ExpectAllInPlace(store_, Must<SharedBTreeMap<Text, std::array<Line, 3>>>("64b"));
}

TEST_F(TypedTest, AStructThatGrewAsksForItsNewAlignmentFromThenOn) {
  const auto old = Must<SharedHashMap<std::string, acme::wide1::Grown>>("map");
  ASSERT_TRUE(old.Put("old", {}).ok());
  absl::StatusOr<SharedHashMap<std::string, acme::wide2::Grown>> grown =
      store_.OpenShared<SharedHashMap<std::string, acme::wide2::Grown>>("map");
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_EQ(grown->Get("old")->a, 0U);
  ExpectAllInPlace(store_, *grown);
}

TEST_F(TypedTest, AnAdoptedValueThatIsNotAlignedIsCopied) {
  const Namespace raw = MustOpenNamespace(store_, "n");
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(raw.Put(std::string(static_cast<std::size_t>(i), 'k'), std::string(64, '\0')).ok());
  }
  const auto map = Must<SharedHashMap<std::string, Line>>("n", {.adopt_untyped = true});
  int copies = 0;
  for (int i = 0; i < 64; ++i) {
    const std::string key(static_cast<std::size_t>(i), 'k');
    const auto view = map.GetView(key);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&**view) % alignof(Line), 0U);
    EXPECT_EQ(**view, Line{});
    copies += view->in_place() ? 0 : 1;
    ASSERT_TRUE(map.ReadWith(key, [](const Line& line) { EXPECT_EQ(line, Line{}); }).ok());
    ASSERT_TRUE(map.Put(key, {7}).ok());
    EXPECT_TRUE(IsInPlace(map.GetView(key), {7}));
  }
  EXPECT_GT(copies, 0);
}

// Runs `work` on a thread with a stack of that size.
void OnASmallStack(std::size_t stack_bytes, std::function<void()> work) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, stack_bytes), 0);
  const auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &work), 0);
  EXPECT_EQ(pthread_join(thread, nullptr), 0);
  EXPECT_EQ(pthread_attr_destroy(&attributes), 0);
}

TEST_F(TypedTest, ReadingALargeValueInPlaceNeedsNoStackForIt) {
  using Image = std::array<std::uint8_t, std::size_t{2} << 20>;
  const auto images = Must<SharedHashMap<int, Image>>("images");
  OnASmallStack(std::size_t{512} << 10, [&] {
    ASSERT_TRUE(images.Emplace(1, [](Image& image) { image[1000] = 7; }).ok());
    int seen = 0;
    EXPECT_TRUE(images.ReadWith(1, [&seen](const Image& image) { seen = image[1000]; }).ok());
    EXPECT_EQ(seen, 7);
    const auto view = images.GetView(1);
    ASSERT_TRUE(view.ok());
    EXPECT_EQ((**view)[1000], 7);
  });
}

TEST_F(TypedTest, AViewKeepsItsValueWhileTheKeyIsReplacedAndErased) {
  const auto box = Must<SharedBox<Position>>("box");
  ASSERT_TRUE(box.Store({1, 2}).ok());
  const auto view = box.GetView();
  ASSERT_TRUE(view.ok() && view->in_place());
  ASSERT_TRUE(box.Store({3, 4}).ok());
  ASSERT_TRUE(*box.Reset());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(box.Store({5, 6}).ok());
  }
  EXPECT_EQ(**view, (Position{1, 2}));
}

TEST_F(TypedTest, ViewsOfDecodedTypesHoldNothingInTheStore) {
  const auto box = Must<SharedBox<Person>>("box");
  ASSERT_TRUE(box.Store({"Al", 3, std::nullopt, {1}}).ok());
  const auto view = box.GetView();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_FALSE(view->in_place());
  EXPECT_EQ((*view)->name, "Al");
  Store other = MustOpen(QuietOptions());
  {
    const auto mine = other.OpenShared<SharedBox<Person>>("box")->GetView();
    EXPECT_TRUE(other.Close().ok());
    EXPECT_EQ((*mine)->age, 3);
  }
}

TEST_F(TypedTest, EmplaceFillsAValueThatIsValueInitializedAndZeroesItsPadding) {
  const auto map = Must<SharedHashMap<int, Padded>>("map");
  // Leave other bytes where the value may come to lie.
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(map.ns().Put(EncodeKey(i), std::string(200, '\xff')).ok());
    ASSERT_TRUE(*map.Erase(i));
  }
  for (int i = 0; i < 5; ++i) {
    EngineOf(store_).session.Beat();
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(map.Emplace(i,
                            [](Padded& value) {
                              EXPECT_EQ(value, Padded());
                              value.id = 7;
                            })
                    .ok());
    std::string want;
    Codec<Padded>::Encode({.id = 7}, &want);
    ASSERT_EQ(*map.ns().Get(EncodeKey(i)), want);
  }
}

// --- Transactions, snapshots, time -------------------------------------------------------------

TEST_F(TypedTest, ATransactionSeesItsOwnWritesAndOthersSeeThemAfterItsCommit) {
  const auto map = Must<SharedBTreeMap<int, std::string>>("map");
  const auto set = Must<SharedHashSet<std::string>>("set");
  ASSERT_TRUE(map.Put(1, "one").ok());
  Transaction transaction = *store_.Begin();
  const auto mine = map.In(transaction);
  EXPECT_EQ(*mine.Get(1), "one");
  ASSERT_TRUE(mine.Put(2, "two").ok());
  EXPECT_FALSE(*mine.Insert(2, "other"));
  EXPECT_TRUE(*mine.Insert(3, "three"));
  EXPECT_TRUE(*mine.Erase(1));
  EXPECT_FALSE(*mine.Erase(9));
  ASSERT_TRUE(mine.Update(3, [](auto value) { return std::optional(*value + "!"); }).ok());
  ASSERT_TRUE(mine.Update(2, [](auto) { return std::optional<std::string>(); }).ok());
  EXPECT_TRUE(*set.In(transaction).Insert("a"));
  EXPECT_FALSE(*set.In(transaction).Insert("a"));
  EXPECT_FALSE(*set.In(transaction).Erase("b"));
  EXPECT_EQ(mine.First()->second, "three!");
  EXPECT_TRUE(absl::IsNotFound(mine.GetOr(1, "none").status()) || *mine.GetOr(1, "none") == "none");
  EXPECT_EQ(*map.Get(1), "one");
  EXPECT_FALSE(*map.Contains(3));
  EXPECT_FALSE(*set.Contains("a"));
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_TRUE(*set.Contains("a"));
  EXPECT_EQ(*map.Get(3), "three!");
  EXPECT_EQ(*map.Size(), 1U);
}

TEST_F(TypedTest, ASnapshotSeesAContainerAsItWas) {
  const auto map = Must<SharedBTreeMap<int, int>>("map");
  const auto set = Must<SharedBTreeSet<int>>("set");
  ASSERT_TRUE(map.Put(1, 10).ok());
  ASSERT_TRUE(*set.Insert(1));
  const Snapshot snapshot = *store_.TakeSnapshot();
  ASSERT_TRUE(map.Put(1, 11).ok());
  ASSERT_TRUE(map.Put(2, 20).ok());
  ASSERT_TRUE(set.Clear().ok());
  EXPECT_EQ(*map.At(snapshot).Get(1), 10);
  EXPECT_FALSE(*map.At(snapshot).Contains(2));
  EXPECT_EQ(map.At(snapshot).Last()->first, 1);
  EXPECT_EQ(std::ranges::distance(map.At(snapshot).Range()), 1);
  EXPECT_TRUE(*set.At(snapshot).Contains(1));
  EXPECT_EQ(*set.At(snapshot).First(), 1);
  EXPECT_TRUE(*set.IsEmpty());
}

TEST_F(TypedTest, ValuesExpire) {
  FaultPlatform platform;
  platform.FreezeClocks();
  const std::string path = temp_.File("timed");
  Store store = *OpenOn(platform, path, QuietOptions());
  const auto map =
      *store.OpenShared<SharedHashMap<int, int>>("map", {.default_ttl = absl::Seconds(10)});
  const auto box = *store.OpenShared<SharedBox<int>>("box");
  ASSERT_TRUE(map.Put(1, 1, {.ttl = absl::Seconds(5)}).ok());
  ASSERT_TRUE(map.Put(2, 2).ok());
  ASSERT_TRUE(map.Put(3, 3, {.ttl = absl::InfiniteDuration()}).ok());
  ASSERT_TRUE(*map.Insert(4, 4, {.ttl = absl::Seconds(5)}));
  ASSERT_TRUE(map.Emplace(5, [](int& value) { value = 5; }, {.ttl = absl::Seconds(5)}).ok());
  ASSERT_TRUE(map.Emplace(6, [](int& value) { value = 6; }).ok());
  ASSERT_TRUE(box.Store(1, {.ttl = absl::Seconds(5)}).ok());
  const auto there = [&] {
    std::string keys;
    for (int key = 1; key <= 6; ++key) {
      keys += *map.Contains(key) ? std::to_string(key) : "";
    }
    return keys;
  };
  EXPECT_EQ(there(), "123456");
  EXPECT_EQ(*box.Load(), 1);
  platform.Advance(5'000'000'001);
  EXPECT_EQ(there(), "236");
  EXPECT_TRUE(absl::IsNotFound(box.Load().status()));
  EXPECT_EQ(std::ranges::distance(map.Range()), 3);
  platform.Advance(5'000'000'001);
  EXPECT_EQ(there(), "3");
}

// --- Ranges --------------------------------------------------------------------------------------

TEST_F(TypedTest, RangesAreInputRanges) {
  using Map = SharedBTreeMap<int, std::string>;
  static_assert(std::ranges::input_range<Map::PairRange>);
  static_assert(std::ranges::input_range<SharedHashSet<int>::ElementRange>);
  static_assert(std::ranges::input_range<decltype(std::declval<Map>().Keys())>);
  static_assert(std::ranges::input_range<decltype(std::declval<Map>().Values())>);
  static_assert(std::same_as<std::ranges::range_value_t<Map::PairRange>, Map::value_type>);
  const Map map = Must<Map>("map");
  for (int i = -20; i < 20; ++i) {
    ASSERT_TRUE(map.Put(i, std::to_string(i)).ok());
  }
  std::vector<int> keys;
  std::ranges::copy(map.Keys({.from = -3, .to = 2}), std::back_inserter(keys));
  EXPECT_EQ(keys, (std::vector<int>{-3, -2, -1, 0, 1}));
  auto range = map.Range({.from = 17, .reverse = true});
  std::string text;
  for (const auto& [key, value] : range) {
    EXPECT_EQ(std::to_string(key), value);
    text += value + " ";
  }
  EXPECT_EQ(text, "19 18 17 ");
  EXPECT_TRUE(range.status().ok());
#if !defined(__clang__) || __clang_major__ > 15  // Before, clang takes no view of libstdc++'s.
  auto values = map.Values({.limit = 2});
  auto shown = values | std::views::transform([](const std::string& value) { return value + "."; });
  std::vector<std::string> dotted;
  for (const std::string& each : shown) {
    dotted.push_back(each);
  }
  EXPECT_EQ(dotted, (std::vector<std::string>{"-20.", "-19."}));
#endif
  EXPECT_EQ(std::ranges::distance(map.Range({.from = 5, .to = 5})), 0);
  EXPECT_EQ(std::ranges::distance(map.Range({.from = 5, .to = -5})), 0);
}

TEST_F(TypedTest, ABoundThatIsTheEmptyTextIsBelowAll) {
  const auto map = Must<SharedBTreeMap<std::string, int>>("map");
  ASSERT_TRUE(map.Put("", 0).ok());
  ASSERT_TRUE(map.Put("a", 1).ok());
  EXPECT_EQ(std::ranges::distance(map.Range({.to = ""})), 0);
  EXPECT_EQ(std::ranges::distance(map.Range({.from = ""})), 2);
  EXPECT_EQ(map.LowerBound("")->first, "");
  EXPECT_EQ(map.UpperBound("")->first, "a");
  EXPECT_EQ(map.Floor("")->first, "");
}

TEST_F(TypedTest, AHashContainerHasNoReverse) {
  auto range = Must<SharedHashMap<int, int>>("map").Range({.reverse = true});
  EXPECT_EQ(std::ranges::distance(range), 0);
  EXPECT_TRUE(Says(range.status(), Code::kInvalidArgument, "reverse"));
}

TEST_F(TypedTest, APrefixSelectsTheTuplesThatBeginWithItsParts) {
  using Key = std::tuple<std::string, std::int64_t>;
  const auto map = Must<SharedBTreeMap<Key, int>>("map");
  for (const std::string device : {"pu", "pump", "pump2"}) {
    for (std::int64_t at = -3; at <= 3; ++at) {
      ASSERT_TRUE(map.Put({device, at}, static_cast<int>(at)).ok());
    }
  }
  EXPECT_EQ(std::ranges::distance(map.WithPrefix("pump")), 7);
  EXPECT_EQ(std::ranges::distance(map.WithPrefix("pump", std::int64_t{2})), 1);
  EXPECT_EQ(std::ranges::distance(map.WithPrefix("pump", 2)), 1) << "any number will do";
  EXPECT_EQ(std::ranges::distance(map.WithPrefix("pum")), 0);
  EXPECT_EQ(std::ranges::distance(map.WithPrefix()), 21);
  const auto positions = Must<SharedBTreeMap<Position, int>>("positions");
  ASSERT_TRUE(positions.Put({1, 2}, 12).ok());
  ASSERT_TRUE(positions.Put({2, 2}, 22).ok());
  EXPECT_EQ(std::ranges::distance(positions.WithPrefix(2)), 1);
}

// A text as a whole key has no mark at its end, so a prefix of its encoding would find nothing.
template <typename Map>
concept HasPrefix = requires(const Map& map) {
  map.WithPrefix("a");
};
static_assert(!HasPrefix<SharedBTreeMap<std::string, int>>);
static_assert(HasPrefix<SharedBTreeMap<std::pair<std::string, int>, int>>);

// --- Drops -----------------------------------------------------------------------------------

TEST_F(TypedTest, OpenHandlesOfADroppedContainerSaySo) {
  const auto map = Must<SharedBTreeMap<int, int>>("map");
  const auto set = Must<SharedHashSet<int>>("set");
  const auto box = Must<SharedBox<int>>("box");
  const auto counter = Must<SharedCounter>("counter");
  ASSERT_TRUE(counter.Add(1).ok());
  const std::vector<NamespaceInfo> all = *store_.ListNamespaces();
  for (const NamespaceInfo& info : all) {
    ASSERT_TRUE(store_.DropNamespace(info.path).ok());
  }
  EXPECT_TRUE(IsNamespaceDropped(map.Put(1, 1)));
  EXPECT_TRUE(IsNamespaceDropped(map.Get(1).status()));
  EXPECT_TRUE(IsNamespaceDropped(map.Emplace(1, [](int&) {})));
  EXPECT_TRUE(IsNamespaceDropped(map.PopFirst().status()));
  EXPECT_TRUE(IsNamespaceDropped(map.Extend(std::map<int, int>{{1, 1}})));
  EXPECT_TRUE(IsNamespaceDropped(set.Insert(1).status()));
  EXPECT_TRUE(IsNamespaceDropped(set.Union(set).status()));
  EXPECT_TRUE(IsNamespaceDropped(box.Load().status()));
  EXPECT_TRUE(IsNamespaceDropped(box.WaitForChange(std::nullopt, absl::Seconds(1)).status()));
  EXPECT_TRUE(IsNamespaceDropped(counter.Add(1)));
  EXPECT_TRUE(IsNamespaceDropped(counter.Value().status()));
  EXPECT_TRUE(IsNamespaceDropped(counter.Reset().status()));
  auto range = map.Range();
  EXPECT_EQ(std::ranges::distance(range), 0);
  EXPECT_TRUE(IsNamespaceDropped(range.status()));
  // The path is free for another type.
  EXPECT_TRUE(store_.OpenShared<SharedCounter>("map").ok());
  EXPECT_EQ(*Must<SharedCounter>("counter").Value(), 0);
}

TEST_F(TypedTest, DroppingAContainerReturnsAllItsBlocks) {
  MustOpenNamespace(store_, "stays");
  // The first rounds make what stays: pages of the catalog, and the like.
  std::uint64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    const auto counter = Must<SharedCounter>("counter");
    const auto map = Must<SharedBTreeMap<int, V1>>("map");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&counter, &map, i] {
        EXPECT_TRUE(counter.Add(i).ok());
        EXPECT_TRUE(map.Put(i, {}).ok());
        EXPECT_TRUE(map.Emplace(i + 100, [](V1&) {}).ok());
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(*counter.Value(), 6);
    ASSERT_TRUE((store_.OpenShared<SharedBTreeMap<int, V2>>("map").ok()));
    Must<SharedBox<std::string>>("box");
    const std::uint64_t with = BlocksUsed();
    for (const char* const path : {"counter", "map", "box"}) {
      ASSERT_TRUE(store_.DropNamespace(path).ok());
    }
    const std::uint64_t after = BlocksUsed();
    EXPECT_LT(after, with);
    if (round >= 2) {
      EXPECT_EQ(after, before);
    }
    before = after;
  }
}

// --- The counter ---------------------------------------------------------------------------------

TEST_F(TypedTest, ACounterAddsUpAndStartsAgain) {
  const auto counter = Must<SharedCounter>("counter");
  EXPECT_EQ(*counter.Value(), 0);
  ASSERT_TRUE(counter.Add(5).ok());
  ASSERT_TRUE(counter.Add(-8).ok());
  EXPECT_EQ(*counter.Value(), -3);
  EXPECT_EQ(*Must<SharedCounter>("counter").Reset(), -3);
  EXPECT_EQ(*counter.Value(), 0);
  ASSERT_TRUE(counter.Add(std::numeric_limits<std::int64_t>::max()).ok());
  ASSERT_TRUE(counter.Add(1).ok());
  EXPECT_EQ(*counter.Value(), std::numeric_limits<std::int64_t>::min()) << "modulo 2^64";
}

TEST_F(TypedTest, ACounterOutlivesItsStoreAndRefusesWritesOfAReadOnlyOne) {
  ASSERT_TRUE(Must<SharedCounter>("counter").Add(5).ok());
  ASSERT_TRUE(store_.Close().ok());
  Options options = QuietOptions();
  options.read_only = true;
  {
    const Store reader = MustOpen(options);
    const auto counter = reader.OpenShared<SharedCounter>("counter");
    ASSERT_TRUE(counter.ok()) << counter.status();
    EXPECT_EQ(*counter->Value(), 5);
    EXPECT_TRUE(Says(counter->Add(1), Code::kFailedPrecondition, "read-only"));
    EXPECT_TRUE(Says(counter->Reset().status(), Code::kFailedPrecondition, "read-only"));
    EXPECT_EQ(*counter->Value(), 5);
  }
  store_ = MustOpen(QuietOptions());
  EXPECT_EQ(*Must<SharedCounter>("counter").Value(), 5);
}

TEST_F(TypedTest, ACounterHoldsNoKeysAndANamespaceOfKeysDoesNotCount) {
  const auto counter = Must<SharedCounter>("counter");
  ASSERT_TRUE(counter.Add(5).ok());
  EXPECT_EQ(*counter.ns().Size(), 0U);
  ASSERT_TRUE(counter.ns().Clear().ok());
  EXPECT_EQ(*counter.Value(), 5) << "a clear is of keys";
}

}  // namespace
}  // namespace commy::test
