// Sequence: reads, and changes that it makes in the root alone if it can.
#include "commy/internal/sequence.h"

#include <algorithm>
#include <string>
#include <utility>

#include "api/handle_access.h"
#include "base/status.h"
#include "commy/internal/typed_sequence.h"
#include "sequences/queue_state.h"
#include "sequences/readers.h"
#include "sequences/root_change.h"
#include "sequences/sequence_state.h"

namespace commy::internal {
namespace {

using sequences::Entry;
using sequences::NodeReader;
using sequences::RootChange;
using sequences::RootView;

// How often a reader of the present state begins anew before it takes a snapshot, where a node that
// its root has named cannot go.
constexpr int kReadsOfNow = 16;

// Calls `use` with the root; one of a sequence that has none is empty.
absl::Status ReadRoot(NodeReader& reader, absl::FunctionRef<absl::Status(const RootView&)> use) {
  absl::Status used;
  COMMY_ASSIGN_OR_RETURN(const bool there, reader.Read({}, [&](std::string_view bytes) {
    RootView root;
    used = sequences::ParseRoot(bytes, &root);
    if (used.ok()) {
      used = use(root);
    }
  }));
  return there ? used : use(RootView());
}

// Calls `use` with an element that was returned to a queue.
absl::Status UseReturned(NodeReader& reader, const sequences::Item& item, UseRun use) {
  std::string room;
  if (item.node == 0) {
    use(sequences::RunOf(item.bytes, &room));
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const bool there, reader.Read(sequences::NodeKey(item.node).view(),
                                                       [&](std::string_view bytes) {
                                                         use(sequences::RunOf(bytes, &room));
                                                       }));
  return there ? absl::OkStatus() : sequences::Moved();
}

absl::Status DamagedQueue() {
  return base::DataLoss("the queue's part of the root is damaged");
}

// Where an element is: returned to a queue, in the root, or in the tree.
absl::Status FindIn(NodeReader& reader, std::uint64_t index, UseRun use) {
  sequences::Item returned;
  std::uint64_t before = 0;
  std::string entries;
  std::uint32_t height = 0;
  bool in_tree = false;
  COMMY_RETURN_IF_ERROR(ReadRoot(reader, [&](const RootView& root) -> absl::Status {
    if (!root.queue.empty()) {
      sequences::QueueState queue;
      if (!sequences::ParseQueue(root.queue, &queue)) {
        return DamagedQueue();
      }
      if (index < queue.returned.size()) {
        returned = queue.returned[index];
        return returned.node == 0 ? UseReturned(reader, returned, use) : absl::OkStatus();
      }
      before = queue.returned.size();
      index -= before;
    }
    if (index >= root.count()) {
      return PastTheEnd(before + index, before + root.count());
    }
    if (index < root.front.count) {
      use(*sequences::Slice(root.front, index, root.front.count));
      return absl::OkStatus();
    }
    index -= root.front.count;
    in_tree = index < root.tree_count;
    if (!in_tree) {
      use(*sequences::Slice(root.back, index - root.tree_count, root.back.count));
      return absl::OkStatus();
    }
    entries.assign(root.entries);
    height = root.height;
    return absl::OkStatus();
  }));
  if (returned.node != 0) {
    return UseReturned(reader, returned, use);
  }
  return in_tree ? sequences::FindInTree(reader, entries, height, index, use) : absl::OkStatus();
}

// A walk over elements in their order.
struct Walk {
  std::uint64_t skip = 0;
  std::uint64_t left = 0;
  absl::FunctionRef<bool(const ElementRun&)> use;
  bool ended = false;

