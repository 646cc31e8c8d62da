#include "typed/parts.h"

#include <set>
#include <utility>

namespace commy::tools {
namespace {

using types::Kind;
using types::Type;

// Types are nested kDepthMax deep; strings that are not UTF-8 are an object more, and so is the
// line of a file.
constexpr std::size_t kJsonDepthMax = types::kDepthMax + 2;

// Notes the first fault that the parser itself lets pass.
class MemberCheck {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        levels_.emplace_back();
        if (static_cast<std::size_t>(depth) >= kJsonDepthMax) {
          Note("JSON that is nested too deeply");
        }
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        levels_.pop_back();
        break;
      case Json::parse_event_t::key:
        levels_.back().member = parsed.get_ref<const std::string&>();
        if (!levels_.back().members.insert(levels_.back().member).second) {
          Note("the field " + Place() + " is there twice");
        }
        break;
      case Json::parse_event_t::value:
        break;
    }
    return true;
  }
  const std::string& fault() const { return fault_; }

 private:
  struct Level {
    std::set<std::string> members;
    std::string member;  // The one that is being read; empty in an array.
  };

  std::string Place() const {
    std::string place;
    for (const Level& level : levels_) {
      place += level.member.empty() ? "[]" : "." + level.member;
    }
    return place;
  }
  void Note(std::string fault) {
    if (fault_.empty()) {
      fault_ = std::move(fault);
    }
  }

  std::vector<Level> levels_;
  std::string fault_;
};

std::size_t PartCount(const Type& type) {
  return type.kind == Kind::kArray ? type.count : type.parts.size();
}

absl::Status CheckNoUnknownField(const Type& type, const Json& json, const Path& path) {
  const std::set<std::string_view> known(type.field_names.begin(), type.field_names.end());
  for (const auto& [name, member] : json.items()) {
    if (!known.contains(name)) {
      return Wrong(path, "the struct ", type.name, " has no field ", Json(name).dump());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<const Json*>> FieldsOf(const Type& type, const Json& json,
                                                  const Path& path) {
  if (!json.is_object()) {
    return Wrong(path, "expected an object with the fields of the struct ", type.name, ", found ",
                 Found(json));
  }
  COMMY_RETURN_IF_ERROR(CheckNoUnknownField(type, json, path));
  std::vector<const Json*> parts;
  for (std::size_t i = 0; i < type.parts.size(); ++i) {
    const auto member = json.find(type.field_names[i]);
    if (member == json.end()) {
      return Wrong(StepTo(path, type, i), "the field is missing (", types::ToText(type.parts[i]),
                   ")");
    }
    parts.push_back(&*member);
  }
  return parts;
}

}  // namespace

Path StepTo(const Path& up, const Type& type, std::size_t i) {
  Path path{.up = &up, .field = {}, .index = i};
  if (type.kind == Kind::kStruct) {
    path.field = type.field_names[i];
  }
  return path;
}

std::string ToText(const Path& path) {
  if (path.up == nullptr) {
    return "";
  }
  return ToText(*path.up) + (path.field.empty() ? "[" + std::to_string(path.index) + "]"
                                                : "." + std::string(path.field));
}

absl::Status At(const Path& path, const absl::Status& status) {
  return status.ok() ? status : Wrong(path, status.message());
}

absl::StatusOr<Json> ParseJson(std::string_view text) {
  MemberCheck check;
  const Json::parser_callback_t callback = [&check](int depth, Json::parse_event_t event,
                                                    Json& parsed) {
    return check(depth, event, parsed);
  };
  Json json = Json::parse(text, callback, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return base::InvalidArgument("not JSON");
  }
  if (!check.fault().empty()) {
    return base::InvalidArgument(check.fault());
  }
  return json;
}

std::string Found(const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array of " + std::to_string(json.size());
    case Json::value_t::string:
      return "a string";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return "the number " + json.dump();
    case Json::value_t::boolean:
    case Json::value_t::null:
      return json.dump();
    default:
      return "something that is not JSON";
  }
}

absl::StatusOr<std::vector<const Json*>> PartsOf(const Type& type, const Json& json,
                                                 const Path& path) {
  if (type.kind == Kind::kStruct) {
    return FieldsOf(type, json, path);
  }
  const bool any_number = type.kind == Kind::kVector;
  if (!json.is_array() || (!any_number && json.size() != PartCount(type))) {
    const std::string count = any_number ? "" : " of " + std::to_string(PartCount(type));
    return Wrong(path, "expected an array", count, " (", types::ToText(type), "), found ",
                 Found(json));
  }
  std::vector<const Json*> parts;
  parts.reserve(json.size());
  for (const Json& part : json) {
    parts.push_back(&part);
  }
  return parts;
}

Json EmptyParts(const Type& type) {
  return type.kind == Kind::kStruct ? Json::object() : Json::array();
}

void AddPart(const Type& type, std::size_t i, Json part, Json& parts) {
  if (type.kind == Kind::kStruct) {
    parts[type.field_names[i]] = std::move(part);
  } else {
    parts.push_back(std::move(part));
  }
}

const Type& PartType(const Type& type, std::size_t i) {
  const bool has_elements = type.kind == Kind::kArray || type.kind == Kind::kVector;
  return type.parts[has_elements ? 0 : i];
}

}  // namespace commy::tools
