// The calls of vectors: reads and changes, of whatever source. Not for users: see shared_vec.h.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "commy/internal/typed_sequence.h"

namespace commy::internal {

// What an edit is to the calls below.
class COMMY_EXPORT EditSource {
 public:
  explicit EditSource(SequenceEdit* edit) : edit_(edit) {}
  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const { return edit_->Size(); }
  absl::Status Find(std::uint64_t index, UseRun use) const { return edit_->Find(index, use); }
  absl::Status ForEachRun(std::uint64_t from, std::uint64_t count,
                          absl::FunctionRef<bool(const ElementRun&)> use) const {
    return edit_->ForEachRun(from, count, use);
  }
  absl::Status Push(bool back, const ElementRun& run) const {
    return edit_->Splice(back ? edit_->size() : 0, 0, run);
  }
  absl::Status Pop(bool back, absl::FunctionRef<void(std::string_view)> use) const;
  absl::Status Set(std::uint64_t index, const ElementRun& one) const {
    return index < edit_->size() ? edit_->Splice(index, 1, one) : PastTheEnd(index, edit_->size());
  }
  absl::Status Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert) const {
    return edit_->Splice(at, erase, insert);
  }
  absl::Status Clear() const { return edit_->Splice(0, edit_->size(), {}); }
  absl::Status Change(absl::FunctionRef<absl::Status(SequenceEdit&)> change) const {
    return change(*edit_);
  }

 private:
  SequenceEdit* edit_;
};

// Calls `use` with a source that sees one moment.
template <typename Use>
absl::Status AtOneMoment(const EditSource& source, Use&& use) {
  return use(source);
}
template <typename Use>
absl::Status AtOneMoment(const Sequence& source, Use&& use) {
  if (!source.of_now()) {
    return use(source);
  }
  const absl::StatusOr<Snapshot> snapshot = SnapshotOf(source);
  return snapshot.ok() ? use(source.At(*snapshot)) : snapshot.status();
}

// Reads.
template <typename T, typename Source>
class VecReads {
 public:
  static_assert(Storable<T>,
                "the type has no commy::Codec: describe a struct with COMMY_STRUCT, or specialize "
                "commy::Codec; pointers and views cannot be stored");
  static_assert(std::copy_constructible<T>, "the elements of a container can be copied");
  using value_type = T;

  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const { return source_.Size(); }
  [[nodiscard]] absl::StatusOr<bool> Empty() const {
    const absl::StatusOr<std::uint64_t> size = Size();
    return size.ok() ? absl::StatusOr<bool>(*size == 0) : size.status();
  }

  // Returns a copy of an element; the first one has the index 0. OutOfRange: it is past the end.
  absl::StatusOr<T> At(std::uint64_t index) const {
    absl::StatusOr<T> element = absl::UnknownError("");
    absl::Status status =
        source_.Find(index, [&element](const ElementRun& run) { element = FirstElement<T>(run); });
    return status.ok() ? std::move(element) : absl::StatusOr<T>(std::move(status));
  }
  // The first and the last element. OutOfRange: there is none.
  absl::StatusOr<T> First() const { return At(0); }
  absl::StatusOr<T> Last() const {
    while (true) {
      const absl::StatusOr<std::uint64_t> size = Size();
      if (!size.ok()) {
        return size.status();
      }
      absl::StatusOr<T> last = At(*size == 0 ? 0 : *size - 1);
      if (*size == 0 || !absl::IsOutOfRange(last.status())) {
        return last;  // Else another thread has taken it away since.
      }
    }
  }
  // Returns copies of the elements from `from` on, at most `count`, as they were at one moment.
  absl::StatusOr<std::vector<T>> Slice(std::uint64_t from, std::uint64_t count) const {
    std::vector<T> elements;
    absl::Status status = ForEachOf<T>(source_, from, count, [&elements](const T& value) {
      elements.push_back(value);
      return true;
    });
    return status.ok() ? absl::StatusOr<std::vector<T>>(std::move(elements))
                       : absl::StatusOr<std::vector<T>>(std::move(status));
  }
  absl::StatusOr<std::vector<T>> ToVector() const { return Slice(0, UINT64_MAX); }

