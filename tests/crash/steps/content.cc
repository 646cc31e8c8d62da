#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"

#include "base/status.h"
#include "commy/shared_counter.h"
#include "commy/shared_vec.h"
#include "crash/steps.h"
#include "sequences/root.h"

namespace commy::test {
namespace {

using Vec = SharedVec<std::int64_t>;

// How many nodes are below these entries. DataLoss: one is not there.
absl::StatusOr<std::uint64_t> CountNodes(const Keys& keys, std::string_view bytes,
                                         std::uint32_t level) {
  std::uint64_t count = 0;
  const std::optional<std::vector<sequences::Entry>> entries = sequences::ParseEntries(bytes);
  for (const sequences::Entry& entry : *entries) {
    const auto node = keys.find(std::string(sequences::NodeKey(entry.id).view()));
    if (node == keys.end()) {
      return base::DataLoss("node ", entry.id, " of the vector is not there");
    }
    ++count;
    if (level > 0) {
      COMMY_ASSIGN_OR_RETURN(const std::uint64_t below, CountNodes(keys, node->second, level - 1));
      count += below;
    }
  }
  return count;
}

// Whether the keys of a vector are its root and the nodes that this names, and no others.
absl::Status CheckNodes(const Keys& keys) {
  const auto root_bytes = keys.find("");
  if (root_bytes == keys.end()) {
    return keys.empty() ? absl::OkStatus() : base::DataLoss("nodes of a vector without a root");
  }
  sequences::RootView root;
  COMMY_RETURN_IF_ERROR(sequences::ParseRoot(root_bytes->second, &root));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t nodes, CountNodes(keys, root.entries, root.height));
  return nodes + 1 == keys.size() ? absl::OkStatus()
                                  : base::DataLoss("a vector of ", nodes, " nodes has ",
                                                   keys.size() - 1, " of them as keys");
}

// Appends the content of one namespace. Its keys have to come once each, and in their order.
absl::Status AppendContent(Actor& actor, const Snapshot& now, const NamespaceInfo& info, bool sizes,
                           std::string* text) {
  COMMY_ASSIGN_OR_RETURN(const Namespace ns,
                         actor.store().OpenNamespace(info.path, {.create_if_missing = false}));
  Keys keys;
  ScanRange scan = ns.Scan({.snapshot = &now});
  for (const Entry& entry : scan) {
    if (ns.order() == Order::kOrdered && !keys.empty() && entry.key() <= keys.rbegin()->first) {
      return base::DataLoss("scanned out of order: ", entry.key());
    }
    if (!keys.emplace(entry.key(), entry.value()).second) {
      return base::DataLoss("scanned twice: ", entry.key());
    }
  }
  COMMY_RETURN_IF_ERROR(scan.status());
  absl::StrAppend(text, info.path, ":");
  if (base::ToStd(info.type) == Vec::kDescriptor) {
    COMMY_ASSIGN_OR_RETURN(const Vec vec, actor.store().OpenShared<Vec>(info.path));
    COMMY_ASSIGN_OR_RETURN(const std::vector<std::int64_t> elements, vec.At(now).ToVector());
    COMMY_RETURN_IF_ERROR(CheckNodes(keys));
    absl::StrAppend(text, absl::StrJoin(elements, " "), info.type, ";");
    return absl::OkStatus();
  }
  if (sizes) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, ns.Size());
    absl::StrAppend(text, size);
  }
  for (const auto& [key, value] : keys) {
    absl::StrAppend(text, " ", key, "=", value);
  }
  COMMY_ASSIGN_OR_RETURN(const std::string type, ns.Type());
  absl::StrAppend(text, type);
  if (type == base::ToAbsl(SharedCounter::kDescriptor)) {
    COMMY_ASSIGN_OR_RETURN(const SharedCounter counter,
                           actor.store().OpenShared<SharedCounter>(info.path));
    COMMY_ASSIGN_OR_RETURN(const std::int64_t sum, counter.Value());
    absl::StrAppend(text, sum);
  }
  absl::StrAppend(text, ";");
  return absl::OkStatus();
}

// All by one snapshot: this reader may be the one that gives a stopped transaction its time.
std::string ContentText(Actor& actor, bool sizes) {
  const absl::StatusOr<Snapshot> now = actor.store().TakeSnapshot();
  if (!now.ok()) {
    return Word(now.status());
  }
  for (int attempt = 0; attempt < 4; ++attempt) {  // A listed namespace may be dropped meanwhile.
    const absl::StatusOr<std::vector<NamespaceInfo>> all = actor.store().ListNamespaces();
    if (!all.ok()) {
      return Word(all.status());
    }
    std::string text;
    absl::Status status;
    for (const NamespaceInfo& info : *all) {
      status.Update(AppendContent(actor, *now, info, sizes, &text));
    }
    if (status.ok()) {
      return text;
    }
    if (!absl::IsNotFound(status) && !IsNamespaceDropped(status)) {
      return Word(status);
    }
  }
  return "listed, but not there";
}

}  // namespace

Step Content(bool sizes) {
  return {sizes ? "content and sizes" : "content",
          [=](Actor& actor) { return ContentText(actor, sizes); },
          [=](Model& model) {
            std::string text;
            for (const auto& [path, content] : model.names) {
              absl::StrAppend(&text, path, ":");
              if (content.type == Vec::kDescriptor) {
                absl::StrAppend(&text, absl::StrJoin(content.elements, " "), content.type, ";");
                continue;
              }
              if (sizes) {
                absl::StrAppend(&text, content.keys.size());
              }
              absl::StrAppend(&text, content.keys.Text(), content.type);
              if (content.type == SharedCounter::kDescriptor) {
                absl::StrAppend(&text, content.sum);
              }
              absl::StrAppend(&text, ";");
            }
            return text;
          }};
}

}  // namespace commy::test
