// The order among the transactions of a history, and the question whether it has a circle.
//
//   WW  the first's append comes right before the second's in a key's list
//   WR  the second has read what the first appended
//   RW  the second's append is the earliest that the first has not read
//   session, real time   the first was over before the second began
//
// A transaction has two moments, its begin, as of which it reads, and its commit; under
// serializability the two are one. RW says that the first began before the second committed, all
// else that the first committed before the second began. A history that snapshot isolation allows
// (write skew: two RW in a row) is then no circle of moments, and one that it forbids is a circle.
// So a history may mix transactions of both levels.
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
  // The place of one transaction in time.
  struct Node {
    std::uint64_t begin_ns = 0;
    std::uint64_t end_ns = 0;  // 0: it never returned, so no transaction is known to come after it.
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
    // The order it needs beside WW, WR and RW: kSession, kRealTime (and sessions), or none.
    std::optional<Dependency> also;
    std::vector<Step> steps;
  };

  // The graph computes the order in real time from the nodes.
  explicit DependencyGraph(const std::vector<Node>& nodes);

  void Add(const Step& step);

  // The plainest circle: first one that needs only the order of the data, then one that needs that
  // of sessions, then that of real time; among these the first in order of CycleKind.
  [[nodiscard]] std::optional<Cycle> FindCycle() const;
  // The number of groups of transactions with circles of WW, WR and RW.
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
  // The shortest path by `kinds` that stays in the component of `from` in `within`, and avoids
  // vertices that `order`, if given, has after `to`. From a vertex to itself: a circle.
  [[nodiscard]] Path FindPath(std::size_t from, std::size_t to, Kinds kinds,
                              const Components& within, const Components* order) const;
  [[nodiscard]] Path FindAnyCircle(Kinds kinds) const;
  // A circle with exactly one RW. Requires: no circle is without RW.
  [[nodiscard]] Path FindCircleOfOneReadWrite(Kinds kinds) const;
  [[nodiscard]] std::vector<Step> StepsOf(const Path& circle) const;
  [[nodiscard]] std::optional<Cycle> FindCycleWith(Kinds orders) const;

  std::vector<bool> one_moment_;
  // First two vertices a transaction, then one for each return of a call, in order of time.
  std::vector<std::vector<Edge>> edges_;
};

}  // namespace commy::test
