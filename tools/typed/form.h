// How a command shows and takes the keys and values of one namespace: as its type says, or as the
// bytes they are.
//
//   COMMY_ASSIGN_OR_RETURN(const Form form, Form::Of(store, ns, options));
//   COMMY_ASSIGN_OR_RETURN(const std::string key, form.ParseKey("30,bob"));
//   COMMY_RETURN_IF_ERROR(form.AppendTsv(record, out));     // "30,bob\tsilver\n"
//
// FORMS     A namespace with a type: typed keys and values; see key_text.h and value_text.h. One
//           without: bytes, but keys of the type of --key if that was given. With --raw-bytes all
//           are bytes.
// LINES     A record of a map is its key and its value, one of a set only its key, one of a box or
//           counter only its value. So are lines of tsv, and objects of jsonl. A vector, deque or
//           string has elements instead of records: see elements/lines.h.
// ERRORS    Parsing: InvalidArgument with the namespace's name and type, which of key and value,
//           the place in it, and what was expected there. Formatting: FailedPrecondition, if what
//           is stored is not of the type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/commy.h"
#include "jsonl.h"
#include "record.h"
#include "types/descriptor.h"

namespace commy::tools {

struct FormOptions {
  bool raw_bytes = false;
  std::optional<types::Type> key = std::nullopt;
};

// --raw-bytes and --key.
void AddFormOptions(CLI::App& command, FormOptions& options);

// The bytes of a record that lies elsewhere.
struct RecordView {
  std::string_view key;
  std::string_view value;
  absl::Duration ttl = absl::InfiniteDuration();  // As of a Record.
  std::optional<std::int64_t> expiry_ns = std::nullopt;
};

class Form {
 public:
  // InvalidArgument: the namespace has another type of key than --key says.
  static absl::StatusOr<Form> Of(const Store& store, const Namespace& ns,
                                 const FormOptions& options);
  // As if the namespace had the type.
  static absl::StatusOr<Form> OfType(const Namespace& ns, const std::string& type);

  [[nodiscard]] bool raw_bytes() const { return raw_bytes_; }
  // The type of the namespace, also with --raw-bytes; empty: it has none.
  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] bool IsSet() const { return Is(types::ContainerKind::kSet); }
  [[nodiscard]] bool IsBox() const { return Is(types::ContainerKind::kBox); }
  [[nodiscard]] bool IsCounter() const { return Is(types::ContainerKind::kCounter); }
  [[nodiscard]] bool HasKeys() const { return !IsBox() && !IsCounter(); }
  // Of elements, not of keys and values: a vector, deque or string. Not with --raw-bytes. Its
  // values are the elements, or the text.
  [[nodiscard]] bool HasElements() const {
    return !raw_bytes_ && (IsVec() || IsDeque() || IsString());
  }
  [[nodiscard]] bool IsVec() const { return Is(types::ContainerKind::kVec); }
  [[nodiscard]] bool IsDeque() const { return Is(types::ContainerKind::kDeque); }
  [[nodiscard]] bool IsString() const { return Is(types::ContainerKind::kString); }
  // "box", "rate_limiter"; of a namespace with a type.
  [[nodiscard]] std::string_view KindName() const { return types::NameOf(*kind_); }
  // A leader, semaphore, latch, rate limiter or computed map; also with --raw-bytes.
  [[nodiscard]] bool IsOfPrograms() const { return kind_ >= types::ContainerKind::kLeader; }
  // InvalidArgument: only programs use it, as a leader. Never with --raw-bytes.
  [[nodiscard]] absl::Status CheckIsShown() const;
  // Of a map, box, vector or deque, and of a string; null: values are bytes.
  [[nodiscard]] const types::Type* value() const { return value_ ? &*value_ : nullptr; }

  [[nodiscard]] absl::StatusOr<std::string> ParseKey(std::string_view text) const;
  // InvalidArgument for a key that is not to be put: see tools::CheckNewKey().
  [[nodiscard]] absl::Status CheckNewKey(std::string_view bytes) const;
  [[nodiscard]] absl::StatusOr<std::string> ParseValue(std::string_view text) const;
  // The same for a line of a file: a value that is a struct may lack its last fields, as an older
  // value that was dumped does.
  [[nodiscard]] absl::StatusOr<std::string> ParseStored(std::string_view text) const;
  [[nodiscard]] absl::StatusOr<std::string> StoredFromJson(const Json& json) const;
  // The value of a line's object.
  [[nodiscard]] absl::StatusOr<std::string> TakeValue(const Json& object) const;
  // The range of keys that texts describe: whole keys, or the first parts of a key of several
  // parts. Of a box or counter, whose keys have no text, only an empty range can be parsed.
  [[nodiscard]] absl::Status ParseRange(ScanOptions& range) const;
  [[nodiscard]] absl::StatusOr<std::string> FormatKey(std::string_view bytes) const;
  [[nodiscard]] absl::StatusOr<std::string> FormatValue(std::string_view bytes) const;
  [[nodiscard]] absl::StatusOr<Json> JsonOfValue(std::string_view bytes) const;

  // One record as a line. `keys_only`: without its value.
  absl::Status AppendTsv(const RecordView& record, bool keys_only, std::string& out) const;
  absl::Status AppendRaw(const RecordView& record, bool keys_only, std::string& out) const;
  absl::Status AppendJson(const RecordView& record, bool keys_only, std::string& out) const;
  // The same for a dump, which can be read back exactly: a key or value that the type's JSON cannot
  // tell exactly, or that is not of the type, is in key_base64 or value_base64.
  void AppendJsonOfDump(const RecordView& record, std::string& out) const;
  // Sets "value" or "value_base64" so.
  void SetExactValue(std::string_view bytes, Json& object) const;

  // Reads a line (without its newline); values as ParseStored() takes them. What is in key_base64
  // or value_base64 is taken as it is.
  [[nodiscard]] absl::StatusOr<Record> ParseTsv(std::string_view line) const;
  [[nodiscard]] absl::StatusOr<Record> ParseJsonRecord(std::string_view line) const;
  // Whether the bytes of a record are of the type. Any are of a container that has other records
  // than keys and values.
  [[nodiscard]] absl::Status Check(const Record& record) const;

 private:
  explicit Form(std::string name) : name_(std::move(name)) {}
  void SetType(types::ContainerType container, bool raw_bytes);
  [[nodiscard]] bool Is(types::ContainerKind kind) const { return kind_ == kind; }
  [[nodiscard]] absl::Status Fault(std::string_view what, const absl::Status& status) const;
  [[nodiscard]] absl::Status Damage(std::string_view what, const absl::Status& status) const;
  absl::Status AppendFields(const RecordView& record, bool keys_only,
                            void (*append)(std::string_view, std::string&), std::string& out) const;
  [[nodiscard]] absl::StatusOr<std::string> ParseBound(std::string_view text) const;
  [[nodiscard]] absl::Status CheckText(std::string_view bytes) const;
  [[nodiscard]] absl::StatusOr<std::string> TakeKey(const Json& object) const;

  std::string name_;  // Of the namespace.
  std::string type_;
  std::optional<types::ContainerKind> kind_;
  bool raw_bytes_ = false;
  std::optional<types::Type> key_;    // nullopt: bytes.
  std::optional<types::Type> value_;  // The same.
  bool shows_key_ = true;             // Lines have keys.
  bool shows_value_ = true;           // Lines have values.
};

}  // namespace commy::tools
