#include "support/dependency_graph.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>

namespace commy::test {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
// The number of vertices from which a shortest circle is searched.
constexpr std::size_t kTries = 200;

}  // namespace

// Strongly connected components after Tarjan, without recursion: a history is long.
class DependencyGraph::Tarjan {
 public:
  Tarjan(const std::vector<std::vector<Edge>>& edges, Kinds kinds)
      : edges_(edges),
        kinds_(kinds),
        number_(edges.size(), kNone),
        low_(edges.size(), kNone),
        next_(edges.size(), 0) {
    found_.of.assign(edges.size(), kNone);
  }

  Components Run() {
    for (std::size_t root = 0; root < edges_.size(); ++root) {
      if (number_[root] == kNone) {
        Enter(root);
        while (!path_.empty()) {
          Continue(path_.back());
        }
      }
    }
    return std::move(found_);
  }

 private:
  void Enter(std::size_t vertex) {
    number_[vertex] = low_[vertex] = count_++;
    path_.push_back(vertex);
    open_.push_back(vertex);
  }

  void Continue(std::size_t vertex) {
    while (next_[vertex] < edges_[vertex].size()) {
      const Edge& edge = edges_[vertex][next_[vertex]++];
      if ((Bit(edge.why) & kinds_) == 0) {
        continue;
      }
      if (number_[edge.to] == kNone) {
        Enter(edge.to);
        return;
      }
      if (found_.of[edge.to] == kNone) {
        low_[vertex] = std::min(low_[vertex], number_[edge.to]);
      }
    }
    path_.pop_back();
    if (!path_.empty()) {
      low_[path_.back()] = std::min(low_[path_.back()], low_[vertex]);
    }
    if (low_[vertex] == number_[vertex]) {
      Close(vertex);
    }
  }

  void Close(std::size_t first) {
    std::size_t size = 0;
    std::size_t vertex = kNone;
    while (vertex != first) {
      vertex = open_.back();
      open_.pop_back();
      found_.of[vertex] = found_.sizes.size();
      ++size;
    }
    found_.sizes.push_back(size);
  }

  const std::vector<std::vector<Edge>>& edges_;
  const Kinds kinds_;
  std::vector<std::size_t> number_;
  std::vector<std::size_t> low_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> path_;
  std::vector<std::size_t> open_;
  std::size_t count_ = 0;
  Components found_;
};

DependencyGraph::DependencyGraph(const std::vector<Node>& nodes) : edges_(2 * nodes.size()) {
  for (const Node& node : nodes) {
    one_moment_.push_back(node.one_moment);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i].one_moment) {
      edges_[BeginOf(i)].push_back({CommitOf(i), Dependency::kBeginCommit, 0});
    }
  }
  OrderInTime(nodes);
}

void DependencyGraph::OrderInTime(const std::vector<Node>& nodes) {
  std::vector<std::size_t> ended;
  std::vector<std::size_t> begun(nodes.size());
  std::iota(begun.begin(), begun.end(), std::size_t{0});
  std::copy_if(begun.begin(), begun.end(), std::back_inserter(ended),
               [&](std::size_t i) { return nodes[i].end_ns != 0; });
  std::sort(ended.begin(), ended.end(),
            [&](std::size_t a, std::size_t b) { return nodes[a].end_ns < nodes[b].end_ns; });
  std::sort(begun.begin(), begun.end(),
            [&](std::size_t a, std::size_t b) { return nodes[a].begin_ns < nodes[b].begin_ns; });
  const std::size_t first_return = edges_.size();
  edges_.resize(first_return + ended.size());
  for (std::size_t i = 0; i < ended.size(); ++i) {
    edges_[CommitOf(ended[i])].push_back({first_return + i, Dependency::kRealTime, 0});
    if (i != 0) {
      edges_[first_return + i - 1].push_back({first_return + i, Dependency::kRealTime, 0});
    }
  }
  std::size_t over = 0;
  for (const std::size_t node : begun) {
    while (over < ended.size() && nodes[ended[over]].end_ns < nodes[node].begin_ns) {
      ++over;
    }
    if (over != 0) {
      edges_[first_return + over - 1].push_back({BeginOf(node), Dependency::kRealTime, 0});
    }
  }
}

void DependencyGraph::Add(const Step& step) {
  if (step.from == step.to) {
    return;
  }
  if (step.why == Dependency::kReadWrite) {
    edges_[BeginOf(step.from)].push_back({CommitOf(step.to), step.why, step.key});
  } else {
    edges_[CommitOf(step.from)].push_back({BeginOf(step.to), step.why, step.key});
  }
}

DependencyGraph::Components DependencyGraph::Connect(Kinds kinds) const {
  return Tarjan(edges_, kinds | Bit(Dependency::kBeginCommit)).Run();
}

DependencyGraph::Path DependencyGraph::FindPath(std::size_t from, std::size_t to, Kinds kinds,
                                                const Components& within,
                                                const Components* order) const {
  kinds |= Bit(Dependency::kBeginCommit);
  std::vector<Hop> came(edges_.size(), Hop{kNone, Edge{}});
  std::deque<std::size_t> next = {from};
  while (!next.empty() && came[to].from == kNone) {
    const std::size_t vertex = next.front();
    next.pop_front();
    for (const Edge& edge : edges_[vertex]) {
      if ((Bit(edge.why) & kinds) != 0 && came[edge.to].from == kNone &&
          within.of[edge.to] == within.of[from] &&
          (order == nullptr || order->of[edge.to] >= order->of[to])) {
        came[edge.to] = Hop{vertex, edge};
        next.push_back(edge.to);
      }
    }
  }
  Path path;
  if (came[to].from != kNone) {
    std::size_t vertex = to;
    do {
      path.push_back(came[vertex]);
      vertex = came[vertex].from;
    } while (vertex != from);
    std::reverse(path.begin(), path.end());
  }
  return path;
}

