// Sets of keys of the program's own types, found by name and shared between processes.
//
//   auto seen = store->OpenShared<commy::SharedHashSet<std::string>>("crawler/seen");
//   absl::StatusOr<bool> is_new = seen->Insert("https://example.org/");
//
// A set is a map without values: see shared_map.h for keys, moments, death, errors and cost.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "commy/internal/typed.h"
#include "commy/shared_options.h"

namespace commy {
namespace internal {

// What can be read, from whatever source.
template <typename T, Order kOrder, typename Source>
class SetReads {
 public:
  static_assert(
      Keyable<T>,
      "the element type has no commy::KeyCodec: use a number, a string, a tuple, a struct "
      "that COMMY_STRUCT describes, or specialize commy::KeyCodec (and commy::Codec, for "
      "its name)");

  using value_type = T;
  using key_type = T;
  using ElementRange = TypedRange<DecodedKey<T>>;
  using KeyArgument = internal::KeyArgument<T>;
  static constexpr bool kOrdered = kOrder == Order::kOrdered;

  // Returns whether the element is there.
  absl::StatusOr<bool> Contains(KeyArgument element) const {
    const KeyOf<T> bytes(element);
    return bytes.usable() ? source_.Contains(bytes.view()) : absl::StatusOr<bool>(NanKey());
  }
  // The elements: all, or those that the options select. An error ends the range early, so check
  // its status() afterwards.
  ElementRange Range(const RangeOptions<T>& options = RangeOptions<T>()) const {
    return RangeOf<DecodedKey<T>>(source_, options);
  }
  // Calls `use` with each element, as they were at one moment.
  template <typename Use>
  absl::Status ForEach(Use&& use) const {
    ElementRange range = Range();
    for (const T& element : range) {
      use(element);
    }
    return range.status();
  }
  // Whether `is` returns true for some element, or for all. Looks no further than it has to.
  template <typename Is>
  absl::StatusOr<bool> Any(Is&& is) const {
    ElementRange range = Range();
    for (const T& element : range) {
      if (is(element)) {
        return true;
      }
    }
    return range.status().ok() ? absl::StatusOr<bool>(false) : range.status();
  }
  template <typename Is>
  absl::StatusOr<bool> All(Is&& is) const {
    absl::StatusOr<bool> other = Any([&](const T& element) { return !is(element); });
    return other.ok() ? absl::StatusOr<bool>(!*other) : other;
  }

  // The lowest and the highest element. NotFound: there is none.
  absl::StatusOr<T> First() const requires kOrdered { return FirstOf(Range({.limit = 1})); }
  absl::StatusOr<T> Last() const requires kOrdered {
    return FirstOf(Range({.reverse = true, .limit = 1}));
  }
  // The lowest element that is not below `element`, or that is above it. NotFound: there is none.
  absl::StatusOr<T> LowerBound(KeyArgument element) const requires kOrdered {
    return FirstOf(Range({.from = T(element), .limit = 1}));
  }
  absl::StatusOr<T> UpperBound(KeyArgument element) const requires kOrdered {
    const KeyOf<T> bytes(element);
    return bytes.usable() ? FirstOf(ElementRange(source_.Scan(Above(bytes))))
                          : absl::StatusOr<T>(NanKey());
  }

 protected:
  explicit SetReads(Source source) : source_(std::move(source)) {}
  template <typename, Order, typename>
  friend class SetReads;

  Source source_;
};

}  // namespace internal

// A set as a snapshot sees it: see SharedSet::At(). The snapshot must outlive it.
template <typename T, Order kOrder>
class SnapshotSet : public internal::SetReads<T, kOrder, internal::AtSnapshot> {
 public:
  SnapshotSet(Namespace ns, const Snapshot& snapshot)
      : internal::SetReads<T, kOrder, internal::AtSnapshot>({std::move(ns), &snapshot}) {}
};

// A set inside a transaction: see SharedSet::In(). The transaction must outlive it.
template <typename T, Order kOrder>
class TransactionSet : public internal::SetReads<T, kOrder, internal::InTransaction> {
  using Base = internal::SetReads<T, kOrder, internal::InTransaction>;
  using Base::source_;

 public:
  using typename Base::KeyArgument;
  TransactionSet(Namespace ns, Transaction& transaction) : Base({std::move(ns), &transaction}) {}