  void Visit(const ElementRun& run) {
    if (ended || skip >= run.count) {
      skip -= std::min(skip, run.count);
      return;
    }
    const ElementRun piece = *sequences::Slice(run, skip, left);
    skip = 0;
    left -= piece.count;
    ended = (piece.count != 0 && !use(piece)) || left == 0;
  }
};

absl::Status WalkTree(NodeReader& reader, std::uint32_t level, const std::vector<Entry>& entries,
                      Walk& walk) {
  for (const Entry& entry : entries) {
    if (walk.ended) {
      break;
    }
    if (walk.skip >= entry.count) {
      walk.skip -= entry.count;
      continue;
    }
    if (level == 0) {
      COMMY_RETURN_IF_ERROR(sequences::ReadLeaf(
          reader, entry, [&walk](const ElementRun& leaf) { walk.Visit(leaf); }));
    } else {
      COMMY_ASSIGN_OR_RETURN(const std::vector<Entry> children,
                             sequences::ReadInner(reader, entry));
      COMMY_RETURN_IF_ERROR(WalkTree(reader, level - 1, children, walk));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PastTheEnd(std::uint64_t index, std::uint64_t size) {
  return base::OutOfRange("the index ", index, " is past the end: there are ", size, " elements");
}

absl::Status WrongElement(const absl::Status& why) {
  return base::DataLoss("an element is not of the container's type: ", why.message());
}

absl::Status ElementTooLarge(std::uint64_t size_bytes) {
  return base::InvalidArgument("an element has ", size_bytes, " bytes; it may have at most ",
                               kElementBytesMax);
}

absl::StatusOr<Snapshot> SnapshotOf(const Sequence& sequence) {
  return api::HandleAccess::StoreOf(sequence.ns()).TakeSnapshot();
}

absl::StatusOr<Sequence> Sequence::Open(const Store& store, std::string_view path,
                                        std::string_view type, const SharedOptions& options) {
  if (options.default_ttl.has_value()) {
    return base::InvalidArgument("namespace \"", base::ToAbsl(path), "\": the elements of a ",
                                 base::ToAbsl(type),
                                 " have no time to live; leave out default_ttl");
  }
  const auto verify = [](std::string_view key, std::string_view value) -> absl::Status {
    RootView root;
    return key.empty() ? sequences::ParseRoot(value, &root)
                       : base::InvalidArgument("a sequence is not made of keys and values");
  };
  absl::StatusOr<Namespace> ns = OpenTyped(store, path, Order::kHash, type, options, verify);
  return ns.ok() ? absl::StatusOr<Sequence>(Sequence(*std::move(ns))) : ns.status();
}

Sequence Sequence::At(const Snapshot& snapshot) const {
  Sequence at(ns_);
  at.snapshot_ = &snapshot;
  return at;
}

Sequence Sequence::In(Transaction& transaction) const {
  Sequence in(ns_);
  in.transaction_ = &transaction;
  return in;
}

// --- Reading -----------------------------------------------------------------------------------

namespace {

// Calls `read` with the reader that belongs to the source.
absl::Status ReadFrom(const Namespace& ns, const Snapshot* snapshot, Transaction* transaction,
                      absl::FunctionRef<absl::Status(NodeReader&)> read) {
  if (transaction == nullptr) {
    sequences::NamespaceReader reader(ns, snapshot);
    return read(reader);
  }
  transactions::TransactionState* const within = api::HandleAccess::StateOf(*transaction);
  if (within == nullptr) {
    return base::FailedPrecondition("the transaction was moved from");
  }
  sequences::TransactionReader reader(*within, api::HandleAccess::StateOf(ns));
  return read(reader);
}

}  // namespace

absl::StatusOr<std::uint64_t> Sequence::Size() const {
  std::uint64_t size = 0;
  COMMY_RETURN_IF_ERROR(ReadFrom(ns_, snapshot_, transaction_, [&](NodeReader& reader) {
    return ReadRoot(reader, [&size](const RootView& root) {
      size = root.count() + sequences::ReturnedCount(root.queue);
      return absl::OkStatus();
    });
  }));
  return size;
}

absl::Status Sequence::FindNow(std::uint64_t index, UseRun use) const {
  sequences::NamespaceReader reader(ns_, nullptr);
  for (int i = 0; i < kReadsOfNow; ++i) {
    absl::Status found = FindIn(reader, index, use);
    if (!sequences::IsMoved(found)) {
      return found;
    }
  }
  COMMY_ASSIGN_OR_RETURN(const Snapshot snapshot, api::HandleAccess::StoreOf(ns_).TakeSnapshot());
  return At(snapshot).Find(index, use);
}

absl::Status Sequence::Find(std::uint64_t index, UseRun use) const {
  if (snapshot_ == nullptr && transaction_ == nullptr) {
    return FindNow(index, use);
  }
  return sequences::OneMoment(ReadFrom(ns_, snapshot_, transaction_, [&](NodeReader& reader) {
    return FindIn(reader, index, use);
  }));
}

absl::Status Sequence::ForEachRun(std::uint64_t from, std::uint64_t count,
                                  absl::FunctionRef<bool(const ElementRun&)> use) const {
  const bool now = snapshot_ == nullptr && transaction_ == nullptr;
  bool in_tree = false;
  std::string entries;
  std::uint64_t tree_count = 0;
  std::uint32_t height = 0;
  sequences::RunBuilder back;
  Walk walk{from, count, use, count == 0};
  const auto walk_root = [&](NodeReader& reader, const RootView& root) -> absl::Status {
    sequences::QueueState queue;
    if (!sequences::ParseQueue(root.queue, &queue)) {
      return DamagedQueue();
    }
    in_tree = root.tree_count != 0 || !queue.returned.empty();
    if (in_tree && now) {
      return absl::OkStatus();  // Of the present state the root alone is of one moment.
    }
    for (const sequences::Item& item : queue.returned) {
      COMMY_RETURN_IF_ERROR(
          UseReturned(reader, item, [&walk](const ElementRun& run) { walk.Visit(run); }));
    }
    walk.Visit(root.front);
    if (in_tree) {
      entries.assign(root.entries);
      tree_count = root.tree_count;
      height = root.height;
      back.Append(root.back);
    } else {
      walk.Visit(root.back);
    }
    return absl::OkStatus();
  };
  const auto walk_all = [&](NodeReader& reader) -> absl::Status {
    COMMY_RETURN_IF_ERROR(
        ReadRoot(reader, [&](const RootView& root) { return walk_root(reader, root); }));
    if (!in_tree || now) {
      return absl::OkStatus();
    }
    const std::vector<Entry> parsed = *sequences::ParseEntries(entries);
    if (!sequences::HaveTogether(parsed, tree_count)) {
      return base::DataLoss("the root of the sequence is damaged");
    }
    COMMY_RETURN_IF_ERROR(WalkTree(reader, height, parsed, walk));
    walk.Visit(back.run());
    return absl::OkStatus();
  };
  COMMY_RETURN_IF_ERROR(sequences::OneMoment(ReadFrom(ns_, snapshot_, transaction_, walk_all)));
  if (!in_tree || !now) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const Snapshot snapshot, api::HandleAccess::StoreOf(ns_).TakeSnapshot());
  return At(snapshot).ForEachRun(from, count, use);
}

// --- Changing ----------------------------------------------------------------------------------

absl::Status Sequence::PushInRoot(bool back, const ElementRun& run, std::uint64_t most_bytes,
                                  bool* fits) const {
  return sequences::ChangeRoot(*api::HandleAccess::StateOf(ns_), /*frees=*/false,
                               [&](RootView& root) {
                                 RootChange change = sequences::AddAt(root, back, run, most_bytes);
                                 *fits = change.changes;
                                 return change;
                               });
}

absl::Status Sequence::Push(bool back, const ElementRun& run) const {
  if (run.count == 0) {
    return absl::OkStatus();
  }
  const SequenceSizes& sizes = SizesOfSequences();
  const auto push = [&](sequences::Edit& edit, bool lasting) {
    return edit.Splice(back ? edit.size() : 0, 0, run, lasting);
  };
  if (transaction_ != nullptr) {
    return sequences::ChangeSequence(
        ns_, transaction_, 0, [&](SequenceEdit::State& state) { return push(state.edit, false); });
  }
  std::uint64_t most_bytes = sizes.run_bytes;
  if (run.bytes.size() <= most_bytes) {
    for (int attempts = 1; attempts <= 4; attempts *= 2) {
      bool fits = false;
      COMMY_RETURN_IF_ERROR(PushInRoot(back, run, most_bytes, &fits));
      if (fits) {
        return absl::OkStatus();
      }
      absl::Status status = sequences::ChangeSequence(
          ns_, nullptr, attempts,
          [&](SequenceEdit::State& state) { return push(state.edit, true); });
      if (!absl::IsAborted(status)) {
        return status;
      }
      // Others are in the way: rather than lose to them again and again, the run grows.
      most_bytes = std::max(sizes.run_bytes, sizes.run_bytes_most);
    }
  }
  return sequences::ChangeSequence(
      ns_, nullptr, 0, [&](SequenceEdit::State& state) { return push(state.edit, true); });
}

// False: it takes more than the root.
absl::StatusOr<bool> Sequence::PopInRoot(bool back,
                                         absl::FunctionRef<void(std::string_view)> use) const {
  bool empty = false;
  bool more = false;
  std::string element;
  COMMY_RETURN_IF_ERROR(sequences::ChangeRoot(
      *api::HandleAccess::StateOf(ns_), /*frees=*/true, [&](RootView& root) -> RootChange {
        empty = root.count() == 0;
        more = !empty && !sequences::TakeAt(root, back, 1,
                                            [&](std::string_view taken) { element.assign(taken); });
        return empty || more ? RootChange() : sequences::AsItIs(root);
      }));
  if (empty) {
    return base::NotFound("the sequence is empty");
  }
  if (!more) {
    use(element);
  }
  return !more;
}

absl::Status Sequence::Pop(bool back, absl::FunctionRef<void(std::string_view)> use) const {
  if (transaction_ == nullptr) {
    COMMY_ASSIGN_OR_RETURN(const bool popped, PopInRoot(back, use));
    if (popped) {
      return absl::OkStatus();
    }
  }
  std::string element;
  const auto pop = [&](SequenceEdit::State& state) -> absl::Status {
    sequences::Edit& edit = state.edit;
    if (edit.size() == 0) {
      return base::NotFound("the sequence is empty");
    }
    COMMY_RETURN_IF_ERROR(edit.Refill(back));
    const std::uint64_t index = back ? edit.size() - 1 : 0;
    COMMY_RETURN_IF_ERROR(edit.Find(index, [&element](const ElementRun& run) {
      element.assign(*sequences::ElementOf(run, 0));
    }));
    return edit.Splice(index, 1, {});
  };
  COMMY_RETURN_IF_ERROR(sequences::ChangeSequence(ns_, transaction_, 0, pop));
  use(element);
  return absl::OkStatus();
}

absl::Status Sequence::Set(std::uint64_t index, const ElementRun& one) const {
  if (transaction_ == nullptr && one.width != 0) {
    bool past = false;
    bool in_root = true;
    std::uint64_t size = 0;
    std::string run;
    COMMY_RETURN_IF_ERROR(sequences::ChangeRoot(
        *api::HandleAccess::StateOf(ns_), /*frees=*/false, [&](RootView& root) -> RootChange {
          size = root.count();
          past = index >= size;
          const std::uint64_t back_from = root.front.count + root.tree_count;
          const bool at_front = index < root.front.count;
          ElementRun& there = at_front ? root.front : root.back;
          in_root = (at_front || index >= back_from) && there.width == one.width;
          if (past || !in_root) {
            return {};
          }
          const std::uint64_t at = at_front ? index : index - back_from;
          run.assign(there.bytes);
          run.replace(at * one.width, one.width, one.bytes);
          there.bytes = run;
          return sequences::AsItIs(root);
        }));
    if (past) {
      return PastTheEnd(index, size);
    }
    if (in_root) {
      return absl::OkStatus();
    }
  }
  return sequences::ChangeSequence(ns_, transaction_, 0, [&](SequenceEdit::State& state) {
    return index < state.edit.size() ? state.edit.Splice(index, 1, one)
                                     : PastTheEnd(index, state.edit.size());
  });
}

absl::Status Sequence::Splice(std::uint64_t at, std::uint64_t erase,
                              const ElementRun& insert) const {
  return sequences::ChangeSequence(
      ns_, transaction_, 0, [&](SequenceEdit::State& state) -> absl::Status {
        const std::uint64_t size = state.edit.size();
        if (at > size) {
          return PastTheEnd(at, size);
        }
        return state.edit.Splice(at, erase, insert, transaction_ == nullptr);
      });
}

absl::Status Sequence::Clear() const {
  absl::Status cleared = sequences::ChangeSequence(
      ns_, transaction_, 0,
      [](SequenceEdit::State& state) { return state.edit.Splice(0, state.edit.size(), {}); });
  if (absl::IsResourceExhausted(cleared) && transaction_ == nullptr) {
    return ns_.Clear();  // Which needs no room for each node that goes.
  }
  return cleared;
}

absl::Status Sequence::Change(absl::FunctionRef<absl::Status(SequenceEdit&)> change) const {
  return sequences::ChangeSequence(
      ns_, transaction_, 0, [&](SequenceEdit::State& state) -> absl::Status {
        // Lent to the caller for the length of the call, which may end by an exception.
        struct Lent {
          SequenceEdit edit;
          ~Lent() { (void)edit.state_.release(); }
        };
        Lent lent{SequenceEdit(std::unique_ptr<SequenceEdit::State>(&state))};
        absl::Status status = change(lent.edit);
        if (lent.edit.state_ == nullptr) {
          return base::FailedPrecondition("the edit was moved away or published by its callback");
        }
        return status.ok() ? state.failed : std::move(status);
      });
}

absl::StatusOr<SequenceEdit> Sequence::BeginEdit(absl::Duration timeout) const {
  COMMY_ASSIGN_OR_RETURN(Transaction own,
                         api::HandleAccess::StoreOf(ns_).Begin({.timeout = timeout}));
  transactions::TransactionState& within = *api::HandleAccess::StateOf(own);
  const std::shared_ptr<const engine::NamespaceState>& ns = api::HandleAccess::StateOf(ns_);
  COMMY_RETURN_IF_ERROR(within.CheckWrite(*ns, {}));
  auto state = std::make_unique<SequenceEdit::State>(within, ns);
  state->own.emplace(std::move(own));
  state->edit.KeepInMemory();
  COMMY_RETURN_IF_ERROR(sequences::OneMoment(state->edit.Load()));
  return SequenceEdit(std::move(state));
}

}  // namespace commy::internal
