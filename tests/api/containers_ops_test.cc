// A million random operations on typed containers against those of the standard library: maps and
// sets of both orders, boxes and counters, with keys and values of several types, in a store whose
// nodes are tiny and whose namespaces are cleared, dropped and opened again.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "commy/commy.h"
#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/slow_build.h"

namespace commy::test {
namespace {

using acme::Color;
using acme::Padded;
using acme::Person;
using acme::Position;
using Random = std::mt19937_64;

// Values made of a number; keys made of different numbers are different.
template <typename T>
T Made(std::uint64_t n) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(n);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(static_cast<std::int64_t>(n) - 100);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return n == 0 ? "" : std::to_string(n) + std::string(n % 31 == 0 ? 200 : 0, '\0');
  } else if constexpr (std::is_same_v<T, Position>) {
    return {static_cast<double>(n % 7) - 3, static_cast<double>(n) / 4};
  } else if constexpr (std::is_same_v<T, Padded>) {
    return {static_cast<std::uint8_t>(n),  n, n % 2 == 0, Color::kGreen,
            static_cast<std::uint32_t>(n), 0};
  } else if constexpr (std::is_same_v<T, Person>) {
    return {Made<std::string>(n), static_cast<std::uint8_t>(n),
            n % 3 == 0 ? std::nullopt : std::optional<std::string>("m"),
            std::vector<std::uint16_t>(n % 5, static_cast<std::uint16_t>(n))};
  } else if constexpr (requires { typename T::value_type; }) {  // A vector or optional.
    return n == 0 ? T() : T{Made<typename T::value_type>(n)};
  } else {
    return T(Made<std::tuple_element_t<0, T>>(n % 5), Made<std::tuple_element_t<1, T>>(n));
  }
}

// The order of the container, which is that of the values.
template <typename Element>
void SortIfHash(bool ordered, std::vector<Element>& seen) {
  if (!ordered) {
    std::sort(seen.begin(), seen.end());
  }
}

class ContainerOps {
 public:
  ContainerOps(Store store, std::uint64_t seed) : store_(std::move(store)), random_(seed) {}
  virtual ~ContainerOps() = default;
  ContainerOps(const ContainerOps&) = delete;
  ContainerOps& operator=(const ContainerOps&) = delete;

  void Run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("operation " + std::to_string(i));
      One();
      if (i % (operations / 4) == 0) {
        ASSERT_TRUE(IsSound(store_));
      }
    }
    EndAll();
    ASSERT_TRUE(IsSound(store_));
  }

 protected:
  virtual void One() = 0;
  virtual void EndAll() = 0;
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  Store store_;
  Random random_;
};

// --- Maps ----------------------------------------------------------------------------------------

template <typename K, typename V, Order kOrder>
class MapOps : public ContainerOps {
 public:
  using Map = SharedMap<K, V, kOrder>;
  using Model = std::map<K, V>;
  static constexpr bool kOrdered = kOrder == Order::kOrdered;

  using ContainerOps::ContainerOps;

 private:
  using Pairs = std::vector<std::pair<K, V>>;

  K Key() { return Made<K>(Below(200)); }
  V Value() { return Made<V>(Below(200)); }
  std::optional<V> Live(const K& key) const {
    const auto found = model_.find(key);
    return found == model_.end() ? std::nullopt : std::optional<V>(found->second);
  }
  void Set(const K& key, const std::optional<V>& value) {
    if (value.has_value()) {
      model_[key] = *value;
    } else {
      model_.erase(key);
    }
  }
  static void ExpectIs(const absl::StatusOr<V>& got, const std::optional<V>& want) {
    ASSERT_EQ(got.ok(), want.has_value()) << got.status();
    ASSERT_TRUE(got.ok() ? *got == *want : absl::IsNotFound(got.status())) << got.status();
  }
  void ExpectPair(const absl::StatusOr<std::pair<K, V>>& got, typename Model::const_iterator want) {
    ASSERT_EQ(got.ok(), want != model_.end()) << got.status();
    ASSERT_TRUE(got.ok() || absl::IsNotFound(got.status())) << got.status();
    ASSERT_TRUE(!got.ok() || (got->first == want->first && got->second == want->second));
  }
  template <typename Range>
  static void ExpectRange(Range range, Pairs want) {
    Pairs seen(0);
    for (const auto& pair : range) {
      seen.push_back(pair);
    }
    ASSERT_TRUE(range.status().ok()) << range.status();
    SortIfHash(kOrdered, seen);
    ASSERT_TRUE(seen == want) << seen.size() << " pairs, " << want.size() << " wanted";
  }