  // Calls `use` with pieces of elements that lie together, one after the other, as they were at one
  // moment; of a plain type in place, in the file. The pieces hold only while `use` runs; it must
  // not change this container. The fastest way to read all.
  template <std::invocable<std::span<const T>> Use>
  absl::Status ForEachPiece(Use&& use) const {
    return ForEachPiece(0, UINT64_MAX, use);
  }
  // The same of the elements from `from` on, at most `count`.
  template <std::invocable<std::span<const T>> Use>
  absl::Status ForEachPiece(std::uint64_t from, std::uint64_t count, Use&& use) const {
    absl::Status decoded;
    absl::Status status = source_.ForEachRun(from, count, [&](const ElementRun& run) {
      if constexpr (kPlain<T>) {
        if (const T* const values = RunInPlace<T>(run); values != nullptr) {
          use(std::span<const T>(values, run.count));
          return true;
        }
      }
      decoded = UseDecoded(run, use);
      return decoded.ok();
    });
    return status.ok() ? decoded : status;
  }
  // Calls `use` with each element, as they were at one moment. In a transaction or an edit `use`
  // must not change this container; the same holds for the other calls that take a function.
  template <std::invocable<const T&> Use>
  absl::Status ForEach(Use&& use) const {
    return ForEachOf<T>(source_, 0, UINT64_MAX, [&use](const T& value) {
      use(value);
      return true;
    });
  }

  // How many elements there are for which `is` returns true; how many are `value`.
  template <std::predicate<const T&> Is>
  absl::StatusOr<std::uint64_t> CountIf(Is&& is) const {
    std::uint64_t count = 0;
    absl::Status status = ForEach([&](const T& value) { count += is(value) ? 1 : 0; });
    return status.ok() ? absl::StatusOr<std::uint64_t>(count) : std::move(status);
  }
  absl::StatusOr<std::uint64_t> Count(const T& value) const requires std::equality_comparable<T> {
    return CountIf([&value](const T& each) { return each == value; });
  }
  // The index of the first element for which `is` returns true; that is `value`. nullopt: none is.
  template <std::predicate<const T&> Is>
  absl::StatusOr<std::optional<std::uint64_t>> FindIf(Is&& is) const {
    std::uint64_t index = 0;
    bool found = false;
    absl::Status status = ForEachOf<T>(source_, 0, UINT64_MAX, [&](const T& value) {
      found = is(value);
      index += found ? 0 : 1;
      return !found;
    });
    if (!status.ok()) {
      return status;
    }
    return found ? std::optional(index) : std::nullopt;
  }
  absl::StatusOr<std::optional<std::uint64_t>> IndexOf(
      const T& value) const requires std::equality_comparable<T> {
    return FindIf([&value](const T& each) { return each == value; });
  }
  absl::StatusOr<bool> Contains(const T& value) const requires std::equality_comparable<T> {
    const absl::StatusOr<std::optional<std::uint64_t>> index = IndexOf(value);
    return index.ok() ? absl::StatusOr<bool>(index->has_value()) : index.status();
  }
  // Whether the elements are these.
  absl::StatusOr<bool> Equals(
      const std::vector<T>& values) const requires std::equality_comparable<T> {
    std::uint64_t index = 0;
    bool equal = true;
    absl::Status status = ForEachOf<T>(source_, 0, UINT64_MAX, [&](const T& value) {
      equal = index < values.size() && values[index] == value;
      ++index;
      return equal;
    });
    return status.ok() ? absl::StatusOr<bool>(equal && index == values.size()) : std::move(status);
  }

