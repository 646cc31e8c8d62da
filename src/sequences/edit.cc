#include "sequences/edit.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::sequences {
namespace {

// How many elements at an end of the run have at most that many bytes together; at least one.
std::uint64_t FittingAt(const ElementRun& run, bool back, std::uint64_t most_bytes) {
  if (run.width != 0) {
    return std::min(run.count, std::max<std::uint64_t>(1, most_bytes / run.width));
  }
  std::uint64_t fitting = 1;
  if (back) {
    // The first from which on they fit.
    std::uint64_t from = 0;
    std::uint64_t at = 0;
    while (from + 1 < run.count && run.bytes.size() - at > most_bytes) {
      at += *OffsetOf({0, 1, run.bytes.substr(at)}, 1);
      ++from;
    }
    fitting = run.count - from;
  } else {
    while (fitting < run.count && *OffsetOf(run, fitting + 1) <= most_bytes) {
      ++fitting;
    }
  }
  return fitting;
}

}  // namespace

Edit::Edit(NodeReader& reader, std::uint64_t fresh_node)
    : reader_(reader), sizes_(internal::SizesOfSequences()), nodes_(reader), tree_(nodes_, sizes_) {
  tree_.Set({}, 0, fresh_node);
}

void Edit::KeepInMemory() {
  sizes_.run_bytes = sizes_.bulk_leaf_bytes;
}

absl::Status Edit::Load() {
  absl::Status parsed;
  COMMY_ASSIGN_OR_RETURN(const bool there, reader_.Read({}, [&](std::string_view bytes) {
    RootView root;
    parsed = ParseRoot(bytes, &root);
    if (!parsed.ok()) {
      return;
    }
    loaded_root_ = std::string(bytes);
    std::optional<std::vector<Entry>> entries = ParseEntries(root.entries);
    if (!HaveTogether(*entries, root.tree_count)) {
      parsed = base::DataLoss("the root of the sequence is damaged");
      return;
    }
    tree_.Set(*std::move(entries), root.height, root.next_node);
    front_.Append(root.front);
    back_.Append(root.back);
    queue_ = std::string(root.queue);
    loaded_size_ = size();
  }));
  (void)there;
  return parsed;
}

absl::Status Edit::SpliceRun(RunBuilder& run, std::uint64_t at, std::uint64_t erase,
                             const ElementRun& insert) {
  if (erase == 0 && at == run.count()) {
    run.Append(insert);  // Without a copy of what is there.
    return absl::OkStatus();
  }
  RunBuilder made;
  made.Append(*Slice(run.run(), 0, at));
  made.Append(insert);
  made.Append(*Slice(run.run(), at + erase, run.count()));
  run = std::move(made);
  return absl::OkStatus();
}

absl::Status Edit::FlushFront() {
  COMMY_RETURN_IF_ERROR(tree_.Splice(0, 0, front_.run(), false));
  front_.Clear();
  return absl::OkStatus();
}

absl::Status Edit::FlushBack() {
  COMMY_RETURN_IF_ERROR(tree_.Splice(tree_.count(), 0, back_.run(), false));
  back_.Clear();
  return absl::OkStatus();
}

absl::Status Edit::Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert,
                          bool lasting) {
  if (at > size() || erase > size() - at) {
    return base::OutOfRange("the sequence has ", size(), " elements; a change of ", erase, " from ",
                            at, " on is past its end");
  }
  if (insert.count > UINT64_MAX / 4 - size()) {
    return base::OutOfRange("the sequence cannot have that many elements");
  }
  const std::uint64_t tree_from = front_.count();
  const std::uint64_t back_from = front_.count() + tree_.count();
  const bool small = insert.bytes.size() <= sizes_.run_bytes;
  if (small && at + erase <= tree_from && (at < tree_from || (at == 0 && back_from != 0))) {
    COMMY_RETURN_IF_ERROR(SpliceRun(front_, at, erase, insert));
    return front_.size_bytes() > sizes_.run_bytes ? FlushFront() : absl::OkStatus();
  }
  if (small && at >= back_from) {
    COMMY_RETURN_IF_ERROR(SpliceRun(back_, at - back_from, erase, insert));
    return back_.size_bytes() > sizes_.run_bytes ? FlushBack() : absl::OkStatus();
  }
  if (at < tree_from && front_.count() > 0) {
    COMMY_RETURN_IF_ERROR(FlushFront());
  }
  if (at + erase > front_.count() + tree_.count() ||
      (at == front_.count() + tree_.count() && back_.count() > 0)) {
    COMMY_RETURN_IF_ERROR(FlushBack());
  }
  return tree_.Splice(at - front_.count(), erase, insert, lasting);
}

