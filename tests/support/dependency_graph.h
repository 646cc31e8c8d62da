// Which transaction of a history came before which, and the question whether that goes in a circle.
//
//   WW  the one's append comes right before the other's in a key's list
//   WR  the other has read what the one appended
//   RW  the other's append is the first that the one has not read
//   session, real time   the one was over before the other began
//
// A transaction has two moments, its begin, as of which it reads, and its commit; under
// serializability the two are one. RW says that the one began before the other committed, all else
// that the one committed before the other began. What snapshot isolation allows (write skew: two RW
// one after the other) is then no circle of moments, and what it forbids is one. So a history may
// mix transactions of both levels.
//
// The names of circles are Adya's, and Elle's (Kingsbury and Alvaro, 2020).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace commy::test {

enum class Dependency : std::uint8_t {
  kWriteWrite,
  kWriteRead,
  kReadWrite,
  kSession,
  kRealTime,
  kBeginCommit,  // From the begin of a transaction to its own commit.
};

enum class CycleKind : std::uint8_t {
  kG0,            // WW only.
  kG1c,           // WW and WR.
  kGSingle,       // One RW: read skew.
  kGNonadjacent,  // Several RW, no two of them in a row. Snapshot isolation forbids it.
  kG2,            // Two RW in a row: write skew. Only serializability forbids it.
};

class DependencyGraph {
 public:
  // One transaction, as far as its place in time is concerned.
  struct Node {
    std::uint64_t begin_ns = 0;
    std::uint64_t end_ns = 0;  // 0: it never returned, so nothing is known to come after it.
    bool one_moment = false;   // Serializable.
  };
  struct Step {
    std::size_t from = 0;
    std::size_t to = 0;
    Dependency why = Dependency::kWriteWrite;
    std::uint32_t key = 0;
  };
  struct Cycle {
    CycleKind kind = CycleKind::kG0;
    // What it needs beside WW, WR and RW: kSession, or kRealTime (sessions too), or nothing.
    std::optional<Dependency> also;
    std::vector<Step> steps;
  };

  // Knows the order in real time.
  explicit DependencyGraph(const std::vector<Node>& nodes);

  void Add(const Step& step);

  // The plainest kind that there is: first of what needs no order but that of the data, then of
  // sessions, then of real time; and of those the first in order of CycleKind.
  [[nodiscard]] std::optional<Cycle> FindCycle() const;
  // How many groups of transactions have WW, WR and RW in circles.
  [[nodiscard]] std::uint64_t CountKnots() const;

 private:
  // A set of kinds of edges, a bit each.
  using Kinds = std::uint32_t;
  struct Edge {
    std::size_t to = 0;
    Dependency why = Dependency::kWriteWrite;
    std::uint32_t key = 0;
  };
  // For each vertex the number of its strongly connected component, where an edge between two
  // components goes from the larger number to the smaller; and how large each component is.
  struct Components {
    std::vector<std::size_t> of;
    std::vector<std::size_t> sizes;
  };
  class Tarjan;
  // Edges with the vertices that they come from.
  struct Hop {
    std::size_t from = 0;
    Edge edge;
  };
  using Path = std::vector<Hop>;

  static Kinds Bit(Dependency why) { return Kinds{1} << static_cast<unsigned>(why); }
  [[nodiscard]] std::size_t BeginOf(std::size_t node) const { return 2 * node; }
  [[nodiscard]] std::size_t CommitOf(std::size_t node) const {
    return one_moment_[node] ? 2 * node : 2 * node + 1;
  }

  void OrderInTime(const std::vector<Node>& nodes);
  [[nodiscard]] Components Connect(Kinds kinds) const;
  // The shortest path by `kinds` that stays in the component of `from` in `within`, and does not pass
  // vertices that `order`, if given, has after `to`. From a vertex to itself: a circle.
  [[nodiscard]] Path FindPath(std::size_t from, std::size_t to, Kinds kinds,
                              const Components& within, const Components* order) const;
  [[nodiscard]] Path FindAnyCircle(Kinds kinds) const;
  // A circle with exactly one RW; there is none without.
  [[nodiscard]] Path FindCircleOfOneReadWrite(Kinds kinds) const;
  [[nodiscard]] std::vector<Step> StepsOf(const Path& circle) const;
  [[nodiscard]] std::optional<Cycle> FindCycleWith(Kinds orders) const;

  std::vector<bool> one_moment_;
  // First two vertices a transaction, then one for each return of a call, in order of time.
  std::vector<std::vector<Edge>> edges_;
};

}  // namespace commy::test
