// Runs a graph before and after a change on the same random inputs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/executor/run.h"
#include "core/graph/text/content.h"

namespace openrknn {

inline std::vector<Tensor> run_on_random_inputs(const Graph& graph, float range) {
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    Tensor values = random_tensor(DType::Float32, graph[id].shape, 100 + inputs.size());
    for (float& value : values.mutable_values<float>()) value *= range;
    inputs.push_back(cast(values, graph[id].dtype));
  }
  ThreadPool pool(1);
  return run_graph(graph, {}, inputs, pool);
}

/// Differences of at most `tolerance` times the largest output element.
inline void expect_same_numbers(const Graph& before, const Graph& after, double tolerance, float range) {
  const std::vector<Tensor> expected = run_on_random_inputs(before, range), got = run_on_random_inputs(after, range);
  ASSERT_EQ(expected.size(), got.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i].shape(), got[i].shape());
    const std::vector<double> a = to_doubles(expected[i]), b = to_doubles(got[i]);
    double largest = 0, difference = 0;
    for (size_t j = 0; j < a.size(); ++j) {
      ASSERT_TRUE(std::isfinite(a[j]) && std::isfinite(b[j])) << "element " << j;
      largest = std::max(largest, std::abs(a[j]));
      difference = std::max(difference, std::abs(a[j] - b[j]));
    }
    ASSERT_GT(largest, 0) << "output " << i << " is all zero and shows nothing";
    EXPECT_LE(difference, tolerance * largest) << "output " << i;
  }
}

}  // namespace openrknn
