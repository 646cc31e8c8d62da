#include "support/transaction_history.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "support/dependency_graph.h"

namespace commy::test {
namespace {

using List = std::vector<std::uint64_t>;

constexpr const char* kAnomalyNames[] = {
    "garbage read",
    "duplicate",
    "internal inconsistency",
    "G1a (aborted read)",
    "G1b (intermediate read)",
    "incompatible orders",
    "lost update",
    "G0 (write cycle)",
    "G1c (circular information flow)",
    "G-single (read skew)",
    "G-nonadjacent",
    "G2 (write skew)",
};
constexpr const char* kDependencyNames[] = {"ww", "wr", "rw", "session", "real time", ""};
constexpr std::size_t kFindingsTold = 5;

// The end of a list; lists are long.
std::string Shown(const List& list) {
  constexpr std::size_t kShown = 6;
  const std::size_t left = list.size() > kShown ? list.size() - kShown : 0;
  return absl::StrCat(
      "[", left == 0 ? "" : absl::StrCat(left, " more.. "),
      absl::StrJoin(list.begin() + static_cast<std::ptrdiff_t>(left), list.end(), " "), "]");
}

bool IsPrefix(const List& a, const List& b) {
  return a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin());
}

class Examiner {
 public:
  explicit Examiner(const std::vector<ListTransaction>& history)
      : history_(history), has_committed_(history.size()), reads_(history.size()) {}

  HistoryReport Run() {
    FindWriters();
    FindWhoHasCommitted();
    for (std::size_t i = 0; i < history_.size(); ++i) {
      LookInto(i);
    }
    LookAtOrders();
    FindLostUpdates();
    FindCycles();
    return std::move(report_);
  }

 private:
  struct Writer {
    std::size_t transaction = 0;
    std::uint32_t key = 0;
    bool last = true;  // Of its transaction's appends to this key.
  };

  void Find(Anomaly anomaly, const std::string& what, const std::vector<std::size_t>& who) {
    std::string text = what;
    for (const std::size_t i : who) {
      absl::StrAppend(&text, "\n  #", i, " ", Describe(history_[i]));
    }
    report_.findings.push_back({anomaly, Finding::Needs::kNothing, std::move(text)});
  }

  void FindWriters() {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      std::map<std::uint32_t, std::uint64_t> last;
      for (const ListOp& op : history_[i].ops) {
        if (op.kind == ListOp::Kind::kAppend) {
          const std::uint64_t value = op.values.at(0);
          const auto [it, is_new] = writers_.insert({value, {i, op.key, true}});
          if (!is_new) {
            Find(Anomaly::kGarbage, absl::StrCat("the test appended ", value, " twice"),
                 {it->second.transaction, i});
          }
          if (last[op.key] != 0) {
            writers_[last[op.key]].last = false;
          }
          last[op.key] = value;
        }
      }
    }
  }

  void MarkWhoWasReadBy(std::size_t reader) {
    for (const ListOp& op : history_[reader].ops) {
      for (const std::uint64_t value : op.values) {
        const auto writer = writers_.find(value);
        if (writer != writers_.end() && writer->second.transaction != reader) {
          has_committed_[writer->second.transaction] = true;
        }
      }
    }
  }

