// Maps from keys to values of the program's own types, found by name and shared between processes.
//
//   absl::StatusOr<commy::SharedHashMap<std::uint64_t, Position>> positions =
//       store->OpenShared<commy::SharedHashMap<std::uint64_t, Position>>("fleet/positions");
//   absl::Status done = positions->Put(7, {.x = 1.5, .y = 2});
//   absl::StatusOr<Position> where = positions->Get(7);
//   auto range = positions->Range();
//   for (const auto& [id, position] : range) Draw(id, position);
//   if (!range.status().ok()) Report(range.status());
//
// KEYS      any type with a commy::KeyCodec, VALUES any type with a commy::Codec. A SharedBTreeMap
//           has its keys in their order; a SharedHashMap in none, and is faster for single keys.
// MOMENTS   Put, Insert, Erase, Get, Contains, CompareAndSwap, Update and ComputeIfAbsent are each
//           linearizable: they take effect at one moment between call and return, for all threads
//           and processes. A range sees one moment. What changes several keys says what it is.
// DEATH     A process that is killed in the middle of a call has made its change or not.
// ERRORS    as of Namespace, and
//             NotFound         there is no such key
//             InvalidArgument  a key that is, or has in it, a NaN
//             DataLoss         a key or a value in the file is not of the type: a program wrote
//                              other bytes there
// COST      that of the same call of Namespace, and of the codecs.
//
// docs/containers.md has all calls with their cost and their names in the standard library.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commy/internal/typed.h"
#include "commy/loan.h"
#include "commy/shared_options.h"
#include "commy/typed_view.h"

namespace commy {
namespace internal {

// What can be read, from whatever source.
template <typename K, typename V, Order kOrder, typename Source>
class MapReads {
 public:
  static_assert(Keyable<K>,
                "the key type has no commy::KeyCodec: use a number, a string, a tuple, a struct "
                "that COMMY_STRUCT describes, or specialize commy::KeyCodec (and commy::Codec, for "
                "its name)");
  static_assert(Storable<V>,
                "the value type has no commy::Codec: describe a struct with COMMY_STRUCT, or "
                "specialize commy::Codec; pointers and views cannot be stored");
  static_assert(std::copy_constructible<V>, "the values of a container can be copied");

  using key_type = K;
  using mapped_type = V;
  using value_type = std::pair<K, V>;
  using PairRange = TypedRange<DecodedPair<K, V>>;
  using KeyArgument = internal::KeyArgument<K>;
  static constexpr bool kOrdered = kOrder == Order::kOrdered;

  // Returns a copy of the value. NotFound: no such key.
  absl::StatusOr<V> Get(KeyArgument key) const {
    absl::StatusOr<V> value = absl::UnknownError("");
    absl::Status status =
        ReadBytes(key, [&value](std::string_view bytes) { value = Codec<V>::Decode(bytes); });
    return status.ok() ? std::move(value) : absl::StatusOr<V>(std::move(status));
  }
  // The same, or `otherwise` if there is no such key.
  absl::StatusOr<V> GetOr(KeyArgument key, V otherwise) const {
    absl::StatusOr<V> value = Get(key);
    return absl::IsNotFound(value.status()) ? absl::StatusOr<V>(std::move(otherwise)) : value;
  }
  // Calls `use` once with the value, on this thread; of a plain type in place, without a copy. As
  // Namespace::ReadWith(), and the fastest way to read. NotFound: no such key; `use` was not
  // called.
  template <typename Use>
  absl::Status ReadWith(KeyArgument key, Use&& use) const {
    absl::Status decoded;
    absl::Status status = ReadBytes(key, [&](std::string_view bytes) {
      if constexpr (kPlain<V>) {
        if (const V* const value = InPlace<V>(bytes); value != nullptr) [[likely]] {
          use(*value);
          return;
        }
      }
      decoded = DecodeAndUse<V>(bytes, use);
    });
    return status.ok() ? decoded : status;
  }
  // Returns whether the key is there.
  absl::StatusOr<bool> Contains(KeyArgument key) const {
    const KeyOf<K> bytes(key);
    return bytes.usable() ? source_.Contains(bytes.view()) : absl::StatusOr<bool>(NanKey());
  }