  // Returns whether it was inserted; false: it was there.
  absl::StatusOr<bool> Insert(KeyArgument element, PutOptions options = PutOptions()) const {
    absl::StatusOr<bool> there = this->Contains(element);
    if (!there.ok() || *there) {
      return there.ok() ? absl::StatusOr<bool>(false) : there;
    }
    absl::Status put = source_.transaction->Put(source_.ns, internal::KeyOf<T>(element).view(),
                                                std::string_view(), options);
    return put.ok() ? absl::StatusOr<bool>(true) : put;
  }
  // Returns whether it was there.
  absl::StatusOr<bool> Erase(KeyArgument element) const {
    const internal::KeyOf<T> bytes(element);
    return bytes.usable() ? source_.transaction->Delete(source_.ns, bytes.view())
                          : absl::StatusOr<bool>(internal::NanKey());
  }
};

// A set. Cheap to copy; every method is safe from any thread; keeps the store open. Use it by the
// names SharedHashSet and SharedBTreeSet.
template <typename T, Order kOrder>
class SharedSet : public internal::SetReads<T, kOrder, internal::Direct> {
  using Base = internal::SetReads<T, kOrder, internal::Direct>;
  using Base::source_;

 public:
  using Base::kOrdered;
  using typename Base::KeyArgument;
  // What the store says of its type: "set<string>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kSetOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls.
  static absl::StatusOr<SharedSet> Open(const Store& store, std::string_view path,
                                        const SharedOptions& options) {
    const auto verify = [](std::string_view key, std::string_view value) -> absl::Status {
      absl::Status status = internal::DecodeWholeKey<T>(key).status();
      return status.ok() && !value.empty()
                 ? internal::WrongBytes(kDescriptor, value.size(), "no value")
                 : status;
    };
    absl::StatusOr<Namespace> ns =
        internal::OpenTyped(store, path, kOrder, kDescriptor, options, verify);
    return ns.ok() ? absl::StatusOr<SharedSet>(SharedSet(store, *std::move(ns))) : ns.status();
  }

  // Returns whether it was inserted; false: it was there. Of several callers one gets true.
  absl::StatusOr<bool> Insert(KeyArgument element, PutOptions options = PutOptions()) const {
    const internal::KeyOf<T> bytes(element);
    return bytes.usable() ? source_.ns.PutIfAbsent(bytes.view(), std::string_view(), options)
                          : absl::StatusOr<bool>(internal::NanKey());
  }
  // Returns whether it was there.
  absl::StatusOr<bool> Erase(KeyArgument element) const {
    const internal::KeyOf<T> bytes(element);
    return bytes.usable() ? source_.ns.Delete(bytes.view())
                          : absl::StatusOr<bool>(internal::NanKey());
  }
  // Inserts all elements of a range, 1,024 at a time at one moment each. After an error some may be
  // there.
  template <typename Elements>
  absl::Status Extend(Elements&& elements) const {
    WriteBatch batch;
    for (const auto& element : elements) {
      const internal::KeyOf<T> bytes(element);
      if (!bytes.usable()) {
        return internal::NanKey();
      }
      batch.Put(source_.ns, bytes.view(), std::string_view());
      if (batch.size() == kBatchKeys) {
        if (absl::Status status = store_.Write(std::exchange(batch, WriteBatch())); !status.ok()) {
          return status;
        }
      }
    }
    return batch.size() == 0 ? absl::OkStatus() : store_.Write(std::move(batch));
  }
  // Erases the elements for which `keep` returns false, of all that were there at one moment.
  // Returns how many were erased.
  template <typename Keep>
  absl::StatusOr<std::uint64_t> RetainIf(Keep&& keep) const {
    std::uint64_t erased = 0;
    typename Base::ElementRange range = this->Range();
    for (const T& element : range) {
      if (!keep(element)) {
        const absl::StatusOr<bool> gone = Erase(element);
        if (!gone.ok()) {
          return gone.status();
        }
        erased += *gone ? 1 : 0;
      }
    }
    return range.status().ok() ? absl::StatusOr<std::uint64_t>(erased) : range.status();
  }
  // Removes and returns the lowest or the highest element, at one moment. NotFound: there is none.
  // Cost: that of a serializable transaction; callers at once take turns.
  absl::StatusOr<T> PopFirst() const requires kOrdered { return Pop(false); }
  absl::StatusOr<T> PopLast() const requires kOrdered { return Pop(true); }

  absl::StatusOr<std::uint64_t> Size() const { return source_.ns.Size(); }
  absl::StatusOr<bool> IsEmpty() const {
    const absl::StatusOr<std::uint64_t> size = Size();
    return size.ok() ? absl::StatusOr<bool>(*size == 0) : size.status();
  }
  // Removes all elements at one moment.
  absl::Status Clear() const { return source_.ns.Clear(); }