  void FindWhoHasCommitted() {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      MarkWhoWasReadBy(i);
    }
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const Outcome outcome = history_[i].outcome;
      report_.proven += outcome == Outcome::kUnknown && has_committed_[i] ? 1 : 0;
      report_.aborted += outcome == Outcome::kAborted ? 1 : 0;
      has_committed_[i] =
          outcome == Outcome::kCommitted || (outcome == Outcome::kUnknown && has_committed_[i]);
      report_.committed += has_committed_[i] ? 1 : 0;
    }
  }

  // The appends of others that a transaction read, without its own.
  void LookInto(std::size_t reader) {
    std::map<std::uint32_t, List> own;
    for (const ListOp& op : history_[reader].ops) {
      List& appended = own[op.key];
      if (op.kind == ListOp::Kind::kAppend) {
        appended.push_back(op.values[0]);
        continue;
      }
      if (op.values.size() < appended.size() ||
          !std::equal(appended.rbegin(), appended.rend(), op.values.rbegin())) {
        Find(Anomaly::kInternal,
             absl::StrCat("key ", op.key, ": ", Shown(op.values), " lacks its own appends"),
             {reader});
        continue;
      }
      List before(op.values.begin(),
                  op.values.end() - static_cast<std::ptrdiff_t>(appended.size()));
      const auto [first, is_new] = reads_[reader].insert({op.key, before});
      if (is_new) {
        LookAtList(reader, op.key, before);
      } else if (first->second != before) {
        Find(Anomaly::kInternal,
             absl::StrCat("key ", op.key, ": first ", Shown(first->second), ", then ",
                          Shown(before)),
             {reader});
      }
    }
  }

  void LookAtList(std::size_t reader, std::uint32_t key, const List& list) {
    std::set<std::uint64_t> seen;
    for (const std::uint64_t value : list) {
      const auto found = writers_.find(value);
      if (found == writers_.end() || found->second.key != key ||
          found->second.transaction == reader) {
        Find(Anomaly::kGarbage, absl::StrCat("key ", key, " has ", value), {reader});
        continue;
      }
      const Writer& writer = found->second;
      if (!seen.insert(value).second) {
        Find(Anomaly::kDuplicate, absl::StrCat("key ", key, " has ", value, " twice"),
             {writer.transaction, reader});
      }
      if (history_[writer.transaction].outcome == Outcome::kAborted) {
        Find(Anomaly::kAbortedRead, absl::StrCat("key ", key, " has ", value),
             {writer.transaction, reader});
      } else if (value == list.back() && !writer.last) {
        Find(Anomaly::kIntermediateRead, absl::StrCat("key ", key, " ends with ", value),
             {writer.transaction, reader});
      }
    }
    const auto longest = longest_.insert({key, reader}).first;
    if (list.size() > reads_[longest->second][key].size()) {
      longest->second = reader;
    }
  }

  void LookAtOrders() {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      for (const auto& [key, list] : reads_[i]) {
        const std::size_t other = longest_[key];
        if (!IsPrefix(list, reads_[other][key])) {
          Find(Anomaly::kIncompatibleOrder,
               absl::StrCat("key ", key, ": ", Shown(list), " and ", Shown(reads_[other][key])),
               {i, other});
        }
      }
    }
    for (const auto& [key, reader] : longest_) {
      report_.appends_seen += reads_[reader][key].size();
    }
  }

  void FindLostUpdates() {
    // By the key and the last value of the list.
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::size_t> appended_to;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      std::set<std::uint32_t> keys;
      for (const ListOp& op : history_[i].ops) {
        const auto read = reads_[i].find(op.key);
        if (has_committed_[i] && op.kind == ListOp::Kind::kAppend && read != reads_[i].end() &&
            keys.insert(op.key).second) {
          const std::uint64_t end = read->second.empty() ? 0 : read->second.back();
          const auto [other, is_first] = appended_to.insert({{op.key, end}, i});
          if (!is_first) {
            Find(Anomaly::kLostUpdate,
                 absl::StrCat("key ", op.key, ": both appended to ", Shown(read->second)),
                 {other->second, i});
          }
        }
      }
    }
  }

  [[nodiscard]] DependencyGraph MakeGraph(bool all_serializable) {
    std::vector<DependencyGraph::Node> nodes;
    for (const ListTransaction& one : history_) {
      nodes.push_back({one.begin_ns, one.end_ns,
                       all_serializable || one.isolation == Isolation::kSerializable});
    }
    DependencyGraph graph(nodes);
    // Appends that no transaction has read come after all that were read.
    std::map<std::uint32_t, std::set<std::size_t>> unseen;
    for (const auto& [value, writer] : writers_) {
      if (has_committed_[writer.transaction]) {
        unseen[writer.key].insert(writer.transaction);
      }
    }
    for (const auto& [key, reader] : longest_) {
      const List& order = reads_[reader][key];
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (const auto writer = CommittedWriter(order[i]); writer.has_value()) {
          unseen[key].erase(*writer);
          if (const auto next = WriterAt(order, i + 1); next.has_value()) {
            graph.Add({*writer, *next, Dependency::kWriteWrite, key});
          }
        }
      }
      if (const auto last = WriterAt(order, order.size() - 1); last.has_value()) {
        for (const std::size_t later : unseen[key]) {
          graph.Add({*last, later, Dependency::kWriteWrite, key});
        }
      }
    }
    AddReads(graph, unseen);
    AddSessions(graph);
    return graph;
  }

  void AddReads(DependencyGraph& graph,
                const std::map<std::uint32_t, std::set<std::size_t>>& unseen) {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      for (const auto& [key, list] : reads_[i]) {
        const List& order = reads_[longest_[key]][key];
        if (const auto writer = WriterAt(list, list.size() - 1); writer.has_value()) {
          graph.Add({*writer, i, Dependency::kWriteRead, key});
        }
        if (const auto next = WriterAt(order, list.size()); next.has_value()) {
          graph.Add({i, *next, Dependency::kReadWrite, key});
        }
        if (const auto later = unseen.find(key);
            list.size() == order.size() && later != unseen.end()) {
          for (const std::size_t writer : later->second) {
            graph.Add({i, writer, Dependency::kReadWrite, key});
          }
        }
      }
    }
  }

  void AddSessions(DependencyGraph& graph) const {
    std::map<std::uint32_t, std::vector<std::size_t>> sessions;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      sessions[history_[i].session].push_back(i);
    }
    for (auto& [session, own] : sessions) {
      std::sort(own.begin(), own.end(), [&](std::size_t a, std::size_t b) {
        return history_[a].begin_ns < history_[b].begin_ns;
      });
      for (std::size_t i = 0; i + 1 < own.size(); ++i) {
        if (history_[own[i]].end_ns != 0) {
          graph.Add({own[i], own[i + 1], Dependency::kSession, 0});
        }
      }
    }
  }

  [[nodiscard]] std::optional<std::size_t> CommittedWriter(std::uint64_t value) const {
    const auto found = writers_.find(value);
    return found != writers_.end() && has_committed_[found->second.transaction]
               ? std::optional<std::size_t>(found->second.transaction)
               : std::nullopt;
  }
  [[nodiscard]] std::optional<std::size_t> WriterAt(const List& list, std::size_t index) const {
    return index < list.size() ? CommittedWriter(list[index]) : std::nullopt;
  }

  void FindCycles() {
    const std::optional<DependencyGraph::Cycle> cycle = MakeGraph(false).FindCycle();
    report_.write_skews = MakeGraph(true).CountKnots();
    if (!cycle.has_value()) {
      return;
    }
    std::vector<std::size_t> who;
    std::string what;
    for (const DependencyGraph::Step& step : cycle->steps) {
      who.push_back(step.from);
      const bool of_data = step.why != Dependency::kSession && step.why != Dependency::kRealTime;
      absl::StrAppend(&what, "#", step.from, " -", kDependencyNames[static_cast<int>(step.why)],
                      of_data ? absl::StrCat(" key ", step.key) : "", "-> ");
    }
    absl::StrAppend(&what, "#", who.at(0));
    Find(static_cast<Anomaly>(static_cast<int>(Anomaly::kG0) + static_cast<int>(cycle->kind)), what,
         who);
    if (cycle->also.has_value()) {
      report_.findings.back().needs = *cycle->also == Dependency::kSession
                                          ? Finding::Needs::kSessions
                                          : Finding::Needs::kRealTime;
    }
  }

  const std::vector<ListTransaction>& history_;
  HistoryReport report_;
  std::unordered_map<std::uint64_t, Writer> writers_;  // Of each value.
  std::vector<bool> has_committed_;
  // The lists that each transaction found in the keys that it read.
  std::vector<std::map<std::uint32_t, List>> reads_;
  std::map<std::uint32_t, std::size_t> longest_;  // The reader of the longest list, by key.
};

}  // namespace