  void One() override {
    const std::uint64_t dice = Below(1000);
    const K key = Key();
    const std::optional<V> live = Live(key);
    if (dice < 200) {
      const V value = Value();
      ASSERT_TRUE(map_.Put(key, value).ok());
      Set(key, value);
    } else if (dice < 300) {
      ASSERT_EQ(map_.Erase(key).value(), live.has_value());
      Set(key, std::nullopt);
    } else if (dice < 400) {
      Read(map_, key, live);
      const absl::StatusOr<TypedView<V>> view = map_.GetView(key);
      ASSERT_EQ(view.ok(), live.has_value()) << view.status();
      ASSERT_TRUE(!view.ok() || **view == *live);
      ASSERT_TRUE(!view.ok() || view->in_place() == internal::kPlain<V>);
    } else if (dice < 470) {
      const V value = Value();
      ASSERT_EQ(map_.Insert(key, value).value(), !live.has_value());
      Set(key, live.has_value() ? live : std::optional<V>(value));
    } else if (dice < 560) {
      Update(key, live);
    } else if (dice < 600) {
      const V value = Value();
      ASSERT_TRUE(map_.ComputeIfAbsent(key, [&] { return value; }).value() == live.value_or(value));
      Set(key, live.value_or(value));
    } else if (dice < 700) {
      const std::optional<V> expected = Below(3) == 0 ? Value() : live;
      const std::optional<V> desired = Below(3) == 0 ? std::nullopt : std::optional<V>(Value());
      const bool right = expected == live;
      ASSERT_EQ(map_.CompareAndSwap(key, expected, desired).value(), right);
      Set(key, right ? desired : live);
    } else if (dice < 740) {
      if constexpr (internal::kPlain<V>) {
        const V value = Value();
        ASSERT_TRUE(map_.Emplace(key, [&](V& made) { made = value; }).ok());
        Set(key, value);
      }
    } else if (dice < 800) {
      Neighbours(map_, key);
    } else if (dice < 860) {
      InTransaction();
    } else if (dice < 900) {
      Range();
    } else if (dice < 990) {
      Pop();
    } else {
      OnAll(dice);
    }
  }
  template <typename From>
  static void Read(const From& from, const K& key, const std::optional<V>& live) {
    ExpectIs(from.Get(key), live);
    ASSERT_EQ(from.Contains(key).value(), live.has_value());
    const V other = Made<V>(201);
    ASSERT_TRUE(from.GetOr(key, other).value() == live.value_or(other));
    std::optional<V> seen;
    const absl::Status read = from.ReadWith(key, [&](const V& value) { seen = value; });
    ASSERT_TRUE(read.ok() || absl::IsNotFound(read)) << read;
    ASSERT_TRUE(seen == live);
  }
  void Update(const K& key, const std::optional<V>& live) {
    const std::optional<V> next = Below(3) == 0 ? std::nullopt : std::optional<V>(Value());
    std::optional<V> saw;
    const absl::Status updated = map_.Update(key, [&](std::optional<V> value) {
      saw = std::move(value);
      return next;
    });
    ASSERT_TRUE(updated.ok()) << updated;
    ASSERT_TRUE(saw == live);
    Set(key, next);
  }
  template <typename From>
  void Neighbours(const From& from, const K& key) {
    if constexpr (kOrdered) {
      ExpectPair(from.LowerBound(key), model_.lower_bound(key));
      const auto above = model_.upper_bound(key);
      ExpectPair(from.UpperBound(key), above);
      ExpectPair(from.Floor(key), above == model_.begin() ? model_.end() : std::prev(above));
      ExpectPair(from.First(), model_.begin());
      ExpectPair(from.Last(), model_.empty() ? model_.end() : std::prev(model_.end()));
    } else {
      Read(from, key, Live(key));
    }
  }
  // A few operations, committed or not.
  void InTransaction() {
    Transaction transaction = store_.Begin().value();
    const auto mine = map_.In(transaction);
    const Model before = model_;
    for (std::uint64_t n = Below(6); n > 0; --n) {
      const K key = Key();
      const V value = Value();
      const std::optional<V> live = Live(key);
      switch (Below(5)) {
        case 0:
          ASSERT_TRUE(mine.Put(key, value).ok());
          Set(key, value);
          break;
        case 1:
          ASSERT_EQ(mine.Erase(key).value(), live.has_value());
          Set(key, std::nullopt);
          break;
        case 2:
          ASSERT_EQ(mine.Insert(key, value).value(), !live.has_value());
          Set(key, live.value_or(value));
          break;
        case 3:
          ASSERT_TRUE(mine.Update(key,
                                  [&](std::optional<V> saw) {
                                    EXPECT_TRUE(saw == live);
                                    return live.has_value() ? std::nullopt
                                                            : std::optional<V>(value);
                                  })
                          .ok());
          Set(key, live.has_value() ? std::nullopt : std::optional<V>(value));
          break;
        default:
          Read(mine, key, live);
          Neighbours(mine, key);
      }
    }
    if (Below(8) == 0) {
      ExpectRange(mine.Range(), Pairs(model_.begin(), model_.end()));
    }
    if (Below(3) == 0) {
      transaction.Rollback();
      model_ = before;
    } else {
      ASSERT_TRUE(transaction.Commit().ok());
    }
  }
  void Range() {
    RangeOptions<K> options;
    if (Below(2) == 0) {
      options.from = Key();
    }
    if (Below(2) == 0) {
      options.to = Key();
    }
    options.reverse = kOrdered && Below(2) == 0;
    Pairs want;
    for (const auto& pair : model_) {
      if ((!options.from.has_value() || !(pair.first < *options.from)) &&
          (!options.to.has_value() || pair.first < *options.to)) {
        want.push_back(pair);
      }
    }
    if (options.reverse) {
      std::reverse(want.begin(), want.end());
    }
    if (kOrdered && Below(3) == 0) {
      options.limit = Below(10);
      want.resize(std::min<std::size_t>(want.size(), options.limit));
    }
    ExpectRange(map_.Range(options), want);
    std::vector<K> keys;
    std::ranges::copy(map_.Keys(options), std::back_inserter(keys));
    SortIfHash(kOrdered, keys);
    std::vector<V> values;
    std::ranges::copy(map_.Values(options), std::back_inserter(values));
    ASSERT_EQ(keys.size(), want.size());
    ASSERT_EQ(values.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_TRUE(keys[i] == want[i].first);
      ASSERT_TRUE(!kOrdered || values[i] == want[i].second);
    }
    ASSERT_EQ(map_.Size().value(), model_.size());
    ASSERT_EQ(map_.IsEmpty().value(), model_.empty());
  }
  void Pop() {
    if constexpr (kOrdered) {
      const bool last = Below(2) == 0;
      const auto want = model_.empty() ? model_.end()
                        : last         ? std::prev(model_.end())
                                       : model_.begin();
      ExpectPair(last ? map_.PopLast() : map_.PopFirst(), want);
      if (want != model_.end()) {
        model_.erase(want);
      }
    }
  }
  void OnAll(std::uint64_t dice) {
    if (dice < 992) {
      Model more;
      for (std::uint64_t n = Below(60); n > 0; --n) {
        more[Key()] = Value();
      }
      ASSERT_TRUE(map_.Extend(more).ok());
      for (const auto& [key, value] : more) {
        model_[key] = value;
      }
    } else if (dice < 994) {
      const V pivot = Value();
      const auto keep = [&](const K&, const V& value) { return value < pivot; };
      const std::uint64_t gone =
          std::erase_if(model_, [&](const auto& pair) { return !keep(pair.first, pair.second); });
      ASSERT_EQ(map_.RetainIf(keep).value(), gone);
    } else if (dice < 996) {
      held_model_ = model_;
      held_.emplace(store_.TakeSnapshot().value());
    } else if (dice < 998) {
      if (held_.has_value()) {
        ExpectRange(map_.At(*held_).Range(), Pairs(held_model_.begin(), held_model_.end()));
        held_.reset();
      }
    } else if (Below(2) == 0) {
      ASSERT_TRUE(map_.Clear().ok());
      model_.clear();
    } else {
      held_.reset();
      ASSERT_TRUE(store_.DropNamespace("map").ok());
      ASSERT_TRUE(IsNamespaceDropped(map_.Get(Key()).status()));
      map_ = store_.template OpenShared<Map>("map").value();
      model_.clear();
    }
  }
  void EndAll() override {
    ExpectRange(map_.Range(), Pairs(model_.begin(), model_.end()));
    for (std::uint64_t n = 0; n < 200; ++n) {
      Read(map_, Made<K>(n), Live(Made<K>(n)));
    }
  }

