// The demo's input: Unicode character names and English words, from files that Debian installs. The
// writers take their values from it, and every reader checks against it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"

namespace commy::tools::demo {

enum class Source : std::uint8_t { kUnicode = 0, kWords = 1 };
inline constexpr std::size_t kSourceCount = 2;

// The namespace of a source's keys.
std::string_view NamespaceOf(Source source);

struct Item {
  Source source = Source::kUnicode;
  std::string key;   // "1F600"; "serendipity"
  std::string text;  // "GRINNING FACE (So)"; "line 79803"
};

struct DatasetFiles {
  std::string unicode;
  std::string words;
};

// Where the files usually are: the first that exists, else the first of the usual paths.
DatasetFiles FindDatasetFiles();

class Dataset {
 public:
  // Reads both files. FailedPrecondition names the file that is missing, unreadable or malformed,
  // and its package.
  static absl::StatusOr<Dataset> Load(const DatasetFiles& files);

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  // An index into items().
  [[nodiscard]] std::optional<std::size_t> Find(Source source, std::string_view key) const;
  [[nodiscard]] std::size_t CountOf(Source source) const {
    return by_key_[static_cast<std::size_t>(source)].size();
  }

 private:
  // Ignores a key that is there already.
  void Add(Item item);
  absl::Status LoadUnicode(const std::string& path);
  absl::Status LoadWords(const std::string& path);

  std::vector<Item> items_;
  std::array<std::unordered_map<std::string, std::size_t>, kSourceCount> by_key_;
};

}  // namespace commy::tools::demo