HistoryReport Examine(const std::vector<ListTransaction>& history) {
  return Examiner(history).Run();
}

std::string HistoryReport::Told() const {
  std::string told;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    // A circle, which is the last, is always included.
    if (i < kFindingsTold || i + 1 == findings.size()) {
      const Finding& finding = findings[i];
      absl::StrAppend(&told, kAnomalyNames[static_cast<std::size_t>(finding.anomaly)],
                      finding.needs == Finding::Needs::kNothing    ? ""
                      : finding.needs == Finding::Needs::kSessions ? ", by the order of sessions"
                                                                   : ", by real time",
                      ": ", finding.text, "\n");
    }
  }
  return told.empty() ? told : absl::StrCat(findings.size(), " anomalies\n", told);
}

std::string Describe(const ListTransaction& transaction) {
  static constexpr const char* kOutcomes[] = {"never returned", "committed", "aborted"};
  std::string text =
      absl::StrCat("[", transaction.begin_ns, ", ",
                   transaction.end_ns == 0 ? "never" : absl::StrCat(transaction.end_ns),
                   "] session ", transaction.session, ", ",
                   transaction.isolation == Isolation::kSnapshot ? "snapshot" : "serializable",
                   ", ", kOutcomes[static_cast<std::size_t>(transaction.outcome)], ":");
  for (const ListOp& op : transaction.ops) {
    absl::StrAppend(
        &text, op.kind == ListOp::Kind::kRead ? " read " : " append ", op.key, "=",
        op.kind == ListOp::Kind::kRead ? Shown(op.values) : absl::StrCat(op.values.at(0)));
  }
  return text;
}

}  // namespace commy::test
