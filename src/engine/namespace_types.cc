#include "engine/namespace_types.h"

#include <algorithm>

#include "base/status.h"
#include "engine/access.h"
#include "types/evolution.h"

namespace commy::engine {
namespace {

using base::ToAbsl;
using types::Relation;

// Another process that changes the type meanwhile does so once for each version of a struct.
constexpr int kAttemptsMax = 1000;

absl::Status Untyped(const Engine& engine, std::string_view path, const WantedType& wanted) {
  return base::FailedPrecondition(
      engine.path, ": namespace \"", ToAbsl(path), "\" holds untyped bytes, not ", wanted.text,
      "; if its keys and values are of that type, open it once with adopt_untyped = true, or use "
      "`commy ns create --type TYPE --adopt`");
}

absl::Status DoesNotFit(const Engine& engine, std::string_view path, std::string_view stored,
                        const WantedType& wanted, std::string_view why) {
  return base::InvalidArgument(engine.path, ": namespace \"", ToAbsl(path), "\" has the type ",
                               ToAbsl(stored), ", not ", wanted.text, ": ", ToAbsl(why));
}

// The type word goes from `stored` to the wanted type. kAgain: another process was faster. What is
// stored is read again under this pin: the block may have been retired meanwhile, and the same
// place hold another text, which the word names again.
base::Result SetType(const Engine& engine, process::Operation& op, const NamespaceRef& ns,
                     const std::string& stored, const WantedType& wanted) {
  std::uint64_t seen = 0;
  COMMY_ASSIGN_OR_RETURN(const std::string again, engine.map.types().Read(ns, &seen));
  if (seen == namespaces::kPartGone) {
    return base::Outcome::kDropped;
  }
  if (again != stored) {
    return base::Outcome::kAgain;
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t made, engine.map.types().Write(op, wanted.text));
  // Before the type says so: a value that is aligned more than it has to be does no harm.
  engine.map.types().AlignValues(ns, wanted.value_align);
  return engine.map.types().Replace(op, ns, seen, made) ? base::Outcome::kDone
                                                        : base::Outcome::kAgain;
}

// What is to be done about a type that is there: kSame: nothing.
absl::StatusOr<Relation> Compare(const Engine& engine, std::string_view path,
                                 const std::string& stored, const WantedType& wanted) {
  if (stored == wanted.text) {
    return Relation::kSame;
  }
  const absl::StatusOr<types::ContainerType> type = types::ParseContainer(stored);
  if (!type.ok()) {
    return DoesNotFit(engine, path, stored, wanted,
                      "the former was written by another version of Commy");
  }
  const types::Comparison comparison = types::CompareTypes(*type, wanted.type);
  switch (comparison.relation) {
    case Relation::kSame:
    case Relation::kWantedIsLonger:
      return comparison.relation;
    case Relation::kStoredIsLonger:
      return DoesNotFit(engine, path, stored, wanted,
                        "a program with more fields has been here, and this one would drop them; "
                        "build it with the longer struct");
    case Relation::kDifferent:
      break;
  }
  return DoesNotFit(engine, path, stored, wanted, comparison.reason);
}

}  // namespace

absl::StatusOr<WantedType> ParseWanted(std::string_view path, const NamespaceOptions& options) {
  WantedType wanted;
  if (options.type.empty()) {
    return wanted;
  }
  absl::StatusOr<types::ContainerType> type = types::ParseContainer(options.type);
  if (!type.ok()) {
    return base::InvalidArgument("namespace \"", ToAbsl(path), "\": the type \"",
                                 ToAbsl(options.type),
                                 "\" cannot be read: ", type.status().message());
  }
  if (type->kind != types::ContainerKind::kMap && type->kind != types::ContainerKind::kSet &&
      options.order == Order::kOrdered) {
    return base::InvalidArgument("namespace \"", ToAbsl(path), "\": a ",
                                 ToAbsl(types::NameOf(type->kind)),
                                 " has no order; create it without one");
  }
  wanted.type = *std::move(type);
  wanted.text = types::ToText(wanted.type);
  if (wanted.type.value.has_value()) {
    if (const auto layout = types::LayoutOf(*wanted.type.value); layout.has_value()) {
      wanted.value_align = std::max<std::uint64_t>(versions::kValueAlign, layout->align);
    }
  }
  if (!versions::IsValueAlign(wanted.value_align)) {
    return base::InvalidArgument("namespace \"", ToAbsl(path), "\": the type ", wanted.text,
                                 " is aligned to ", wanted.value_align,
                                 " bytes; a store aligns values to 64 at most");
  }
  return wanted;
}

absl::Status AgreeOnType(const Engine& engine, const NamespaceKey& key, std::string_view path,
                         const WantedType& wanted, bool adopt) {
  if (wanted.text.empty()) {
    return absl::OkStatus();
  }
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    std::string stored;
    std::uint64_t seen = 0;
    std::uint64_t sums = 0;
    {
      Access at(engine, key);
      COMMY_RETURN_IF_ERROR(at.status());
      COMMY_ASSIGN_OR_RETURN(stored, engine.map.types().Read(at.ns(), &seen));
      sums = at.ns().object->sums.load(std::memory_order_acquire);
      if (seen == namespaces::kPartGone) {
        return at.Finish(base::Outcome::kDropped);
      }
    }
    if (stored.empty()) {
      if (!adopt) {
        return Untyped(engine, path, wanted);
      }
      if (wanted.is_counter() != (sums > namespaces::kPartGone)) {
        return base::InvalidArgument(engine.path, ": namespace \"", ToAbsl(path),
                                     "\" holds keys, and cannot become a counter; drop it first");
      }
    } else {
      COMMY_ASSIGN_OR_RETURN(const Relation relation, Compare(engine, path, stored, wanted));
      if (relation == Relation::kSame) {
        return absl::OkStatus();
      }
    }
    bool set = false;
    COMMY_RETURN_IF_ERROR(Write(engine, key, process::OpKind::kCatalog, alloc::Purpose::kOrdinary,
                                [&](process::Operation& op, const NamespaceRef& ns) {
                                  base::Result result = SetType(engine, op, ns, stored, wanted);
                                  set = result.done();
                                  return result.is(base::Outcome::kAgain) ? base::Result() : result;
                                }));
    if (set) {
      return absl::OkStatus();
    }
  }
  return base::Unavailable(engine.path, ": others keep changing the type of namespace \"",
                           ToAbsl(path), "\"; try again");
}

absl::StatusOr<std::string> TypeOf(const Engine& engine, const NamespaceKey& key) {
  const Access at(engine, key);
  COMMY_RETURN_IF_ERROR(at.status());
  std::uint64_t word = 0;
  return engine.map.types().Read(at.ns(), &word);
}

}  // namespace commy::engine
