#include "demo/dataset.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "line_reader.h"

namespace commy::tools::demo {
namespace {

std::string FirstReadable(std::initializer_list<const char*> paths) {
  const auto* const found = std::find_if(
      paths.begin(), paths.end(), [](const char* path) { return ::access(path, R_OK) == 0; });
  return found != paths.end() ? *found : *paths.begin();
}

absl::Status Missing(const std::string& path, std::string_view what, std::string_view package) {
  return base::FailedPrecondition(path, ": ", base::ToAbsl(what),
                                  "; install the package that has it (Debian: apt-get install ",
                                  base::ToAbsl(package), ")");
}

// Calls use(line, number) for each line; the error says which package to install.
template <typename Use>
absl::Status ForEachLine(const std::string& path, std::string_view package, Use use) {
  absl::StatusOr<LineReader> reader = LineReader::Open(path);
  if (!reader.ok()) {
    return Missing(path, "the demo needs this file and cannot open it", package);
  }
  std::uint64_t number = 0;
  for (std::string_view line;;) {
    COMMY_ASSIGN_OR_RETURN(const bool more, reader->Next(line));
    if (!more) {
      return absl::OkStatus();
    }
    COMMY_RETURN_IF_ERROR(use(line, ++number));
  }
}

constexpr std::string_view kUnicodePackage = "unicode-data";
constexpr std::string_view kWordsPackage = "wamerican";

}  // namespace

std::string_view NamespaceOf(Source source) {
  return source == Source::kUnicode ? "demo/unicode" : "demo/words";
}

DatasetFiles FindDatasetFiles() {
  return DatasetFiles{
      .unicode = FirstReadable(
          {"/usr/share/unicode/UnicodeData.txt", "/usr/share/unicode/ucd/UnicodeData.txt"}),
      .words = FirstReadable({"/usr/share/dict/american-english", "/usr/share/dict/words"})};
}

absl::StatusOr<Dataset> Dataset::Load(const DatasetFiles& files) {
  Dataset dataset;
  COMMY_RETURN_IF_ERROR(dataset.LoadUnicode(files.unicode));
  COMMY_RETURN_IF_ERROR(dataset.LoadWords(files.words));
  return dataset;
}

std::optional<std::size_t> Dataset::Find(Source source, std::string_view key) const {
  const auto& keys = by_key_[static_cast<std::size_t>(source)];
  const auto found = keys.find(std::string(key));
  return found != keys.end() ? std::optional<std::size_t>(found->second) : std::nullopt;
}

void Dataset::Add(Item item) {
  auto& keys = by_key_[static_cast<std::size_t>(item.source)];
  if (keys.try_emplace(item.key, items_.size()).second) {
    items_.push_back(std::move(item));
  }
}

absl::Status Dataset::LoadUnicode(const std::string& path) {
  COMMY_RETURN_IF_ERROR(
      ForEachLine(path, kUnicodePackage, [&](std::string_view line, std::uint64_t number) {
        const std::vector<std::string> fields = absl::StrSplit(base::ToAbsl(line), ';');
        if (fields.size() < 3 || fields[0].empty()) {
          return Missing(path, absl::StrCat("line ", number, " is not of UnicodeData.txt"),
                         kUnicodePackage);
        }
        Add(Item{Source::kUnicode, fields[0], absl::StrCat(fields[1], " (", fields[2], ")")});
        return absl::OkStatus();
      }));
  return CountOf(Source::kUnicode) > 0 ? absl::OkStatus()
                                       : Missing(path, "this file is empty", kUnicodePackage);
}

absl::Status Dataset::LoadWords(const std::string& path) {
  COMMY_RETURN_IF_ERROR(
      ForEachLine(path, kWordsPackage, [&](std::string_view line, std::uint64_t number) {
        Add(Item{Source::kWords, std::string(line), absl::StrCat("line ", number)});
        return absl::OkStatus();
      }));
  return CountOf(Source::kWords) > 0 ? absl::OkStatus()
                                     : Missing(path, "this file is empty", kWordsPackage);
}

}  // namespace commy::tools::demo