  // The pairs of keys and values: all, or those that the options select. An error ends the range
  // early, so check its status() afterwards.
  PairRange Range(const RangeOptions<K>& options = RangeOptions<K>()) const {
    return RangeOf<DecodedPair<K, V>>(source_, options);
  }
  TypedRange<DecodedKey<K>> Keys(const RangeOptions<K>& options = RangeOptions<K>()) const {
    return RangeOf<DecodedKey<K>>(source_, options);
  }
  TypedRange<DecodedValue<V>> Values(const RangeOptions<K>& options = RangeOptions<K>()) const {
    return RangeOf<DecodedValue<V>>(source_, options);
  }
  // Calls `use` with each key and value, as they were at one moment.
  template <typename Use>
  absl::Status ForEach(Use&& use) const {
    PairRange range = Range();
    for (const auto& [key, value] : range) {
      use(key, value);
    }
    return range.status();
  }

  // The pairs whose keys (tuples, arrays or structs) begin with these parts:
  //
  //   for (const auto& [key, event] : events.WithPrefix("pump")) …  // Keys ("pump", any time).
  template <typename... Parts>
  requires(kOrdered && (Described<K> || requires { std::tuple_size<K>::value; })) PairRange
      WithPrefix(const Parts&... parts)
  const {
    ScanOptions scan;
    scan.prefix = KeyPrefix<K>(parts...);
    return PairRange(source_.Scan(std::move(scan)));
  }
  // The lowest and the highest key, with its value. NotFound: there is none.
  absl::StatusOr<value_type> First() const requires kOrdered {
    return FirstOf(Range({.limit = 1}));
  }
  absl::StatusOr<value_type> Last() const requires kOrdered {
    return FirstOf(Range({.reverse = true, .limit = 1}));
  }
  // The lowest key that is not below `key`, or that is above it. NotFound: there is none.
  absl::StatusOr<value_type> LowerBound(KeyArgument key) const requires kOrdered {
    return FirstOf(Range({.from = K(key), .limit = 1}));
  }
  absl::StatusOr<value_type> UpperBound(KeyArgument key) const requires kOrdered {
    const KeyOf<K> bytes(key);
    return bytes.usable() ? FirstOf(PairRange(source_.Scan(Above(bytes))))
                          : absl::StatusOr<value_type>(NanKey());
  }
  // The highest key that is not above `key`: where a cursor that seeks `key` from above stops.
  absl::StatusOr<value_type> Floor(KeyArgument key) const requires kOrdered {
    const KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return NanKey();
    }
    ScanOptions scan;
    scan.to = bytes.view();
    scan.to.push_back('\0');
    scan.reverse = true;
    scan.limit = 1;
    return FirstOf(PairRange(source_.Scan(std::move(scan))));
  }

 protected:
  explicit MapReads(Source source) : source_(std::move(source)) {}

  absl::Status ReadBytes(KeyArgument key, absl::FunctionRef<void(std::string_view)> use) const {
    const KeyOf<K> bytes(key);
    return bytes.usable() ? source_.Read(bytes.view(), use) : NanKey();
  }

  Source source_;
};

}  // namespace internal

// A map as a snapshot sees it: see SharedMap::At(). The snapshot must outlive it.
template <typename K, typename V, Order kOrder>
class SnapshotMap : public internal::MapReads<K, V, kOrder, internal::AtSnapshot> {
 public:
  SnapshotMap(Namespace ns, const Snapshot& snapshot)
      : internal::MapReads<K, V, kOrder, internal::AtSnapshot>({std::move(ns), &snapshot}) {}
};

