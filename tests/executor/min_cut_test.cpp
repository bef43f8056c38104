#include "core/executor/min_cut.h"

#include <gtest/gtest.h>

#include <random>

namespace openrknn {
namespace {

struct Cost {
  int from, to;
  int64_t cost;
};

int64_t price(const std::vector<Cost>& costs, const std::vector<bool>& source_side) {
  int64_t total = 0;
  for (const Cost& c : costs) {
    if (source_side[static_cast<size_t>(c.from)] && !source_side[static_cast<size_t>(c.to)]) total += c.cost;
  }
  return total;
}

TEST(MinCut, LeavesNodesWithoutCostOnTheSinkSide) {
  MinCut cut;
  const int node = cut.add_node();
  EXPECT_FALSE(cut.source_side()[static_cast<size_t>(node)]);
}

TEST(MinCut, PaysTheCheaperOfTwoSides) {
  MinCut cut;
  const int node = cut.add_node();
  cut.add_cost(MinCut::kSource, node, 5);
  cut.add_cost(node, MinCut::kSink, 4);
  EXPECT_TRUE(cut.source_side()[static_cast<size_t>(node)]);
}

TEST(MinCut, FindsTheCheapestOfAllSplits) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const int nodes = 2 + static_cast<int>(random() % 8);
    std::vector<Cost> costs;
    for (int i = 0; i < nodes * 3; ++i) {
      const int from = static_cast<int>(random() % nodes), to = static_cast<int>(random() % nodes);
      if (from != to) costs.push_back({from, to, static_cast<int64_t>(random() % 10)});
    }
    MinCut cut;
    for (int i = 2; i < nodes; ++i) cut.add_node();
    for (const Cost& c : costs) cut.add_cost(c.from, c.to, c.cost);
    const std::vector<bool> found = cut.source_side();
    ASSERT_TRUE(found[MinCut::kSource]);
    ASSERT_FALSE(found[MinCut::kSink]);
    int64_t best = INT64_MAX;
    for (int split = 0; split < 1 << (nodes - 2); ++split) {
      std::vector<bool> side = {true, false};
      for (int i = 0; i < nodes - 2; ++i) side.push_back((split >> i & 1) != 0);
      best = std::min(best, price(costs, side));
    }
    EXPECT_EQ(price(costs, found), best);
  }
}

}  // namespace
}  // namespace openrknn
