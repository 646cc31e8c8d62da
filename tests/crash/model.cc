#include "crash/model.h"

#include "absl/strings/str_cat.h"

#include "base/hash.h"

namespace commy::test {

ModelKeys::Map& ModelKeys::Edit() {
  if (node_.use_count() != 1) {
    node_ = std::make_shared<Node>(*node_);
  }
  node_->text.clear();
  node_->digest.clear();
  return node_->map;
}

const std::string& ModelKeys::Text() const {
  if (node_->text.empty()) {
    for (const auto& [key, value] : node_->map) {
      absl::StrAppend(&node_->text, " ", key, "=", value);
    }
  }
  return node_->text;
}

const std::string& ModelKeys::Digest() const {
  if (node_->digest.empty()) {
    node_->digest =
        absl::StrCat(absl::Hex(base::HashKey(Text(), 1)), absl::Hex(base::HashKey(Text(), 2)));
  }
  return node_->digest;
}

Model::Content* Model::ById(std::uint64_t id) {
  for (auto& [path, content] : names) {
    if (content.id == id) {
      return &content;
    }
  }
  return nullptr;
}

}  // namespace commy::test