  Map map_ = store_.template OpenShared<Map>("map").value();
  Model model_;
  std::optional<Snapshot> held_;
  Model held_model_;
};

// --- Sets ----------------------------------------------------------------------------------------

// Two sets, of the same or of different orders.
template <typename T, Order kOrder, Order kOther>
class SetOps : public ContainerOps {
 public:
  using ContainerOps::ContainerOps;

 private:
  using Model = std::set<T>;
  static constexpr bool kOrdered = kOrder == Order::kOrdered;

  T Element() { return Made<T>(Below(60)); }

  void One() override {
    const std::uint64_t dice = Below(1000);
    if (dice < 500) {
      OnOne(one_, model_, Element());
    } else if (dice < 970) {
      OnOne(other_, other_model_, Element());
    } else {
      OnBoth();
    }
  }
  template <typename Set>
  void OnOne(const Set& set, Model& model, const T& element) {
    const bool there = model.contains(element);
    const std::uint64_t dice = Below(100);
    if (dice < 40) {
      ASSERT_EQ(set.Insert(element).value(), !there);
      model.insert(element);
    } else if (dice < 70) {
      ASSERT_EQ(set.Erase(element).value(), there);
      model.erase(element);
    } else if (dice < 80) {
      ASSERT_EQ(set.Contains(element).value(), there);
      ASSERT_EQ(set.Size().value(), model.size());
    } else if (dice < 85) {
      Transaction transaction = store_.Begin().value();
      ASSERT_EQ(set.In(transaction).Contains(element).value(), there);
      if (there) {
        ASSERT_TRUE(set.In(transaction).Erase(element).value());
        model.erase(element);
      } else {
        ASSERT_TRUE(set.In(transaction).Insert(element).value());
        ASSERT_FALSE(set.In(transaction).Insert(element).value());
        model.insert(element);
      }
      ASSERT_TRUE(transaction.Commit().ok());
    } else if (dice < 90) {
      if constexpr (Set::kOrdered) {
        Neighbours(set, model, element);
      }
    } else if (dice < 97) {
      const auto is = [&](const T& each) { return each < element; };
      ASSERT_EQ(set.Any(is).value(), std::any_of(model.begin(), model.end(), is));
      ASSERT_EQ(set.All(is).value(), std::all_of(model.begin(), model.end(), is));
    } else if (dice < 98) {
      Model more;
      for (std::uint64_t n = Below(20); n > 0; --n) {
        more.insert(Element());
      }
      ASSERT_TRUE(set.Extend(more).ok());
      model.merge(more);
    } else if (dice < 99 || Below(5) != 0) {
      const auto keep = [&](const T& each) { return each < element; };
      const std::uint64_t gone = std::erase_if(model, [&](const T& each) { return !keep(each); });
      ASSERT_EQ(set.RetainIf(keep).value(), gone);
    } else {
      ASSERT_TRUE(set.Clear().ok());
      model.clear();
    }
  }
  template <typename Set>
  void Neighbours(const Set& set, Model& model, const T& element) {
    const auto expect = [&](const absl::StatusOr<T>& got, typename Model::iterator want) {
      ASSERT_EQ(got.ok(), want != model.end()) << got.status();
      ASSERT_TRUE(got.ok() ? *got == *want : absl::IsNotFound(got.status()));
    };
    expect(set.LowerBound(element), model.lower_bound(element));
    expect(set.UpperBound(element), model.upper_bound(element));
    const auto last = model.empty() ? model.end() : std::prev(model.end());
    expect(set.First(), model.begin());
    expect(set.Last(), last);
    if (Below(2) == 0) {
      expect(set.PopLast(), last);
      if (last != model.end()) {
        model.erase(last);
      }
    } else {
      expect(set.PopFirst(), model.begin());
      if (!model.empty()) {
        model.erase(model.begin());
      }
    }
  }
  // `got` is the elements of `want`; in order, if the first set has one.
  void ExpectSame(absl::StatusOr<std::vector<T>> got, const std::vector<T>& want, bool sorted) {
    ASSERT_TRUE(got.ok()) << got.status();
    SortIfHash(sorted, *got);
    ASSERT_TRUE(*got == want) << got->size() << " elements, " << want.size() << " wanted";
  }
  void OnBoth() {
    const Model& a = model_;
    const Model& b = other_model_;
    std::vector<T> want;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(want));
    ExpectSame(one_.Union(other_), want, kOrdered && kOther == Order::kOrdered);
    want.clear();
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(want));
    ExpectSame(one_.Intersection(other_), want, kOrdered);
    ASSERT_EQ(one_.IsDisjointFrom(other_).value(), want.empty());
    want.clear();
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(want));
    ExpectSame(one_.Difference(other_), want, kOrdered);
    ASSERT_EQ(one_.IsSubsetOf(other_).value(), want.empty());
    ASSERT_EQ(one_.IsSupersetOf(other_).value(),
              std::includes(a.begin(), a.end(), b.begin(), b.end()));
    ASSERT_TRUE(one_.IsSubsetOf(one_).value());
    ASSERT_EQ(one_.IsDisjointFrom(one_).value(), a.empty());
  }
  void EndAll() override {
    const auto expect = [&](const auto& set, const Model& model) {
      std::vector<T> seen;
      ASSERT_TRUE(set.ForEach([&](const T& each) { seen.push_back(each); }).ok());
      SortIfHash(set.kOrdered, seen);
      ASSERT_TRUE(seen == std::vector<T>(model.begin(), model.end()));
    };
    expect(one_, model_);
    expect(other_, other_model_);
    OnBoth();
  }

  SharedSet<T, kOrder> one_ = store_.template OpenShared<SharedSet<T, kOrder>>("one").value();
  SharedSet<T, kOther> other_ = store_.template OpenShared<SharedSet<T, kOther>>("two").value();
  Model model_;
  Model other_model_;
};