  // Of elements that are in order, by < or by `less`, at one moment; reads O(log n) of them:
  //   LowerBound(v)      the index of the first one that is not before `v`; Size(): all are
  //   UpperBound(v)      the index of the first one that is behind `v`; Size(): none is
  //   BinarySearch(v)    the index of one that is equal to `v`, of several any; nullopt: none is
  //   BinarySearchByKey  the same by what `key` makes of the elements
  //   BinarySearchBy     the same by `compare`, which says of an element whether it is before
  //                      (negative) or behind (positive) the one wanted, or it (0)
  //   PartitionPoint     the index of the first one for which `before` returns false; Size(): for
  //                      none it does
  template <std::predicate<const T&> Before>
  absl::StatusOr<std::uint64_t> PartitionPoint(Before&& before) const {
    std::uint64_t found = 0;
    absl::Status status = AtOneMoment(
        source_, [&](const Source& source) { return PartitionIn(source, before, &found); });
    return status.ok() ? absl::StatusOr<std::uint64_t>(found) : std::move(status);
  }
  template <std::strict_weak_order<const T&, const T&> Less = std::less<>>
  absl::StatusOr<std::uint64_t> LowerBound(const T& value, Less less = Less()) const {
    return PartitionPoint([&](const T& each) -> bool { return less(each, value); });
  }
  template <std::strict_weak_order<const T&, const T&> Less = std::less<>>
  absl::StatusOr<std::uint64_t> UpperBound(const T& value, Less less = Less()) const {
    return PartitionPoint([&](const T& each) -> bool { return !less(value, each); });
  }
  template <std::invocable<const T&> Compare>
  absl::StatusOr<std::optional<std::uint64_t>> BinarySearchBy(Compare&& compare) const {
    std::optional<std::uint64_t> found;
    absl::Status status = AtOneMoment(source_, [&](const Source& source) -> absl::Status {
      const auto is_before = [&](const T& each) -> bool { return std::invoke(compare, each) < 0; };
      std::uint64_t point = 0;
      absl::Status searched = PartitionIn(source, is_before, &point);
      if (!searched.ok()) {
        return searched;
      }
      absl::Status decoded;
      absl::Status read = source.Find(point, [&](const ElementRun& run) {
        const absl::StatusOr<T> each = FirstElement<T>(run);
        decoded = each.status();
        if (each.ok() && std::invoke(compare, *each) == 0) {
          found = point;
        }
      });
      // Behind all of them there is none.
      return absl::IsOutOfRange(read) ? absl::OkStatus() : read.ok() ? decoded : read;
    });
    return status.ok() ? absl::StatusOr<std::optional<std::uint64_t>>(found) : std::move(status);
  }
  template <std::strict_weak_order<const T&, const T&> Less = std::less<>>
  absl::StatusOr<std::optional<std::uint64_t>> BinarySearch(const T& value,
                                                            Less less = Less()) const {
    return BinarySearchBy([&](const T& each) {
      return less(each, value) ? -1 : less(value, each) ? 1 : 0;
    });
  }
  template <std::invocable<const T&> Key, typename Value>
  absl::StatusOr<std::optional<std::uint64_t>> BinarySearchByKey(const Value& value,
                                                                 Key&& key) const {
    return BinarySearchBy([&](const T& each) {
      return std::invoke(key, each) < value ? -1 : value < std::invoke(key, each) ? 1 : 0;
    });
  }

 protected:
  explicit VecReads(Source source) : source_(std::move(source)) {}

  template <typename Before>
  static absl::Status PartitionIn(const Source& source, Before& before, std::uint64_t* point) {
    const absl::StatusOr<std::uint64_t> size = source.Size();
    if (!size.ok()) {
      return size.status();
    }
    std::uint64_t low = 0;
    for (std::uint64_t high = *size; low < high;) {
      const std::uint64_t middle = low + (high - low) / 2;
      absl::StatusOr<bool> is_before = absl::UnknownError("");
      absl::Status read = source.Find(middle, [&](const ElementRun& run) {
        const absl::StatusOr<T> each = FirstElement<T>(run);
        is_before = each.ok() ? absl::StatusOr<bool>(before(*each)) : each.status();
      });
      if (!read.ok() || !is_before.ok()) {
        return read.ok() ? is_before.status() : read;
      }
      (*is_before ? low : high) = *is_before ? middle + 1 : middle;
    }
    *point = low;
    return absl::OkStatus();
  }

  template <typename Use>
  static absl::Status UseDecoded(const ElementRun& run, Use& use) {
    struct Held {
      T value;
    };
    std::vector<Held> values;
    values.reserve(run.count);
    absl::Status decoded = ForEachElement<T>(run, [&values](const T& value) {
      values.push_back({value});
      return true;
    });
    if (decoded.ok()) {
      static_assert(sizeof(Held) == sizeof(T));
      use(std::span<const T>(&values.data()->value, values.size()));
    }
    return decoded;
  }

