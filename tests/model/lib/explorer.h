// A small explicit-state model checker: breadth first over every state that a model can reach.
//
// A model is a class with
//   State                         trivially copyable, every bit significant (words.h);
//   State Initial() const;
//   void Successors(const State&, emit) const;   calls emit(next, Move) for each possible step;
//   const char* Check(const State&) const;       optional: nullptr, or what is wrong with a state;
//   const char* CheckFinal(const State&) const;  optional: the same for a state without successor.
// A step may also report that it is itself wrong (it touches freed memory, say): Move::wrong.
//
// One step is one access to a shared word; everything local goes with it. The interleavings are
// those of sequential consistency: memory orders are argued in docs/concurrency.md, not here.
// The search is breadth first, so the trace of a violation is a shortest one.
// COMMY_MODEL_TRACE=1 prints it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

namespace commy::model {

struct Move {
  int actor = 0;
  const char* what = "";
  const char* wrong = nullptr;
};

struct Result {
  std::uint64_t states = 0;
  std::uint64_t moves = 0;
  bool complete = false;  // False if a violation or the limit ended the search.
  std::string violation;  // Empty if none was found.
  std::vector<std::string> trace;
};

struct Limits {
  std::uint64_t states_max = 12'000'000;
  // Also require that from every state some final state can be reached: no process is stuck for
  // good, whichever one was killed. Costs eight bytes a move.
  bool check_progress = false;
};

template <typename Model>
class Explorer {
 public:
  using State = typename Model::State;
  static_assert(std::is_trivially_copyable_v<State>);
  static_assert(std::has_unique_object_representations_v<State>);

  Explorer(const Model& model, Limits limits) : model_(model), limits_(limits) {
    table_.assign(1U << 16U, kNone);
  }

  Result Run() {
    Insert(model_.Initial(), kNone);
    for (std::uint32_t at = 0; at < states_.size() && result_.violation.empty(); ++at) {
      if (states_.size() > limits_.states_max) {
        return Finish(false);
      }
      Expand(at);
    }
    if (limits_.check_progress && result_.violation.empty()) {
      CheckProgress();
    }
    return Finish(result_.violation.empty());
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  const char* Check(const State& state) const {
    if constexpr (requires { model_.Check(state); }) {
      return model_.Check(state);
    }
    return nullptr;
  }

  const char* CheckFinal(const State& state) const {
    if constexpr (requires { model_.CheckFinal(state); }) {
      return model_.CheckFinal(state);
    }
    return nullptr;
  }

  void Expand(std::uint32_t at) {
    const State state = states_[at];  // A copy: the vector grows below.
    bool final = true;
    model_.Successors(state, [&](const State& next, const Move& move) {
      if (!result_.violation.empty()) {
        return;
      }
      final = false;
      ++result_.moves;
      const std::uint32_t to = Insert(next, at);
      if (limits_.check_progress) {
        edges_.push_back({to, at});
      }
      const char* wrong = move.wrong != nullptr ? move.wrong : Check(next);
      if (wrong == nullptr) {
        return;
      }
      result_.violation = wrong;
      Trace(at);
      result_.trace.push_back(Describe(move));
    });
    if (!final || !result_.violation.empty()) {
      return;
    }
    finals_.push_back(at);
    const char* wrong = CheckFinal(state);
    if (wrong == nullptr) {
      return;
    }
    result_.violation = wrong;
    Trace(at);
  }

  std::uint32_t Insert(const State& state, std::uint32_t parent) {
    if (states_.size() * 2 >= table_.size()) {
      Grow();
    }
    std::size_t slot = Hash(state) & (table_.size() - 1);
    while (table_[slot] != kNone) {
      if (std::memcmp(&states_[table_[slot]], &state, sizeof(State)) == 0) {
        return table_[slot];
      }
      slot = (slot + 1) & (table_.size() - 1);
    }
    table_[slot] = static_cast<std::uint32_t>(states_.size());
    states_.push_back(state);
    parents_.push_back(parent);
    return table_[slot];
  }

  void Grow() {
    table_.assign(table_.size() * 2, kNone);
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
      std::size_t slot = Hash(states_[i]) & (table_.size() - 1);
      while (table_[slot] != kNone) {
        slot = (slot + 1) & (table_.size() - 1);
      }
      table_[slot] = i;
    }
  }