// --- Boxes and counters ------------------------------------------------------------------------

template <typename T>
class BoxOps : public ContainerOps {
 public:
  using ContainerOps::ContainerOps;

 private:
  T Value() { return Made<T>(Below(50)); }
  std::optional<T> Maybe() { return Below(4) == 0 ? std::nullopt : std::optional<T>(Value()); }

  void One() override {
    const T value = Value();
    switch (Below(8)) {
      case 0:
        ASSERT_TRUE(box_.Store(value).ok());
        model_ = value;
        break;
      case 1: {
        const absl::StatusOr<T> got = box_.Load();
        ASSERT_EQ(got.ok(), model_.has_value());
        ASSERT_TRUE(got.ok() ? *got == *model_ : absl::IsNotFound(got.status()));
        ASSERT_TRUE(box_.LoadOr(value).value() == model_.value_or(value));
        break;
      }
      case 2: {
        const absl::StatusOr<TypedView<T>> view = box_.GetView();
        ASSERT_EQ(view.ok(), model_.has_value());
        ASSERT_TRUE(!view.ok() || **view == *model_);
        break;
      }
      case 3:
        ASSERT_EQ(box_.Reset().value(), model_.has_value());
        model_.reset();
        break;
      case 4: {
        const std::optional<T> next = Maybe();
        std::optional<T> saw;
        ASSERT_TRUE(box_.Update([&](std::optional<T> now) {
                          saw = std::move(now);
                          return next;
                        })
                        .ok());
        ASSERT_TRUE(saw == model_);
        model_ = next;
        break;
      }
      case 5: {
        const std::optional<T> seen = Maybe();
        const absl::StatusOr<T> got = box_.WaitForChange(seen, absl::ZeroDuration());
        ASSERT_EQ(got.ok(), model_.has_value() && model_ != seen) << got.status();
        ASSERT_TRUE(got.ok() ? *got == *model_ : absl::IsDeadlineExceeded(got.status()));
        break;
      }
      default: {
        const std::optional<T> expected = Below(2) == 0 ? model_ : Maybe();
        const std::optional<T> desired = Maybe();
        const bool right = expected == model_;
        ASSERT_EQ(box_.CompareExchange(expected, desired).value(), right);
        model_ = right ? desired : model_;
      }
    }
  }
  void EndAll() override {
    ASSERT_EQ(box_.Load().ok(), model_.has_value());
    ASSERT_EQ(box_.ns().Size().value(), model_.has_value() ? 1U : 0U);
  }