// A map inside a transaction: see SharedMap::In(). Reads see the transaction's own writes. All
// takes effect when the transaction commits. The transaction must outlive it.
template <typename K, typename V, Order kOrder>
class TransactionMap : public internal::MapReads<K, V, kOrder, internal::InTransaction> {
  using Base = internal::MapReads<K, V, kOrder, internal::InTransaction>;
  using Base::source_;

 public:
  using typename Base::KeyArgument;
  TransactionMap(Namespace ns, Transaction& transaction) : Base({std::move(ns), &transaction}) {}

  absl::Status Put(KeyArgument key, const V& value, PutOptions options = PutOptions()) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? source_.transaction->Put(source_.ns, bytes.view(),
                                                     internal::ValueBytes<V>(value).view(), options)
                          : internal::NanKey();
  }
  // Returns whether it was inserted; false: the key was there.
  absl::StatusOr<bool> Insert(KeyArgument key, const V& value,
                              PutOptions options = PutOptions()) const {
    absl::StatusOr<bool> there = this->Contains(key);
    if (!there.ok() || *there) {
      return there.ok() ? absl::StatusOr<bool>(false) : there;
    }
    absl::Status put = Put(key, value, options);
    return put.ok() ? absl::StatusOr<bool>(true) : put;
  }
  // Returns whether the key was there.
  absl::StatusOr<bool> Erase(KeyArgument key) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? source_.transaction->Delete(source_.ns, bytes.view())
                          : absl::StatusOr<bool>(internal::NanKey());
  }
  // Sets the key to what `change` makes of its value (nullopt: absent); nullopt erases it.
  template <typename ChangeValue>
  absl::Status Update(KeyArgument key, ChangeValue&& change) const {
    absl::StatusOr<V> value = this->Get(key);
    if (!value.ok() && !absl::IsNotFound(value.status())) {
      return value.status();
    }
    std::optional<V> next =
        change(value.ok() ? std::optional<V>(*std::move(value)) : std::optional<V>());
    return next.has_value() ? Put(key, *next) : Erase(key).status();
  }
};

// A map. Cheap to copy; every method is safe from any thread; keeps the store open. Use it by the
// names SharedHashMap and SharedBTreeMap.
template <typename K, typename V, Order kOrder>
class SharedMap : public internal::MapReads<K, V, kOrder, internal::Direct> {
  using Base = internal::MapReads<K, V, kOrder, internal::Direct>;
  using Base::source_;

 public:
  using Base::kOrdered;
  using typename Base::KeyArgument;
  using typename Base::value_type;
  // What the store says of its type: "map<u64,struct acme.Position{x:f64,y:f64}>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kMapOpen, Codec<K>::kDescriptor, internal::kComma,
                       Codec<V>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls.
  static absl::StatusOr<SharedMap> Open(const Store& store, std::string_view path,
                                        const SharedOptions& options) {
    const auto verify = [](std::string_view key, std::string_view value) {
      absl::Status status = internal::DecodeWholeKey<K>(key).status();
      status.Update(internal::VerifyValue<V>(value));
      return status;
    };
    absl::StatusOr<Namespace> ns =
        internal::OpenTyped(store, path, kOrder, kDescriptor, options, verify);
    return ns.ok() ? absl::StatusOr<SharedMap>(SharedMap(store, *std::move(ns))) : ns.status();
  }