DependencyGraph::Path DependencyGraph::FindAnyCircle(Kinds kinds) const {
  const Components components = Connect(kinds);
  Path shortest;
  std::size_t tries = 0;
  for (std::size_t vertex = 0; vertex < edges_.size() && tries < kTries; ++vertex) {
    if (components.sizes[components.of[vertex]] > 1) {
      ++tries;
      Path circle = FindPath(vertex, vertex, kinds, components, nullptr);
      if (shortest.empty() || circle.size() < shortest.size()) {
        shortest = std::move(circle);
      }
    }
  }
  return shortest;
}

DependencyGraph::Path DependencyGraph::FindCircleOfOneReadWrite(Kinds kinds) const {
  const Components components = Connect(kinds | Bit(Dependency::kReadWrite));
  const Components order = Connect(kinds);
  for (std::size_t vertex = 0; vertex < edges_.size(); ++vertex) {
    for (const Edge& edge : edges_[vertex]) {
      if (edge.why == Dependency::kReadWrite && components.of[edge.to] == components.of[vertex] &&
          order.of[edge.to] > order.of[vertex]) {
        Path circle = FindPath(edge.to, vertex, kinds, components, &order);
        if (!circle.empty()) {
          circle.push_back({vertex, edge});
          return circle;
        }
      }
    }
  }
  return {};
}

std::vector<DependencyGraph::Step> DependencyGraph::StepsOf(const Path& circle) const {
  const std::size_t vertices = 2 * one_moment_.size();
  // Begin with a transaction, not in the middle of a path through returns.
  const auto begin =
      static_cast<std::size_t>(std::find_if(circle.begin(), circle.end(),
                                            [&](const Hop& hop) { return hop.from < vertices; }) -
                               circle.begin());
  std::vector<Step> steps;
  std::size_t from = kNone;
  for (std::size_t i = 0; i < circle.size(); ++i) {
    const Hop& hop = circle[(begin + i) % circle.size()];
    from = hop.from < vertices ? hop.from / 2 : from;
    if (hop.edge.to < vertices && hop.edge.why != Dependency::kBeginCommit) {
      steps.push_back({from, hop.edge.to / 2, hop.edge.why, hop.edge.key});
    }
  }
  return steps;
}

std::optional<DependencyGraph::Cycle> DependencyGraph::FindCycleWith(Kinds orders) const {
  const auto named = [&](CycleKind kind, const Path& circle) {
    return Cycle{kind, std::nullopt, StepsOf(circle)};
  };
  Kinds kinds = orders | Bit(Dependency::kWriteWrite);
  if (const Path circle = FindAnyCircle(kinds); !circle.empty()) {
    return named(CycleKind::kG0, circle);
  }
  kinds |= Bit(Dependency::kWriteRead);
  if (const Path circle = FindAnyCircle(kinds); !circle.empty()) {
    return named(CycleKind::kG1c, circle);
  }
  if (const Path circle = FindCircleOfOneReadWrite(kinds); !circle.empty()) {
    return named(CycleKind::kGSingle, circle);
  }
  kinds |= Bit(Dependency::kReadWrite);
  const Path circle = FindAnyCircle(kinds);
  if (circle.empty()) {
    return std::nullopt;
  }
  Cycle cycle = named(CycleKind::kGNonadjacent, circle);
  for (std::size_t i = 0; i < cycle.steps.size(); ++i) {
    if (cycle.steps[i].why == Dependency::kReadWrite &&
        cycle.steps[(i + 1) % cycle.steps.size()].why == Dependency::kReadWrite) {
      cycle.kind = CycleKind::kG2;
    }
  }
  return cycle;
}

std::optional<DependencyGraph::Cycle> DependencyGraph::FindCycle() const {
  constexpr Dependency kSession = Dependency::kSession;
  constexpr Dependency kRealTime = Dependency::kRealTime;
  // Nearly every history is right, which one pass over all edges shows.
  Kinds all = 0;
  for (const Dependency why : {Dependency::kWriteWrite, Dependency::kWriteRead,
                               Dependency::kReadWrite, kSession, kRealTime}) {
    all |= Bit(why);
  }
  const Components components = Connect(all);
  if (components.sizes.size() == edges_.size()) {
    return std::nullopt;
  }
  std::optional<Cycle> cycle = FindCycleWith(0);
  if (!cycle.has_value()) {
    cycle = FindCycleWith(Bit(kSession));
    if (cycle.has_value()) {
      cycle->also = kSession;
    } else {
      cycle = FindCycleWith(Bit(kSession) | Bit(kRealTime));
      cycle->also = kRealTime;
    }
  }
  return cycle;
}

std::uint64_t DependencyGraph::CountKnots() const {
  const Components components = Connect(Bit(Dependency::kWriteWrite) | Bit(Dependency::kWriteRead) |
                                        Bit(Dependency::kReadWrite));
  return static_cast<std::uint64_t>(std::count_if(components.sizes.begin(), components.sizes.end(),
                                                  [](std::size_t size) { return size > 1; }));
}

}  // namespace commy::test