  SharedBox<T> box_ = store_.template OpenShared<SharedBox<T>>("box").value();
  std::optional<T> model_;
};

class CounterOps : public ContainerOps {
 public:
  using ContainerOps::ContainerOps;

 private:
  void One() override {
    const std::uint64_t dice = Below(100);
    if (dice < 80) {
      const std::uint64_t delta = Below(3) == 0 ? random_() : Below(100) - 50;
      ASSERT_TRUE(counter_.Add(static_cast<std::int64_t>(delta)).ok());
      sum_ += delta;
    } else if (dice < 95) {
      ASSERT_EQ(counter_.Value().value(), static_cast<std::int64_t>(sum_));
    } else {
      ASSERT_EQ(counter_.Reset().value(), static_cast<std::int64_t>(sum_));
      sum_ = 0;
    }
  }
  void EndAll() override { ASSERT_EQ(counter_.Value().value(), static_cast<std::int64_t>(sum_)); }

  SharedCounter counter_ = store_.OpenShared<SharedCounter>("counter").value();
  std::uint64_t sum_ = 0;
};

// --- All of them ---------------------------------------------------------------------------------

class ContainersOpsTest : public OrderedFixture {
 protected:
  template <typename Ops>
  void Run(int thousands) {
    const std::uint64_t seed = Seed();
    SCOPED_TRACE("seed " + std::to_string(seed));
    path_ = temp_.File("store" + std::to_string(++stores_));
    Ops(MustOpen(TinyNodes(QuietOptions())), seed).Run(Calls(thousands * 1000));
  }