absl::Status Edit::Find(std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use) const {
  COMMY_DCHECK(index < size());
  if (index < front_.count()) {
    use(*Slice(front_.run(), index, front_.count()));
    return absl::OkStatus();
  }
  index -= front_.count();
  if (index >= tree_.count()) {
    use(*Slice(back_.run(), index - tree_.count(), back_.count()));
    return absl::OkStatus();
  }
  return tree_.Find(index, use);
}

std::uint64_t Edit::AddItem(std::string_view bytes) {
  const std::uint64_t node = tree_.TakeNode();
  nodes_.Add(node, bytes, false);
  return node;
}

absl::Status Edit::ReadItem(std::uint64_t node, std::string* bytes) const {
  return nodes_.Bytes(node, bytes);
}

absl::Status Edit::Refill(bool back) {
  RunBuilder& run = back ? back_ : front_;
  if (run.count() > 0 || tree_.count() == 0) {
    return absl::OkStatus();
  }
  RunBuilder leaf;
  COMMY_RETURN_IF_ERROR(tree_.LeafAt(back, [&](const ElementRun& found) { leaf.Append(found); }));
  const ElementRun all = leaf.run();
  const std::uint64_t take = FittingAt(all, back, sizes_.run_bytes);
  run.Append(*Slice(all, back ? all.count - take : 0, take));
  return tree_.Splice(back ? tree_.count() - take : 0, take, {}, false);
}

absl::Status Edit::CheckUnchanged() {
  bool same = loaded_root_.empty();
  COMMY_ASSIGN_OR_RETURN(const bool there, reader_.Read({}, [&](std::string_view bytes) {
    same = bytes == loaded_root_;
  }));
  return same && (there || loaded_root_.empty())
             ? absl::OkStatus()
             : base::FailedPrecondition(
                   "the callback of a change has changed the same container in the same "
                   "transaction; make one change after the other");
}

absl::Status Edit::Publish(transactions::TransactionState& transaction,
                           const std::shared_ptr<const engine::NamespaceState>& ns, bool lasting) {
  const std::uint64_t run_bytes = internal::SizesOfSequences().run_bytes;
  if (front_.size_bytes() > run_bytes) {
    COMMY_RETURN_IF_ERROR(FlushFront());
  }
  if (back_.size_bytes() > run_bytes) {
    COMMY_RETURN_IF_ERROR(FlushBack());
  }
  RootView root;
  root.height = tree_.height();
  root.tree_count = tree_.count();
  root.next_node = tree_.next_node();
  root.entries = BytesOf(tree_.entries());
  root.front = front_.run();
  root.back = back_.run();
  root.queue = queue_;
  EncodeRoot(root, &root_);
  COMMY_RETURN_IF_ERROR(transaction.CheckWrite(*ns, {}));
  if (!lasting) {
    COMMY_RETURN_IF_ERROR(CheckUnchanged());
  }
  transaction.MustStay(ns, {});
  // From here on nothing fails: what a transaction has of a change is the whole of it.
  transactions::WriteSet& writes = transaction.writes();
  const auto put = [&](std::string_view key, std::string_view value) {
    return lasting ? writes.PutLasting(ns, key, value) : writes.PutUntil(ns, key, value, 0);
  };
  for (const auto& [id, node] : nodes_.added()) {
    COMMY_RETURN_IF_ERROR(put(NodeKey(id).view(), node.bytes()));
  }
  for (const std::uint64_t id : nodes_.dropped()) {
    COMMY_RETURN_IF_ERROR(writes.Delete(ns, NodeKey(id).view()));
  }
  if (lasting && size() < loaded_size_) {  // Of its own: it takes elements away, and no more.
    writes.SetFrees();
  }
  return put({}, root_);
}

}  // namespace commy::sequences

namespace commy::internal {
namespace {

SequenceSizes sizes;

}  // namespace

const SequenceSizes& SizesOfSequences() {
  return sizes;
}
void SetSequenceSizes(const SequenceSizes& wanted) {
  sizes = wanted;
}

}  // namespace commy::internal
