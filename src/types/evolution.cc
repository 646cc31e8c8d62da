#include "types/evolution.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace commy::types {
namespace {

std::string InStoreAndHere(std::string_view stored, std::string_view here) {
  return std::string(stored) + " in the store and " + std::string(here) + " here";
}

Comparison Different(std::string reason) {
  return {.relation = Relation::kDifferent, .reason = std::move(reason)};
}

std::string FieldText(const Type& type, std::size_t i) {
  return type.field_names[i] + ":" + ToText(type.parts[i]);
}

bool IsSameField(const Type& a, const Type& b, std::size_t i) {
  return a.field_names[i] == b.field_names[i] && a.parts[i] == b.parts[i];
}

std::string AlignText(const Type& type) {
  return type.align == 0 ? "as its fields ask" : "to " + std::to_string(type.align);
}

// What differs between two types that are not equal.
std::string Difference(std::string_view what, const Type& stored, const Type& wanted) {
  if (stored.kind != Kind::kStruct || wanted.kind != Kind::kStruct || stored.name != wanted.name) {
    return std::string(what) + " is " + InStoreAndHere(ToText(stored), ToText(wanted));
  }
  const std::size_t both = std::min(stored.parts.size(), wanted.parts.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (!IsSameField(stored, wanted, i)) {
      return "field " + std::to_string(i + 1) + " is " +
             InStoreAndHere(FieldText(stored, i), FieldText(wanted, i));
    }
  }
  if (stored.align != wanted.align) {
    return "the struct " + stored.name + " is aligned " +
           InStoreAndHere(AlignText(stored), AlignText(wanted));
  }
  return "the number of fields of the struct " + stored.name + " is " +
         InStoreAndHere(std::to_string(stored.parts.size()), std::to_string(wanted.parts.size()));
}

// Whether `longer` is `shorter` with new fields behind the others.
bool BeginsWith(const Type& longer, const Type& shorter) {
  if (longer.kind != Kind::kStruct || shorter.kind != Kind::kStruct ||
      longer.name != shorter.name || longer.align != shorter.align ||
      longer.parts.size() <= shorter.parts.size()) {
    return false;
  }
  for (std::size_t i = 0; i < shorter.parts.size(); ++i) {
    if (!IsSameField(longer, shorter, i)) {
      return false;
    }
  }
  return true;
}

// Why values of `longer`, which has all fields of `shorter` and more, do not begin with those of
// `shorter`. Empty: they do.
std::string WhyNotLonger(const Type& longer, const Type& shorter, bool in_store) {
  if (IsPlain(longer) != IsPlain(shorter)) {
    return "with more fields the struct " + longer.name +
           " is no longer plain: its values lie differently in memory";
  }
  const std::size_t fields = shorter.parts.size();
  const std::optional<Layout> layout = LayoutOf(longer);
  if (!layout.has_value() || ShorterSize(longer, *layout, fields).has_value()) {
    return "";
  }
  const std::string field = FieldText(longer, fields);
  if (in_store) {
    return "the field " + field + ", which only the store has, lies in what is padding here";
  }
  return "the new field " + field +
         " would lie in what was padding: put a field before it that is " + "aligned to " +
         std::to_string(LayoutOf(shorter)->align) + " bytes";
}

Comparison CompareValues(const Type& stored, const Type& wanted) {
  const bool in_store = BeginsWith(stored, wanted);
  if (!in_store && !BeginsWith(wanted, stored)) {
    return Different(Difference("the value", stored, wanted));
  }
  std::string reason =
      in_store ? WhyNotLonger(stored, wanted, true) : WhyNotLonger(wanted, stored, false);
  if (!reason.empty()) {
    return Different(std::move(reason));
  }
  return {.relation = in_store ? Relation::kStoredIsLonger : Relation::kWantedIsLonger,
          .reason = ""};
}

}  // namespace

Comparison CompareTypes(const ContainerType& stored, const ContainerType& wanted) {
  if (stored == wanted) {
    return {};
  }
  if (stored.kind != wanted.kind) {
    return Different("the container is a " +
                     InStoreAndHere(NameOf(stored.kind), "a " + std::string(NameOf(wanted.kind))));
  }
  if (stored.key != wanted.key && stored.key.has_value() && wanted.key.has_value()) {
    return Different("of the key: " + Difference("the type", *stored.key, *wanted.key));
  }
  if (stored.value.has_value() && wanted.value.has_value()) {
    return CompareValues(*stored.value, *wanted.value);
  }
  return Different("the types are not complete");
}

}  // namespace commy::types
