#include "core/executor/min_cut.h"

#include <algorithm>

namespace openrknn {

int MinCut::add_node() {
  edges_of_.emplace_back();
  return static_cast<int>(edges_of_.size()) - 1;
}

void MinCut::add_cost(int from, int to, int64_t cost) {
  if (from == to || cost <= 0) return;
  edges_of_[static_cast<size_t>(from)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({to, cost});
  edges_of_[static_cast<size_t>(to)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({from, 0});
}

std::vector<bool> MinCut::source_side() {
  for (;;) {
    // The edge each node was first reached by; breadth first, so that every path is a shortest one.
    std::vector<int> reached_by(edges_of_.size(), -1), queue = {kSource};
    std::vector<bool> reached(edges_of_.size(), false);
    reached[kSource] = true;
    for (size_t at = 0; at < queue.size() && !reached[kSink]; ++at) {
      for (const int e : edges_of_[static_cast<size_t>(queue[at])]) {
        const Edge& edge = edges_[static_cast<size_t>(e)];
        if (edge.capacity == 0 || reached[static_cast<size_t>(edge.to)]) continue;
        reached[static_cast<size_t>(edge.to)] = true;
        reached_by[static_cast<size_t>(edge.to)] = e;
        queue.push_back(edge.to);
      }
    }
    if (!reached[kSink]) return reached;  // no way left: what is reached is the source's side
    int64_t flow = kNever;
    for (int node = kSink; node != kSource;) {
      const int e = reached_by[static_cast<size_t>(node)];
      flow = std::min(flow, edges_[static_cast<size_t>(e)].capacity);
      node = edges_[static_cast<size_t>(e ^ 1)].to;
    }
    for (int node = kSink; node != kSource;) {
      const int e = reached_by[static_cast<size_t>(node)];
      edges_[static_cast<size_t>(e)].capacity -= flow;
      edges_[static_cast<size_t>(e ^ 1)].capacity += flow;
      node = edges_[static_cast<size_t>(e ^ 1)].to;
    }
  }
}

}  // namespace openrknn
