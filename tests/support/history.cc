#include "support/history.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <unordered_set>

#include "absl/strings/str_cat.h"

namespace commy::test {
namespace {

// The value after the call, if the answer is right for a call that finds `value`.
std::optional<std::int64_t> After(const Call& call, std::int64_t value) {
  const bool returned = call.end_ns != 0;
  const auto when = [&](bool right, std::int64_t after) {
    return !returned || right ? std::optional<std::int64_t>(after) : std::nullopt;
  };
  const bool there = value != kNothing;
  switch (call.kind) {
    case CallKind::kGet:
      return when(call.answer == value, value);
    case CallKind::kPut:
      return call.value;
    case CallKind::kDelete:
      return when(call.answer == (there ? 1 : 0), kNothing);
    case CallKind::kPutIfAbsent:
      return when(call.answer == (there ? 0 : 1), there ? value : call.value);
    case CallKind::kSwap:
      return when(call.answer == (value == call.expected ? 1 : 0),
                  value == call.expected ? call.value : value);
    case CallKind::kAdd: {
      const std::int64_t sum = (there ? value : 0) + call.value;
      return when(call.answer == sum, sum);
    }
    case CallKind::kClear:
      return kNothing;
  }
  return std::nullopt;
}

class Search {
 public:
  explicit Search(const std::vector<Call>& calls) : calls_(calls), done_(calls.size() / 64 + 1) {
    Link();
  }

  bool Run() {
    std::size_t at = events_[0].next;
    while (returns_left_ != 0) {
      const Event& event = events_[at];
      if (!event.is_return && Try(at)) {
        at = events_[0].next;
      } else if (!event.is_return && event.next != 0) {
        at = event.next;
      } else {
        // A call has returned here that was not chosen yet: an earlier choice was wrong.
        std::optional<std::size_t> other = GoBack();
        while (other.has_value() && *other == 0) {
          other = GoBack();
        }
        if (!other.has_value()) {
          return false;
        }
        at = *other;
      }
    }
    return true;
  }

 private:
  struct Event {
    std::uint64_t time_ns = 0;
    bool is_return = false;
    std::size_t call = 0;
    std::size_t partner = 0;  // Of a call: its return, 0 if there is none.
    std::size_t next = 0;
    std::size_t previous = 0;
  };
  struct Choice {
    std::size_t event = 0;
    std::int64_t value = 0;
  };

  // Events in order of time, as a ring through event 0. At one time calls come before returns: then
  // they overlap.
  void Link() {
    events_.emplace_back();
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      events_.push_back({calls_[i].begin_ns, false, i, 0, 0, 0});
      if (calls_[i].end_ns != 0) {
        events_.push_back({calls_[i].end_ns, true, i, 0, 0, 0});
        ++returns_left_;
      }
    }
    std::sort(events_.begin() + 1, events_.end(), [](const Event& a, const Event& b) {
      return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.is_return < b.is_return;
    });
    std::vector<std::size_t> call_event(calls_.size());
    for (std::size_t i = 1; i < events_.size(); ++i) {
      if (events_[i].is_return) {
        events_[call_event[events_[i].call]].partner = i;
      } else {
        call_event[events_[i].call] = i;
      }
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
      events_[i].next = (i + 1) % events_.size();
      events_[i].previous = (i + events_.size() - 1) % events_.size();
    }
  }

  bool Try(std::size_t event) {
    const std::size_t call = events_[event].call;
    const std::optional<std::int64_t> after = After(calls_[call], value_);
    if (!after.has_value()) {
      return false;
    }
    const std::uint64_t bit = std::uint64_t{1} << (call % 64);
    done_[call / 64] |= bit;
    if (!seen_.insert(Key(*after)).second) {
      done_[call / 64] &= ~bit;
      return false;
    }
    choices_.push_back({event, value_});
    value_ = *after;
    Remove(event);
    if (const std::size_t partner = events_[event].partner; partner != 0) {
      Remove(partner);
      --returns_left_;
    }
    return true;
  }

  // Takes the last choice back. Returns the event to resume at (0: the end of all events), or none.
  std::optional<std::size_t> GoBack() {
    if (choices_.empty()) {
      return std::nullopt;
    }
    const Choice last = choices_.back();
    choices_.pop_back();
    value_ = last.value;
    const std::size_t call = events_[last.event].call;
    done_[call / 64] &= ~(std::uint64_t{1} << (call % 64));
    if (const std::size_t partner = events_[last.event].partner; partner != 0) {
      PutBack(partner);
      ++returns_left_;
    }
    PutBack(last.event);
    return events_[last.event].next;
  }

  void Remove(std::size_t event) {
    events_[events_[event].previous].next = events_[event].next;
    events_[events_[event].next].previous = events_[event].previous;
  }
  void PutBack(std::size_t event) {
    events_[events_[event].previous].next = event;
    events_[events_[event].next].previous = event;
  }

  [[nodiscard]] std::string Key(std::int64_t value) const {
    std::string key(reinterpret_cast<const char*>(done_.data()), done_.size() * sizeof(done_[0]));
    key.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return key;
  }

  const std::vector<Call>& calls_;
  std::vector<Event> events_;
  std::vector<std::uint64_t> done_;
  std::int64_t value_ = kNothing;
  std::size_t returns_left_ = 0;
  std::vector<Choice> choices_;
  std::unordered_set<std::string> seen_;
};

std::string Number(std::int64_t value) {
  return value == kNothing ? "nothing" : std::to_string(value);
}

}  // namespace

std::uint64_t HistoryNow() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

bool IsLinearizable(const std::vector<Call>& calls) {
  return Search(calls).Run();
}

std::string FindNonLinearizable(const std::vector<Call>& calls) {
  std::map<std::uint32_t, std::vector<Call>> keys;
  for (const Call& call : calls) {
    if (call.kind != CallKind::kClear) {
      keys[call.key].push_back(call);
    }
  }
  for (auto& [key, own] : keys) {
    std::copy_if(calls.begin(), calls.end(), std::back_inserter(own),
                 [](const Call& call) { return call.kind == CallKind::kClear; });
    if (!IsLinearizable(own)) {
      std::sort(own.begin(), own.end(),
                [](const Call& a, const Call& b) { return a.begin_ns < b.begin_ns; });
      std::string text = absl::StrCat("key ", key, ":\n");
      for (const Call& call : own) {
        absl::StrAppend(&text, "  ", Describe(call), "\n");
      }
      return text;
    }
  }
  return "";
}

std::string Describe(const Call& call) {
  static constexpr const char* kNames[] = {"get",  "put", "delete", "put if absent",
                                           "swap", "add", "clear"};
  std::string text =
      absl::StrCat("[", call.begin_ns, ", ", call.end_ns == 0 ? "never" : absl::StrCat(call.end_ns),
                   "] ", kNames[static_cast<std::size_t>(call.kind)]);
  if (call.kind == CallKind::kSwap) {
    absl::StrAppend(&text, " ", Number(call.expected), " for");
  }
  if (call.kind != CallKind::kGet && call.kind != CallKind::kDelete &&
      call.kind != CallKind::kClear) {
    absl::StrAppend(&text, " ", Number(call.value));
  }
  return absl::StrCat(text, " = ", Number(call.answer));
}

}  // namespace commy::test