  int stores_ = 0;
};

TEST_F(ContainersOpsTest, HashMapsAgreeWithAMap) {
  Run<MapOps<std::uint64_t, Position, Order::kHash>>(100);
  Run<MapOps<std::string, std::string, Order::kHash>>(75);
  Run<MapOps<Padded, Person, Order::kHash>>(50);
  Run<MapOps<std::vector<std::string>, std::int8_t, Order::kHash>>(50);
}

TEST_F(ContainersOpsTest, OrderedMapsAgreeWithAMap) {
  Run<MapOps<std::int16_t, Padded, Order::kOrdered>>(100);
  Run<MapOps<std::string, Person, Order::kOrdered>>(75);
  Run<MapOps<std::pair<std::string, std::int64_t>, Position, Order::kOrdered>>(75);
  Run<MapOps<Position, std::vector<std::uint16_t>, Order::kOrdered>>(50);
  Run<MapOps<std::optional<std::string>, Color, Order::kOrdered>>(50);
}

TEST_F(ContainersOpsTest, SetsAgreeWithASet) {
  Run<SetOps<std::int32_t, Order::kHash, Order::kHash>>(50);
  Run<SetOps<std::string, Order::kOrdered, Order::kOrdered>>(75);
  Run<SetOps<Position, Order::kOrdered, Order::kHash>>(50);
  Run<SetOps<Person, Order::kHash, Order::kOrdered>>(50);
}

TEST_F(ContainersOpsTest, BoxesAgreeWithAnOptional) {
  Run<BoxOps<std::uint32_t>>(25);
  Run<BoxOps<Padded>>(25);
  Run<BoxOps<Person>>(25);
  Run<BoxOps<std::optional<std::string>>>(25);
}

TEST_F(ContainersOpsTest, CountersAgreeWithASum) {
  Run<CounterOps>(50);
}

}  // namespace
}  // namespace commy::test
