#include "crash/explain.h"

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace commy::test {
namespace {

class Search {
 public:
  explicit Search(const History& history) : history_(history) {}

  // How far the search has come in the history.
  struct Place {
    bool prior_done = false;
    std::size_t victim_next = 0;
    std::size_t survivor_next = 0;
  };
  bool From(const Model& model, Place place) {
    if (!tried_.insert(Digest(model, place)).second) {
      return false;
    }
    const bool victim_done =
        history_.victim_told.empty() || place.victim_next == history_.victim.size();
    return (place.survivor_next == history_.survivor.size() && victim_done) ||
           SurvivorIsNext(model, place) || VictimIsNext(model, place) || PriorIsNext(model, place);
  }

 private:
  // Most orders lead to the same few models: so the search looks at far fewer than all orders.
  static std::string Digest(const Model& model, const Place& place) {
    std::string digest = absl::StrCat(place.prior_done ? 1 : 0, ",", place.victim_next, ",",
                                      place.survivor_next, ";");
    const auto add = [&digest](const auto& names) {
      for (const auto& [path, content] : names) {
        absl::StrAppend(&digest, path, "#", content.id, ":", content.keys.Digest(), ",",
                        content.type, content.sum, ",");
        for (const std::int64_t element : content.elements) {
          absl::StrAppend(&digest, element, " ");
        }
      }
    };
    add(model.names);
    for (const auto& [number, names] : model.snapshots) {
      absl::StrAppend(&digest, "@", number, ";");
      add(names);
    }
    return digest;
  }

  bool SurvivorIsNext(const Model& model, Place place) {
    if (place.survivor_next == history_.survivor.size()) {
      return false;
    }
    const Seen& seen = history_.survivor[place.survivor_next];
    if (seen.after_victim && place.victim_next < history_.victim.size()) {
      return false;
    }
    Model next = model;
    ++place.survivor_next;
    return seen.step->ideal(next) == seen.result && From(next, place);
  }

  bool VictimIsNext(const Model& model, Place place) {
    if (place.victim_next == history_.victim.size()) {
      return false;
    }
    const bool ended = !history_.victim_told.empty();
    const std::string* const told = ended ? &history_.victim_told[place.victim_next] : nullptr;
    const Step& step = history_.victim[place.victim_next];
    ++place.victim_next;
    for (const auto* ideal : {&step.ideal, &step.also}) {
      Model next = model;
      if (*ideal == nullptr || !Agrees((*ideal)(next), told)) {
        continue;
      }
      if (!ended) {
        next.snapshots.clear();  // A killed victim told no process what it read by them.
      }
      if (From(next, place)) {
        return true;
      }
    }
    return false;
  }

  bool PriorIsNext(const Model& model, Place place) {
    if (place.prior_done || history_.prior == nullptr) {
      return false;
    }
    const std::string* const told =
        history_.prior_told.empty() ? nullptr : &history_.prior_told.front();
    place.prior_done = true;
    for (const auto* ideal : {&history_.prior->ideal, &history_.prior->also}) {
      Model next = model;
      if (*ideal != nullptr && Agrees((*ideal)(next), told) && From(next, place)) {
        return true;
      }
    }
    return false;
  }

  static bool Agrees(const std::string& ideal, const std::string* told) {
    return told == nullptr || ideal == *told;
  }

  const History& history_;
  absl::flat_hash_set<std::string> tried_;
};

}  // namespace

bool IsExplained(const History& history, const Model& model) {
  return Search(history).From(model, {});
}

std::string Told(const History& history) {
  std::string text = "\n  victim:";
  for (const Step& step : history.victim) {
    text += " [" + step.name + "]";
  }
  for (const std::string& result : history.victim_told) {
    text += " -> " + result;
  }
  for (const Seen& seen : history.survivor) {
    text += "\n  survivor: [" + seen.step->name + "] -> " + seen.result.substr(0, 1500);
  }
  return text;
}

}  // namespace commy::test