  // Sets a key, replacing the value and the time to live that it had.
  absl::Status Put(KeyArgument key, const V& value, PutOptions options = PutOptions()) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable()
               ? source_.ns.Put(bytes.view(), internal::ValueBytes<V>(value).view(), options)
               : internal::NanKey();
  }
  // Sets a key unless it is there. Returns whether it was set. Of several callers one gets true.
  absl::StatusOr<bool> Insert(KeyArgument key, const V& value,
                              PutOptions options = PutOptions()) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? source_.ns.PutIfAbsent(bytes.view(),
                                                   internal::ValueBytes<V>(value).view(), options)
                          : absl::StatusOr<bool>(internal::NanKey());
  }
  // Removes a key. Returns whether it was there.
  absl::StatusOr<bool> Erase(KeyArgument key) const {
    const internal::KeyOf<K> bytes(key);
    return bytes.usable() ? source_.ns.Delete(bytes.view())
                          : absl::StatusOr<bool>(internal::NanKey());
  }
  // Returns the value where it lies; see TypedView. NotFound: no such key.
  absl::StatusOr<TypedView<V>> GetView(KeyArgument key) const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    absl::StatusOr<View> view = source_.ns.GetView(bytes.view());
    return view.ok() ? TypedView<V>::Of(*std::move(view)) : view.status();
  }

  // Calls `change` with the value (nullopt: absent), and sets the key to the std::optional<V> that
  // it returns (nullopt: erases it), if the key was not changed meanwhile; else starts over. So
  // `change` may run several times. It holds nothing and may use the store. The key gets the
  // namespace's default time to live.
  template <typename ChangeValue>
  absl::Status Update(KeyArgument key, ChangeValue&& change) const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    absl::Status decoded;
    const auto decide = [&](std::optional<std::string_view> present) {
      decoded = absl::OkStatus();
      std::optional<V> value;
      if (present.has_value()) {
        absl::StatusOr<V> read = Codec<V>::Decode(*present);
        if (!read.ok()) {
          decoded = read.status();
          return Change::Keep();
        }
        value = *std::move(read);
      }
      const std::optional<V> next = change(std::move(value));
      return next.has_value() ? Change::Put(std::string(internal::ValueBytes<V>(*next).view()))
                              : Change::Delete();
    };
    absl::Status status = source_.ns.Update(bytes.view(), decide).status();
    return status.ok() ? decoded : status;
  }
  // Returns the value; if the key is absent, first sets it to what `make` returns. If another
  // caller was faster, its value is returned, and that of `make` is dropped.
  template <typename Make>
  absl::StatusOr<V> ComputeIfAbsent(KeyArgument key, Make&& make) const {
    while (true) {
      absl::StatusOr<V> value = this->Get(key);
      if (!absl::IsNotFound(value.status())) {
        return value;
      }
      V made = make();
      const absl::StatusOr<bool> inserted = Insert(key, made);
      if (!inserted.ok() || *inserted) {
        return inserted.ok() ? absl::StatusOr<V>(std::move(made)) : inserted.status();
      }
    }
  }
  // If the value is `expected` (nullopt: if the key is absent), sets it to `desired` (nullopt:
  // erases it). Returns whether it was. Compares the bytes; see FLOATS in codec.h. A value of a
  // former version of a struct counts as what Get() makes of it.
  absl::StatusOr<bool> CompareAndSwap(KeyArgument key, const std::optional<V>& expected,
                                      const std::optional<V>& desired) const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    return internal::SwapValue<V>(source_.ns, bytes.view(), expected, desired);
  }
  // Makes the value in the file: calls `fill` with a V there, value-initialized, and publishes it.
  // Until then the key is as it was. For plain types; see Loan.
  template <typename Fill>
  requires internal::kPlain<V> absl::Status Emplace(KeyArgument key, Fill&& fill,
                                                    PutOptions options = PutOptions())
  const {
    const internal::KeyOf<K> bytes(key);
    if (!bytes.usable()) {
      return internal::NanKey();
    }
    absl::StatusOr<Loan> loan = source_.ns.Reserve(bytes.view(), sizeof(V), options);
    if (!loan.ok()) {
      return loan.status();
    }
    V* const value = ::new (static_cast<void*>(loan->bytes().data())) V();
    fill(*value);
    Codec<V>::ZeroPadding(reinterpret_cast<char*>(value));
    return std::move(*loan).Publish();
  }

  // Puts all pairs of a range, 1,024 at a time at one moment each. After an error some may be
  // there.
  template <typename Pairs>
  absl::Status Extend(Pairs&& pairs) const {
    WriteBatch batch;
    for (const auto& [key, value] : pairs) {
      const internal::KeyOf<K> bytes(key);
      if (!bytes.usable()) {
        return internal::NanKey();
      }
      batch.Put(source_.ns, bytes.view(), internal::ValueBytes<V>(value).view());
      if (batch.size() == kBatchKeys) {
        if (absl::Status status = store_.Write(std::exchange(batch, WriteBatch())); !status.ok()) {
          return status;
        }
      }
    }
    return batch.size() == 0 ? absl::OkStatus() : store_.Write(std::move(batch));
  }
  // Erases the pairs for which `keep` returns false. Looks at all pairs of one moment; of these a
  // key is erased unless its value has changed since. Returns how many were.
  template <typename Keep>
  absl::StatusOr<std::uint64_t> RetainIf(Keep&& keep) const {
    std::uint64_t erased = 0;
    ScanRange scan = source_.Scan({});
    for (const Entry& entry : scan) {
      absl::StatusOr<value_type> pair = internal::DecodedPair<K, V>::From(entry);
      if (!pair.ok()) {
        return pair.status();
      }
      if (!keep(pair->first, pair->second)) {
        const absl::StatusOr<bool> gone = source_.ns.CompareAndSwap(
            entry.key(), {.expected = entry.value(), .desired = std::nullopt});
        if (!gone.ok()) {
          return gone.status();
        }
        erased += *gone ? 1 : 0;
      }
    }
    return scan.status().ok() ? absl::StatusOr<std::uint64_t>(erased) : scan.status();
  }
  // Removes and returns the pair with the lowest or the highest key, at one moment. NotFound: there
  // is none. Cost: that of a serializable transaction; callers at once take turns.
  absl::StatusOr<value_type> PopFirst() const requires kOrdered { return Pop(false); }
  absl::StatusOr<value_type> PopLast() const requires kOrdered { return Pop(true); }

  // The number of keys, as Namespace::Size() has it.
  absl::StatusOr<std::uint64_t> Size() const { return source_.ns.Size(); }
  // Whether there is no key.
  absl::StatusOr<bool> IsEmpty() const {
    const absl::StatusOr<std::uint64_t> size = Size();
    return size.ok() ? absl::StatusOr<bool>(*size == 0) : size.status();
  }
  // Removes all keys at one moment.
  absl::Status Clear() const { return source_.ns.Clear(); }

  // The map inside a transaction, and as a snapshot sees it.
  [[nodiscard]] TransactionMap<K, V, kOrder> In(Transaction& transaction) const {
    return {source_.ns, transaction};
  }
  [[nodiscard]] SnapshotMap<K, V, kOrder> At(const Snapshot& snapshot) const {
    return {source_.ns, snapshot};
  }
  // The namespace that holds the map, for waiting and for times to live.
  [[nodiscard]] const Namespace& ns() const { return source_.ns; }

 private:
  static constexpr std::uint64_t kBatchKeys = 1024;

  SharedMap(Store store, Namespace ns) : Base({std::move(ns)}), store_(std::move(store)) {}

  absl::StatusOr<value_type> Pop(bool last) const {
    absl::StatusOr<value_type> popped = absl::UnknownError("");
    absl::Status status = store_.Transact(
        [&](Transaction& transaction) -> absl::Status {
          const TransactionMap<K, V, kOrder> map = In(transaction);
          popped = last ? map.Last() : map.First();
          return popped.ok() ? map.Erase(popped->first).status() : popped.status();
        },
        {.isolation = Isolation::kSerializable});
    return status.ok() ? popped : status;
  }

  Store store_;
};

template <typename K, typename V>
using SharedHashMap = SharedMap<K, V, Order::kHash>;
template <typename K, typename V>
using SharedBTreeMap = SharedMap<K, V, Order::kOrdered>;

}  // namespace commy