  Source source_;
};

// Changes, each at one moment. Those that look at all elements (Sort, RetainIf and the like) read
// them into memory and write them anew; they begin again if another thread or process changes the
// container meanwhile, so that their functions may be called several times.
template <typename T, typename Source>
class VecChanges : public VecReads<T, Source> {
 protected:
  using VecReads<T, Source>::source_;
  using VecReads<T, Source>::VecReads;

 public:
  absl::Status PushBack(const T& value) const { return Push(true, EncodedRun<T>(value)); }
  absl::Status PushFront(const T& value) const { return Push(false, EncodedRun<T>(value)); }
  // Takes the last or the first element, and returns it. NotFound: there is none.
  absl::StatusOr<T> PopBack() const { return Pop(true); }
  absl::StatusOr<T> PopFront() const { return Pop(false); }

  // Adds all of them behind the last element. A std::span or std::vector of a plain type is copied
  // once, into the file.
  template <ElementsOf<T> Values>
  absl::Status Append(Values&& values) const {
    return Push(true, EncodedRun<T>({}, std::forward<Values>(values)));
  }
  absl::Status Append(std::initializer_list<T> values) const {
    return Push(true, EncodedRun<T>({}, values));
  }
  // Replaces an element. OutOfRange.
  absl::Status Set(std::uint64_t index, const T& value) const {
    const EncodedRun<T> run(value);
    return run.status().ok() ? source_.Set(index, run.run()) : run.status();
  }
  // Puts an element before that with this index; with Size(), behind the last one. OutOfRange.
  absl::Status Insert(std::uint64_t index, const T& value) const {
    return SpliceIn(index, 0, EncodedRun<T>(value));
  }
  absl::Status InsertAll(std::uint64_t index, std::initializer_list<T> values) const {
    return SpliceIn(index, 0, EncodedRun<T>({}, values));
  }
  template <ElementsOf<T> Values>
  absl::Status InsertAll(std::uint64_t index, Values&& values) const {
    return SpliceIn(index, 0, EncodedRun<T>({}, std::forward<Values>(values)));
  }
  // Takes out one element, or `count` of them. OutOfRange: they are not all there.
  absl::Status Erase(std::uint64_t index) const {
    return source_.Change([index](SequenceEdit& edit) {
      return index < edit.size() ? edit.Splice(index, 1, {}) : PastTheEnd(index, edit.size());
    });
  }
  absl::Status EraseRange(std::uint64_t from, std::uint64_t count) const {
    return source_.Splice(from, count, {});
  }
  // Replaces all elements.
  absl::Status Assign(std::initializer_list<T> values) const {
    return Assign(std::span<const T>(values.begin(), values.size()));
  }
  template <ElementsOf<T> Values>
  absl::Status Assign(Values&& values) const {
    const EncodedRun<T> run({}, std::forward<Values>(values));
    return run.status().ok() ? source_.Change([&run](SequenceEdit& edit) {
      return edit.Splice(0, edit.size(), run.run());
    })
                             : run.status();
  }
  absl::Status Clear() const { return source_.Clear(); }
  // Takes away the elements from `size` on, if there are any.
  absl::Status Truncate(std::uint64_t size) const {
    return source_.Change([size](SequenceEdit& edit) {
      return size < edit.size() ? edit.Splice(size, edit.size() - size, {}) : absl::OkStatus();
    });
  }
  // The same, or adds copies of `value` until there are `size` elements.
  absl::Status Resize(std::uint64_t size, const T& value = T()) const {
    return source_.Change([&](SequenceEdit& edit) -> absl::Status {
      if (size <= edit.size()) {
        return edit.Splice(size, edit.size() - size, {});
      }
      return Repeat(edit, edit.size(), 0, size - edit.size(), value);
    });
  }
  // Replaces `count` elements from `from` on, or all, by copies of `value`. OutOfRange: they are
  // not all there.
  absl::Status FillRange(std::uint64_t from, std::uint64_t count, const T& value) const {
    return source_.Change([&](SequenceEdit& edit) -> absl::Status {
      if (from > edit.size() || count > edit.size() - from) {
        return PastTheEnd(std::max(from, edit.size()), edit.size());
      }
      return Repeat(edit, from, count, count, value);
    });
  }
  absl::Status Fill(const T& value) const {
    return source_.Change(
        [&](SequenceEdit& edit) { return Repeat(edit, 0, edit.size(), edit.size(), value); });
  }
  // Sets an element to what `change` makes of it: returns, or, of a function of T& that returns
  // nothing, leaves there. Nothing else changes it meanwhile; so `change` may be called several
  // times. OutOfRange.
  template <std::invocable<T&> ChangeValue>
  absl::Status Update(std::uint64_t index, ChangeValue&& change) const {
    return source_.Change([&](SequenceEdit& edit) -> absl::Status {
      absl::StatusOr<T> value = absl::UnknownError("");
      absl::Status found =
          edit.Find(index, [&value](const ElementRun& run) { value = FirstElement<T>(run); });
      if (!found.ok() || !value.ok()) {
        return found.ok() ? value.status() : found;
      }
      using Made = std::invoke_result_t<ChangeValue&, T&>;
      if constexpr (std::is_void_v<Made>) {
        std::invoke(change, *value);
      } else {
        static_assert(std::convertible_to<Made, T>,
                      "the function returns nothing, or the element's new value");
        *value = std::invoke(change, *value);
      }
      const EncodedRun<T> run(*value);
      return run.status().ok() ? edit.Splice(index, 1, run.run()) : run.status();
    });
  }
  // Exchanges two elements. OutOfRange.
  absl::Status Swap(std::uint64_t a, std::uint64_t b) const {
    return source_.Change([a, b](SequenceEdit& edit) -> absl::Status {
      std::string bytes[2];
      ElementRun runs[2];
      for (int i = 0; i < 2; ++i) {
        absl::Status found = edit.Find(
            i == 0 ? a : b, [&](const ElementRun& run) { runs[i] = OneElement(run, &bytes[i]); });
        if (!found.ok()) {
          return found;
        }
      }
      absl::Status set = edit.Splice(a, 1, runs[1]);
      return set.ok() ? edit.Splice(b, 1, runs[0]) : set;
    });
  }