  static std::uint64_t Hash(const State& state) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
    std::uint64_t hash = 0x9e3779b97f4a7c15U;
    std::size_t at = 0;
    for (; at + 8 <= sizeof(State); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + at, 8);
      hash = (hash ^ word) * 0xff51afd7ed558ccdU;
      hash ^= hash >> 32U;
    }
    for (; at < sizeof(State); ++at) {
      hash = (hash ^ bytes[at]) * 0x100000001b3U;
    }
    hash ^= hash >> 29U;
    return hash;
  }

  // A state from which no final state can be reached is a violation: a process waits for ever.
  void CheckProgress() {
    std::vector<std::uint32_t> first(states_.size() + 1, 0);
    for (const Edge& edge : edges_) {
      ++first[edge.to + 1];
    }
    for (std::size_t i = 1; i < first.size(); ++i) {
      first[i] += first[i - 1];
    }
    std::vector<std::uint32_t> from(edges_.size());
    std::vector<std::uint32_t> fill(first.begin(), first.end() - 1);
    for (const Edge& edge : edges_) {
      from[fill[edge.to]++] = edge.from;
    }
    std::vector<bool> reaches(states_.size(), false);
    std::vector<std::uint32_t> todo = finals_;
    for (const std::uint32_t at : todo) {
      reaches[at] = true;
    }
    while (!todo.empty()) {
      const std::uint32_t at = todo.back();
      todo.pop_back();
      for (std::uint32_t i = first[at]; i < first[at + 1]; ++i) {
        if (reaches[from[i]]) {
          continue;
        }
        reaches[from[i]] = true;
        todo.push_back(from[i]);
      }
    }
    for (std::uint32_t at = 0; at < states_.size(); ++at) {
      if (reaches[at]) {
        continue;
      }
      result_.violation = "no final state can be reached any more: a process is stuck";
      Trace(at);
      return;
    }
  }

  // Repeats the moves from the initial state to `at`, along the parents.
  void Trace(std::uint32_t at) {
    std::vector<std::uint32_t> path;
    for (; at != kNone; at = parents_[at]) {
      path.insert(path.begin(), at);
    }
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
      bool found = false;
      model_.Successors(states_[path[i]], [&](const State& next, const Move& move) {
        if (found || std::memcmp(&next, &states_[path[i + 1]], sizeof(State)) != 0) {
          return;
        }
        found = true;
        result_.trace.push_back(Describe(move));
      });
    }
  }

  static std::string Describe(const Move& move) {
    return "process " + std::to_string(move.actor) + ": " + move.what;
  }

  Result Finish(bool complete) {
    result_.complete = complete;
    result_.states = states_.size();
    return result_;
  }

  struct Edge {
    std::uint32_t to;
    std::uint32_t from;
  };

  const Model& model_;
  Limits limits_;
  Result result_;
  std::vector<State> states_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> table_;
  std::vector<std::uint32_t> finals_;
  std::vector<Edge> edges_;
};

template <typename Model>
Result Explore(const Model& model, const char* name, Limits limits = {}) {
  Result result = Explorer<Model>(model, limits).Run();
  std::cout << name << ": " << result.states << " states, " << result.moves << " moves, "
            << (result.violation.empty() ? (result.complete ? "all hold" : "LIMIT REACHED")
                                         : "violation: " + result.violation)
            << '\n';
  const char* wanted = std::getenv("COMMY_MODEL_TRACE");
  if (wanted != nullptr && wanted[0] == '1') {
    for (const std::string& line : result.trace) {
      std::cout << "    " << line << '\n';
    }
  }
  return result;
}

// The protocol as it is: the search sees every reachable state, and none is wrong.
template <typename Model>
void ExpectHolds(const Model& model, const char* name, Limits limits = {}) {
  const Result result = Explore(model, name, limits);
  EXPECT_TRUE(result.complete) << name << ": the search did not see every state";
  EXPECT_EQ(result.violation, "") << name << ": run with COMMY_MODEL_TRACE=1 to see how";
}

// The protocol without one of its rules: the model must be able to see the harm.
template <typename Model>
void ExpectCaught(const Model& model, const char* name, Limits limits = {}) {
  const Result result = Explore(model, name, limits);
  EXPECT_NE(result.violation, "") << name << ": the weakened protocol was not caught";
}

}  // namespace commy::model
