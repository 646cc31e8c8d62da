#include "sequences/nodes.h"

#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::sequences {
namespace {

constexpr char kMoved[] = "a node of the sequence was replaced";

// The run that a leaf's bytes are. False: they are none.
bool ToRun(const Entry& entry, std::string_view bytes, ElementRun* run) {
  *run = {0, entry.count, bytes};
  if (entry.variable == 0) {
    if (entry.count == 0 || bytes.empty() || bytes.size() % entry.count != 0 ||
        bytes.size() / entry.count > UINT32_MAX) {
      return false;
    }
    run->width = static_cast<std::uint32_t>(bytes.size() / entry.count);
  }
  return IsWhole(*run);
}

// The entries that an inner node's bytes are. False: they are none.
bool ToEntries(const Entry& entry, std::string_view bytes, std::vector<Entry>* entries) {
  std::optional<std::vector<Entry>> parsed = ParseEntries(bytes);
  if (!parsed.has_value() || parsed->empty() || !HaveTogether(*parsed, entry.count)) {
    return false;
  }
  *entries = *std::move(parsed);
  return true;
}

}  // namespace

absl::Status Moved() {
  return absl::UnavailableError(kMoved);
}
bool IsMoved(const absl::Status& status) {
  return absl::IsUnavailable(status) && status.message() == kMoved;
}
absl::Status DamagedNode(std::uint64_t id) {
  return base::DataLoss("node ", id, " of the sequence is damaged, or another program wrote there");
}

absl::Status ReadLeaf(NodeReader& reader, const Entry& entry,
                      absl::FunctionRef<void(const ElementRun&)> use) {
  bool damaged = false;
  COMMY_ASSIGN_OR_RETURN(const bool there,
                         reader.Read(NodeKey(entry.id).view(), [&](std::string_view bytes) {
                           ElementRun run;
                           damaged = !ToRun(entry, bytes, &run);
                           if (!damaged) {
                             use(run);
                           }
                         }));
  if (!there) {
    return Moved();
  }
  return damaged ? DamagedNode(entry.id) : absl::OkStatus();
}

absl::StatusOr<std::vector<Entry>> ReadInner(NodeReader& reader, const Entry& entry) {
  std::vector<Entry> entries;
  bool damaged = false;
  COMMY_ASSIGN_OR_RETURN(const bool there,
                         reader.Read(NodeKey(entry.id).view(), [&](std::string_view bytes) {
                           damaged = !ToEntries(entry, bytes, &entries);
                         }));
  if (!there) {
    return Moved();
  }
  return damaged ? absl::StatusOr<std::vector<Entry>>(DamagedNode(entry.id)) : std::move(entries);
}

// Looks at the new nodes first.
class NodeSet::Reader : public NodeReader {
 public:
  explicit Reader(const NodeSet& set, std::uint64_t id) : set_(set), id_(id) {}
  absl::StatusOr<bool> Read(std::string_view key,
                            absl::FunctionRef<void(std::string_view)> use) override {
    const auto found = set_.added_.find(id_);
    if (found == set_.added_.end()) {
      return set_.reader_.Read(key, use);
    }
    use(found->second.bytes());
    return true;
  }

 private:
  const NodeSet& set_;
  const std::uint64_t id_;
};

absl::Status NodeSet::WithLeaf(const Entry& entry,
                               absl::FunctionRef<void(const ElementRun&)> use) const {
  Reader reader(*this, entry.id);
  return ReadLeaf(reader, entry, use);
}

absl::StatusOr<RunBuilder> NodeSet::Leaf(const Entry& entry) const {
  RunBuilder leaf;
  COMMY_RETURN_IF_ERROR(WithLeaf(entry, [&leaf](const ElementRun& run) { leaf.Append(run); }));
  return leaf;
}

absl::StatusOr<std::vector<Entry>> NodeSet::Inner(const Entry& entry) const {
  Reader reader(*this, entry.id);
  return ReadInner(reader, entry);
}

absl::Status NodeSet::Bytes(std::uint64_t id, std::string* bytes) const {
  Reader reader(*this, id);
  COMMY_ASSIGN_OR_RETURN(
      const bool there,
      reader.Read(NodeKey(id).view(), [bytes](std::string_view read) { bytes->assign(read); }));
  return there ? absl::OkStatus() : Moved();
}

void NodeSet::Add(std::uint64_t id, std::string_view bytes, bool lasting) {
  COMMY_DCHECK(!bytes.empty());
  New made;
  if (lasting) {
    made.lasting = bytes;
  } else {
    made.own = std::string(bytes);
  }
  const bool is_new = added_.insert_or_assign(id, std::move(made)).second;
  COMMY_DCHECK(is_new);
  (void)is_new;
}

absl::Status NodeSet::Drop(std::uint64_t id) {
  if (added_.erase(id) != 0) {
    return absl::OkStatus();
  }
  // Of a file that is not trusted, a node may be in two places.
  return dropped_.insert(id).second ? absl::OkStatus() : DamagedNode(id);
}

void NodeSet::Forget() {
  added_.clear();
  dropped_.clear();
}

}  // namespace commy::sequences