  // Turns the order round.
  absl::Status Reverse() const {
    return Rewrite([](std::vector<T>& values) { std::reverse(values.begin(), values.end()); });
  }
  // Sorts by < or by `less`; by what `key` makes of the elements. Equal ones keep their order.
  template <std::strict_weak_order<const T&, const T&> Less = std::less<>>
  absl::Status Sort(Less less = Less()) const {
    return Rewrite(
        [&less](std::vector<T>& values) { std::stable_sort(values.begin(), values.end(), less); });
  }
  template <std::invocable<const T&> Key>
  absl::Status SortBy(Key&& key) const {
    return Sort([&key](const T& a, const T& b) -> bool {
      return std::invoke(key, a) < std::invoke(key, b);
    });
  }
  // The same; equal ones come in any order. Needs less memory.
  template <std::strict_weak_order<const T&, const T&> Less = std::less<>>
  absl::Status SortUnstable(Less less = Less()) const {
    return Rewrite(
        [&less](std::vector<T>& values) { std::sort(values.begin(), values.end(), less); });
  }
  // Keeps the elements for which `keep` returns true. Returns how many were taken out.
  template <std::predicate<const T&> Keep>
  absl::StatusOr<std::uint64_t> RetainIf(Keep&& keep) const {
    return Shorten([&keep](std::vector<T>& values) {
      values.erase(std::remove_if(values.begin(), values.end(),
                                  [&keep](const T& value) { return !keep(value); }),
                   values.end());
    });
  }
  // Takes out all that are `value`. Returns how many.
  absl::StatusOr<std::uint64_t> RemoveAll(
      const T& value) const requires std::equality_comparable<T> {
    return RetainIf([&value](const T& each) { return !(each == value); });
  }
  // Of neighbors that are equal, or for which `key` returns the same, keeps the first. Returns how
  // many were taken out.
  absl::StatusOr<std::uint64_t> Dedup() const requires std::equality_comparable<T> {
    return Shorten([](std::vector<T>& values) {
      values.erase(std::unique(values.begin(), values.end()), values.end());
    });
  }
  template <std::invocable<const T&> Key>
  absl::StatusOr<std::uint64_t> DedupBy(Key&& key) const {
    return Shorten([&key](std::vector<T>& values) {
      const auto same = [&key](const T& a, const T& b) {
        return std::invoke(key, a) == std::invoke(key, b);
      };
      values.erase(std::unique(values.begin(), values.end(), same), values.end());
    });
  }

