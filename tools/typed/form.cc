#include "typed/form.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "tsv.h"
#include "typed/key_text.h"
#include "typed/parts.h"
#include "typed/value_text.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using base::InvalidArgument;
using types::Kind;
using types::Type;

absl::Status CheckMembers(const Json& object, std::initializer_list<std::string_view> known) {
  for (const auto& [name, member] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return InvalidArgument("an unknown member ", Json(name).dump(), " (", Found(member), ")");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> CounterFromText(std::string_view text) {
  std::int64_t number = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(text), &number)) {
    return InvalidArgument("expected a whole number of 64 bits, found ",
                           Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return number;
}

// A type that has only the first fields of a struct.
Type Shortened(const Type& type, std::size_t fields) {
  Type shorter = type;
  shorter.parts.resize(fields);
  shorter.field_names.resize(fields);
  return shorter;
}

}  // namespace

void AddFormOptions(CLI::App& command, FormOptions& options) {
  CLI::Option* const raw =
      command.add_flag("--raw-bytes", options.raw_bytes,
                       "Keys and values are bytes as they are, although the namespace has a type");
  const auto parse = [&options](const std::string& text) {
    absl::StatusOr<Type> type = KeyTypeFromOption(text);
    if (!type.ok()) {
      throw CLI::ValidationError("--key", std::string(base::ToStd(type.status().message())));
    }
    options.key = *std::move(type);
  };
  command
      .add_option_function<std::string>(
          "--key", parse,
          "Type of the keys of a namespace without a type: int, uint, float, str, any type of "
          "docs/types.md, or several with commas between them")
      ->type_name("TYPE,...")
      ->excludes(raw);
}

absl::StatusOr<Form> Form::Of(const Store& store, const Namespace& ns, const FormOptions& options) {
  Form form(ns.path());
  absl::StatusOr<std::string> type = ns.Type();
  if (!type.ok()) {
    return Explain(store, type.status());
  }
  form.type_ = *std::move(type);
  if (form.type_.empty()) {
    form.key_ = options.key;
    return form;
  }
  absl::StatusOr<types::ContainerType> container = types::ParseContainer(form.type_);
  if (!container.ok()) {
    return Explain(store, base::DataLoss("namespace \"", ns.path(), "\": the text of its type: ",
                                         container.status().message()));
  }
  if (options.key.has_value() && options.key != container->key) {
    return Explain(store,
                   InvalidArgument("--key says ", types::ToText(*options.key), ", but namespace \"",
                                   ns.path(), "\" has the type ", form.type_, "; leave --key out"));
  }
  form.SetType(*std::move(container), options.raw_bytes);
  return form;
}

absl::StatusOr<Form> Form::OfType(const Namespace& ns, const std::string& type) {
  COMMY_ASSIGN_OR_RETURN(types::ContainerType container, types::ParseContainer(type));
  Form form(ns.path());
  form.type_ = type;
  form.SetType(std::move(container), /*raw_bytes=*/false);
  return form;
}

void Form::SetType(types::ContainerType container, bool raw_bytes) {
  kind_ = container.kind;
  raw_bytes_ = raw_bytes;
  shows_key_ = HasKeys() || (raw_bytes && !IsCounter());
  shows_value_ = !IsSet() || raw_bytes;
  if (!raw_bytes) {
    key_ = std::move(container.key);
    value_ = std::move(container.value);
    if (IsString()) {
      value_.emplace().kind = Kind::kString;
    }
  }
}

absl::Status Form::CheckIsShown() const {
  if (!IsOfPrograms() || raw_bytes_) {
    return absl::OkStatus();
  }
  return InvalidArgument("namespace \"", name_, "\" has the type ", type_,
                         ", which only programs use: the shell does not show or edit it; ",
                         "--raw-bytes shows its records as they are");
}

// --- Faults -------------------------------------------------------------------------------------

absl::Status Form::Fault(std::string_view what, const absl::Status& status) const {
  const bool is_key = what == "key";
  const std::optional<Type>& type = is_key ? key_ : value_;
  const std::string_view word = is_key || !HasElements() ? what : IsString() ? "text" : "element";
  return InvalidArgument(
      "namespace \"", name_, "\": the ", base::ToAbsl(word),
      type.has_value() ? absl::StrCat(" (", types::ToText(*type), ")") : std::string(), ": ",
      status.message());
}

absl::Status Form::Damage(std::string_view what, const absl::Status& status) const {
  return base::FailedPrecondition(
      "namespace \"", name_, "\" has the type ", type_.empty() ? types::ToText(*key_) : type_,
      ", but a ", base::ToAbsl(what), " in it is not of that type: ", status.message(),
      type_.empty() ? "; leave --key out to see the bytes" : "; --raw-bytes shows the bytes");
}

// --- Keys and values ----------------------------------------------------------------------------

absl::StatusOr<std::string> Form::ParseKey(std::string_view text) const {
  if (!shows_key_ && !text.empty()) {
    return InvalidArgument("namespace \"", name_, "\" is a ", IsBox() ? "box" : "counter",
                           ", which has no keys; leave the key out, or give ''");
  }
  if (!key_.has_value()) {
    return std::string(text);
  }
  absl::StatusOr<std::string> bytes = tools::ParseKey(*key_, text);
  return bytes.ok() ? std::move(bytes) : Fault("key", bytes.status());
}

absl::Status Form::CheckNewKey(std::string_view bytes) const {
  if (!key_.has_value()) {
    return absl::OkStatus();
  }
  const absl::Status checked = tools::CheckNewKey(*key_, bytes);
  return checked.ok() ? checked : Fault("key", checked);
}

absl::StatusOr<std::string> Form::ParseValue(std::string_view text) const {
  if (!shows_value_ && !text.empty()) {
    return InvalidArgument("namespace \"", name_,
                           "\" is a set, which has no values; leave the value out, or give ''");
  }
  if (IsCounter()) {
    const absl::StatusOr<std::int64_t> number = CounterFromText(text);
    return number.ok() ? absl::StatusOr<std::string>(std::to_string(*number))
                       : Fault("value", number.status());
  }
  if (!value_.has_value()) {
    return std::string(text);
  }
  absl::StatusOr<std::string> bytes = tools::ParseValue(*value_, text);
  if (!bytes.ok()) {
    return Fault("value", bytes.status());
  }
  COMMY_RETURN_IF_ERROR(CheckText(*bytes));
  return bytes;
}

// The text of a string is UTF-8, which a value of the type need not be.
absl::Status Form::CheckText(std::string_view bytes) const {
  if (!HasElements() || !IsString()) {
    return absl::OkStatus();
  }
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t character = Utf8SequenceBytes(bytes.substr(at));
    if (character == 0) {
      return Fault("value", InvalidArgument("expected UTF-8, which ends at byte ", at));
    }
    at += character;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Form::ParseBound(std::string_view text) const {
  if (!key_.has_value()) {
    return std::string(text);
  }
  absl::StatusOr<std::string> bytes =
      HasKeyParts(*key_) ? ParseKeyPrefix(*key_, text) : tools::ParseKey(*key_, text);
  return bytes.ok() ? std::move(bytes) : Fault("key", bytes.status());
}

absl::Status Form::ParseRange(ScanOptions& range) const {
  if (!shows_key_ && !(range.from.empty() && range.to.empty() && range.prefix.empty())) {
    return InvalidArgument("namespace \"", name_, "\" is a ", IsBox() ? "box" : "counter",
                           ", which has no keys; leave --from, --to and --prefix out");
  }
  for (std::string* const bound : {&range.from, &range.to}) {
    if (!bound->empty()) {
      COMMY_ASSIGN_OR_RETURN(*bound, ParseBound(*bound));
    }
  }
  if (!range.prefix.empty() && key_.has_value()) {
    absl::StatusOr<std::string> prefix = ParseKeyPrefix(*key_, range.prefix);
    if (!prefix.ok()) {
      return Fault("key", prefix.status());
    }
    range.prefix = *std::move(prefix);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Form::FormatKey(std::string_view bytes) const {
  if (!key_.has_value()) {
    return std::string(bytes);
  }
  absl::StatusOr<std::string> text = tools::FormatKey(*key_, bytes);
  return text.ok() ? std::move(text) : Damage("key", text.status());
}

absl::StatusOr<std::string> Form::FormatValue(std::string_view bytes) const {
  if (!value_.has_value()) {
    return std::string(bytes);
  }
  absl::StatusOr<std::string> text = tools::FormatValue(*value_, bytes);
  return text.ok() ? std::move(text) : Damage(HasElements() ? "element" : "value", text.status());
}

absl::StatusOr<Json> Form::JsonOfValue(std::string_view bytes) const {
  absl::StatusOr<Json> value = ValueToJson(*value_, bytes);
  return value.ok() ? std::move(value)
                    : Damage(HasElements() ? "element" : "value", value.status());
}

// --- Lines that are written ---------------------------------------------------------------------

// Bytes that have no type are not copied: a value may be large.
absl::Status Form::AppendFields(const RecordView& record, bool keys_only,
                                void (*append)(std::string_view, std::string&),
                                std::string& out) const {
  const bool has_value = shows_value_ && !keys_only;
  std::string key;
  std::string value;
  if (shows_key_ && key_.has_value()) {
    COMMY_ASSIGN_OR_RETURN(key, FormatKey(record.key));
  }
  if (has_value && value_.has_value()) {
    COMMY_ASSIGN_OR_RETURN(value, FormatValue(record.value));
  }
  if (shows_key_) {
    append(key_.has_value() ? std::string_view(key) : record.key, out);
  }
  if (has_value) {
    out += shows_key_ ? "\t" : "";
    append(value_.has_value() ? std::string_view(value) : record.value, out);
  }
  out += '\n';
  return absl::OkStatus();
}

absl::Status Form::AppendTsv(const RecordView& record, bool keys_only, std::string& out) const {
  return AppendFields(record, keys_only, AppendTsvField, out);
}

absl::Status Form::AppendRaw(const RecordView& record, bool keys_only, std::string& out) const {
  const auto append = [](std::string_view bytes, std::string& to) { to += bytes; };
  return AppendFields(record, keys_only, append, out);
}

absl::Status Form::AppendJson(const RecordView& record, bool keys_only, std::string& out) const {
  Json object = Json::object();
  if (shows_key_ && key_.has_value()) {
    absl::StatusOr<Json> key = KeyToJson(*key_, record.key);
    if (!key.ok()) {
      return Damage("key", key.status());
    }
    object["key"] = *std::move(key);
  } else if (shows_key_) {
    SetBytes("key", record.key, object);
  }
  if (shows_value_ && !keys_only) {
    if (IsCounter()) {
      COMMY_ASSIGN_OR_RETURN(object["value"], CounterFromText(record.value));
    } else if (value_.has_value()) {
      COMMY_ASSIGN_OR_RETURN(object["value"], JsonOfValue(record.value));
    } else {
      SetBytes("value", record.value, object);
    }
  }
  SetTtl(record.ttl, object);
  out += object.dump();
  out += '\n';
  return absl::OkStatus();
}

// Most types have one text for each value. Of a NaN it does not say which one it is.
void Form::SetExactValue(std::string_view bytes, Json& object) const {
  absl::StatusOr<Json> value = JsonOfValue(bytes);
  if (value.ok()) {
    const absl::StatusOr<std::string> back = StoredFromJson(*value);
    if (back.ok() && *back == bytes) {
      object["value"] = *std::move(value);
      return;
    }
  }
  object["value_base64"] = absl::Base64Escape(base::ToAbsl(bytes));
}

void Form::AppendJsonOfDump(const RecordView& record, std::string& out) const {
  Json object = Json::object();
  if (shows_key_ && key_.has_value()) {
    absl::StatusOr<Json> key = KeyToJson(*key_, record.key);
    absl::StatusOr<std::string> back =
        key.ok() ? KeyFromJson(*key_, *key) : absl::StatusOr<std::string>(key.status());
    if (back.ok() && *back == record.key) {
      object["key"] = *std::move(key);
    } else {
      object["key_base64"] = absl::Base64Escape(base::ToAbsl(record.key));
    }
  } else if (shows_key_) {
    SetBytes("key", record.key, object);
  } else if (!record.key.empty() || IsCounter()) {
    object["key_base64"] = absl::Base64Escape(base::ToAbsl(record.key));
  }
  if (value_.has_value()) {
    SetExactValue(record.value, object);
  } else if (shows_value_ && !IsCounter()) {
    SetBytes("value", record.value, object);
  } else if (!record.value.empty() || IsCounter()) {
    object["value_base64"] = absl::Base64Escape(base::ToAbsl(record.value));
  }
  if (record.expiry_ns.has_value()) {
    SetExpiry(*record.expiry_ns, object);
  }
  out += object.dump();
  out += '\n';
}

// --- Lines that are read ------------------------------------------------------------------------

// A struct without its last fields is taken if its bytes are an older form of the type.
absl::StatusOr<std::string> Form::StoredFromJson(const Json& json) const {
  absl::StatusOr<std::string> bytes = ValueFromJson(*value_, json);
  const bool may_be_older = value_->kind == Kind::kStruct && json.is_object() && !json.empty() &&
                            json.size() < value_->parts.size();
  if (!bytes.ok() && may_be_older) {
    absl::StatusOr<std::string> shorter = ValueFromJson(Shortened(*value_, json.size()), json);
    if (shorter.ok()) {
      const absl::StatusOr<Json> read = ValueToJson(*value_, *shorter);
      if (read.ok() && read->size() == json.size()) {
        return shorter;
      }
    }
  }
  if (!bytes.ok()) {
    return Fault("value", bytes.status());
  }
  COMMY_RETURN_IF_ERROR(CheckText(*bytes));
  return bytes;
}

absl::StatusOr<std::string> Form::ParseStored(std::string_view text) const {
  if (!value_.has_value() || value_->kind != Kind::kStruct) {
    return ParseValue(text);
  }
  const absl::StatusOr<Json> json = ParseJson(text);
  return json.ok() ? StoredFromJson(*json) : Fault("value", json.status());
}

absl::StatusOr<Record> Form::ParseTsv(std::string_view line) const {
  if (shows_key_ && shows_value_ && !key_.has_value() && !value_.has_value()) {
    return ParseTsvLine(line);
  }
  std::size_t tab = std::min(line.find('\t'), line.size());
  if (shows_key_ && shows_value_ && tab == line.size()) {
    return InvalidArgument("no tab between key and value");
  }
  if (!shows_key_ && tab != line.size()) {
    return InvalidArgument("a tab: a line of a ", IsBox() ? "box" : "counter", " is its value");
  }
  if (!shows_value_ && tab + 1 < line.size()) {
    return InvalidArgument("a tab and a value: a line of a set is a key");
  }
  if (line.find('\t', tab + 1) != std::string_view::npos) {
    return InvalidArgument("more than one tab (write a tab inside a field as \\t)");
  }
  Record record;
  if (shows_key_) {
    COMMY_ASSIGN_OR_RETURN(const std::string key, ParseTsvField(line.substr(0, tab)));
    COMMY_ASSIGN_OR_RETURN(record.key, ParseKey(key));
    line.remove_prefix(std::min(tab + 1, line.size()));
  }
  if (shows_value_) {
    COMMY_ASSIGN_OR_RETURN(const std::string value, ParseTsvField(line));
    COMMY_ASSIGN_OR_RETURN(record.value, ParseStored(value));
  }
  return record;
}

absl::StatusOr<std::string> Form::TakeKey(const Json& object) const {
  if (!key_.has_value() || object.contains("key_base64")) {
    return TakeBytes(object, "key");
  }
  const auto key = object.find("key");
  if (key == object.end()) {
    return InvalidArgument("needs \"key\" (", types::ToText(*key_), ")");
  }
  absl::StatusOr<std::string> bytes = KeyFromJson(*key_, *key);
  return bytes.ok() ? std::move(bytes) : Fault("key", bytes.status());
}

absl::StatusOr<std::string> Form::TakeValue(const Json& object) const {
  if ((!value_.has_value() && !IsCounter()) || object.contains("value_base64")) {
    COMMY_ASSIGN_OR_RETURN(std::string bytes, TakeBytes(object, "value"));
    COMMY_RETURN_IF_ERROR(CheckText(bytes));
    return bytes;
  }
  const auto value = object.find("value");
  if (value == object.end()) {
    return InvalidArgument("needs \"value\" (", IsCounter() ? "i64" : types::ToText(*value_), ")");
  }
  if (IsCounter()) {
    return ParseValue(value->is_number() ? value->dump() : Found(*value));
  }
  return StoredFromJson(*value);
}

// The bytes of keys and values that are not as the type says may be there in any case.
absl::StatusOr<Record> Form::ParseJsonRecord(std::string_view line) const {
  if (shows_key_ && shows_value_ && !key_.has_value() && !value_.has_value()) {
    return ParseJsonLine(line);
  }
  COMMY_ASSIGN_OR_RETURN(const Json object, ParseJson(line));
  if (!object.is_object()) {
    return InvalidArgument("not a JSON object");
  }
  COMMY_RETURN_IF_ERROR(CheckMembers(
      object, {shows_key_ ? "key" : "key_base64", "key_base64",
               shows_value_ ? "value" : "value_base64", "value_base64", "ttl_ms", "expires"}));
  Record record;
  record.beside_counter = IsCounter() && object.contains("key_base64");
  if (shows_key_ || object.contains("key_base64")) {
    COMMY_ASSIGN_OR_RETURN(record.key, TakeKey(object));
  }
  if (shows_value_ || object.contains("value_base64")) {
    COMMY_ASSIGN_OR_RETURN(record.value, TakeValue(object));
  }
  COMMY_RETURN_IF_ERROR(TakeLife(object, record));
  return record;
}

absl::Status Form::Check(const Record& record) const {
  if (HasElements() || !CheckIsShown().ok()) {
    return absl::OkStatus();
  }
  if (shows_key_ && shows_value_ && !key_.has_value() && !value_.has_value()) {
    return absl::OkStatus();
  }
  if (key_.has_value()) {
    if (const absl::StatusOr<Json> key = KeyToJson(*key_, record.key); !key.ok()) {
      return Fault("key", key.status());
    }
  } else {
    COMMY_RETURN_IF_ERROR(ParseKey(record.key).status());
  }
  if (value_.has_value()) {
    if (const absl::StatusOr<Json> value = ValueToJson(*value_, record.value); !value.ok()) {
      return Fault("value", value.status());
    }
    return absl::OkStatus();
  }
  return ParseValue(record.value).status();
}

}  // namespace commy::tools