  // Of two sets of one store, hash or ordered, as both were at one moment. The elements of an
  // ordered set come in order; those of `other` alone at the end, in its order.
  // InvalidArgument: `other` is of another store, or of another Open().
  // Cost: a scan of both, or of one and a look-up in the other for each element.
  template <Order kOther>
  absl::StatusOr<std::vector<T>> Union(const SharedSet<T, kOther>& other) const {
    return Combine(other, [](const auto& a, const auto& b, std::vector<T>* result) {
      absl::Status status = a.ForEach([&](const T& each) { result->push_back(each); });
      status.Update(AppendIf(b, a, false, result));
      if constexpr (kOrdered && kOther == Order::kOrdered) {
        std::sort(result->begin(), result->end(), KeyLess);
      }
      return status;
    });
  }
  template <Order kOther>
  absl::StatusOr<std::vector<T>> Intersection(const SharedSet<T, kOther>& other) const {
    return Combine(other, [](const auto& a, const auto& b, std::vector<T>* result) {
      return AppendIf(a, b, true, result);
    });
  }
  // The elements of this set that `other` does not have.
  template <Order kOther>
  absl::StatusOr<std::vector<T>> Difference(const SharedSet<T, kOther>& other) const {
    return Combine(other, [](const auto& a, const auto& b, std::vector<T>* result) {
      return AppendIf(a, b, false, result);
    });
  }
  // Whether `other` has all elements of this set, this set all of `other`, or neither any of the
  // other's.
  template <Order kOther>
  absl::StatusOr<bool> IsSubsetOf(const SharedSet<T, kOther>& other) const {
    return EachIs(other, true);
  }
  template <Order kOther>
  absl::StatusOr<bool> IsSupersetOf(const SharedSet<T, kOther>& other) const {
    return other.IsSubsetOf(*this);
  }
  template <Order kOther>
  absl::StatusOr<bool> IsDisjointFrom(const SharedSet<T, kOther>& other) const {
    return EachIs(other, false);
  }

  // The set inside a transaction, and as a snapshot sees it.
  [[nodiscard]] TransactionSet<T, kOrder> In(Transaction& transaction) const {
    return {source_.ns, transaction};
  }
  [[nodiscard]] SnapshotSet<T, kOrder> At(const Snapshot& snapshot) const {
    return {source_.ns, snapshot};
  }
  // The namespace that holds the set.
  [[nodiscard]] const Namespace& ns() const { return source_.ns; }

 private:
  static constexpr std::uint64_t kBatchKeys = 1024;

  SharedSet(Store store, Namespace ns) : Base({std::move(ns)}), store_(std::move(store)) {}

  // The order of the container, which a type need not have itself.
  static bool KeyLess(const T& a, const T& b) {
    return internal::KeyOf<T>(a).view() < internal::KeyOf<T>(b).view();
  }

  // Appends the elements of `from` that `in` has, or has not.
  template <typename From, typename In>
  static absl::Status AppendIf(const From& from, const In& in, bool has, std::vector<T>* result) {
    auto range = from.Range();
    for (const T& element : range) {
      const absl::StatusOr<bool> there = in.Contains(element);
      if (!there.ok()) {
        return there.status();
      }
      if (*there == has) {
        result->push_back(element);
      }
    }
    return range.status();
  }
  template <Order kOther, typename How>
  absl::StatusOr<std::vector<T>> Combine(const SharedSet<T, kOther>& other, How how) const {
    const absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
    if (!snapshot.ok()) {
      return snapshot.status();
    }
    std::vector<T> result;
    absl::Status status = how(At(*snapshot), other.At(*snapshot), &result);
    return status.ok() ? absl::StatusOr<std::vector<T>>(std::move(result)) : status;
  }
  template <Order kOther>
  absl::StatusOr<bool> EachIs(const SharedSet<T, kOther>& other, bool wanted) const {
    const absl::StatusOr<Snapshot> snapshot = store_.TakeSnapshot();
    if (!snapshot.ok()) {
      return snapshot.status();
    }
    auto in = other.At(*snapshot);
    auto range = At(*snapshot).Range();
    for (const T& element : range) {
      absl::StatusOr<bool> there = in.Contains(element);
      if (!there.ok()) {
        return there;
      }
      if (*there != wanted) {
        return false;
      }
    }
    return range.status().ok() ? absl::StatusOr<bool>(true) : range.status();
  }
  absl::StatusOr<T> Pop(bool last) const {
    absl::StatusOr<T> popped = absl::UnknownError("");
    absl::Status status = store_.Transact(
        [&](Transaction& transaction) -> absl::Status {
          const TransactionSet<T, kOrder> set = In(transaction);
          popped = last ? set.Last() : set.First();
          return popped.ok() ? set.Erase(*popped).status() : popped.status();
        },
        {.isolation = Isolation::kSerializable});
    return status.ok() ? popped : status;
  }

  Store store_;
};

template <typename T>
using SharedHashSet = SharedSet<T, Order::kHash>;
template <typename T>
using SharedBTreeSet = SharedSet<T, Order::kOrdered>;

}  // namespace commy