 private:
  absl::Status Push(bool back, const EncodedRun<T>& run) const {
    return run.status().ok() ? source_.Push(back, run.run()) : run.status();
  }
  absl::Status SpliceIn(std::uint64_t at, std::uint64_t erase, const EncodedRun<T>& run) const {
    return run.status().ok() ? source_.Splice(at, erase, run.run()) : run.status();
  }
  absl::StatusOr<T> Pop(bool back) const {
    absl::StatusOr<T> value = absl::UnknownError("");
    absl::Status status =
        source_.Pop(back, [&value](std::string_view bytes) { value = DecodeElement<T>(bytes); });
    return status.ok() ? std::move(value) : absl::StatusOr<T>(std::move(status));
  }
  // The first element of a run, as a run, copied.
  static ElementRun OneElement(const ElementRun& run, std::string* bytes) {
    ForEachElementBytes(run, [bytes, &run](std::string_view element) {
      if (run.width == 0) {
        const auto length = static_cast<std::uint32_t>(element.size());
        bytes->append(reinterpret_cast<const char*>(&length), sizeof(length));
      }
      bytes->append(element);
      return false;
    });
    return {run.width, 1, *bytes};
  }
  static absl::Status Repeat(SequenceEdit& edit, std::uint64_t at, std::uint64_t erase,
                             std::uint64_t count, const T& value) {
    const EncodedRun<T> one(value);
    absl::Status status = one.status();
    status.Update(edit.CheckGrowth(count, one.run().bytes.size()));
    if (!status.ok()) {
      return status;
    }
    // In pieces, so that not all of them are in memory twice.
    constexpr std::uint64_t kPieceBytes = std::uint64_t{64} * 1024;
    const std::uint64_t each =
        std::max<std::uint64_t>(1, kPieceBytes / std::max<std::size_t>(1, one.run().bytes.size()));
    std::string bytes;
    status = edit.Splice(at, erase, {});
    for (std::uint64_t done = 0; done < count && status.ok();) {
      const std::uint64_t now = std::min(each, count - done);
      bytes.clear();
      for (std::uint64_t i = 0; i < now; ++i) {
        bytes.append(one.run().bytes);
      }
      status = edit.Splice(at + done, 0, {one.run().width, now, bytes});
      done += now;
    }
    return status;
  }
  template <typename Rewriter>
  absl::Status Rewrite(Rewriter&& rewrite) const {
    return source_.Change([&rewrite](SequenceEdit& edit) -> absl::Status {
      std::vector<T> values;
      values.reserve(std::min<std::uint64_t>(edit.size(), 65536));  // A damaged root tells any.
      absl::Status status =
          ForEachOf<T>(EditSource(&edit), 0, UINT64_MAX, [&values](const T& value) {
            values.push_back(value);
            return true;
          });
      if (!status.ok()) {
        return status;
      }
      rewrite(values);
      const EncodedRun<T> run({}, values);
      return run.status().ok() ? edit.Splice(0, edit.size(), run.run()) : run.status();
    });
  }
  template <typename Rewriter>
  absl::StatusOr<std::uint64_t> Shorten(Rewriter&& rewrite) const {
    std::uint64_t taken = 0;
    absl::Status status = Rewrite([&](std::vector<T>& values) {
      taken = values.size();
      rewrite(values);
      taken -= values.size();
    });
    return status.ok() ? absl::StatusOr<std::uint64_t>(taken) : std::move(status);
  }
};

}  // namespace commy::internal
