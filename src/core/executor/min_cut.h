// The cheapest way to split nodes into two sides, exactly (Ford-Fulkerson with shortest paths).
#pragma once

#include <cstdint>
#include <vector>

namespace openrknn {

class MinCut {
 public:
  static constexpr int kSource = 0, kSink = 1;  ///< each is on its own side for ever
  static constexpr int64_t kNever = INT64_MAX / 4;

  int add_node();
  /// `cost` is paid if `from` ends on the source's side and `to` on the sink's. kNever forbids that.
  void add_cost(int from, int to, int64_t cost);
  /// True for nodes on the source's side in the cheapest split; among equally cheap ones the smallest such set.
  std::vector<bool> source_side();

 private:
  struct Edge {
    int to;
    int64_t capacity;  // what is left; the edge back is its neighbour (index ^ 1)
  };
  std::vector<Edge> edges_;
  std::vector<std::vector<int>> edges_of_{2};
};

}  // namespace openrknn
