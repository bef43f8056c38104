// The property that pays for many tests: whatever computes a graph, the bits are the same.
#include <gtest/gtest.h>

#include "core/executor/run.h"
#include "core/graph/text.h"
#include "support/random_graph.h"

namespace openrknn {
namespace {

/// Every CPU kind this machine can play, baseline first.
std::vector<CpuFeatures> cpu_kinds() {
  std::vector<CpuFeatures> kinds = {0};
  const CpuFeatures here = detect_cpu();
  for (const CpuFeatures kind :
       {CpuFeatures{kCpuAvx2}, CpuFeatures{kCpuAvx2 | kCpuAvx512}, CpuFeatures{kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vnni},
        CpuFeatures{kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vbmi}, CpuFeatures{kCpuDotProduct}}) {
    if ((kind & ~here) == 0) kinds.push_back(kind);
  }
  return kinds;
}

struct Setting {
  std::string name;
  PlanOptions options;
};

std::vector<Setting> settings() {
  std::vector<Setting> list;
  list.push_back({"keep_all", {.keep_all = true}});
  for (const CpuFeatures kind : cpu_kinds()) list.push_back({to_string(kind), {.cpu = kind}});
  return list;
}

void expect_equal_bits(const Graph& graph, uint32_t seed) {
  const std::vector<Tensor> inputs = test::random_inputs(graph, seed);
  ThreadPool one(1), two(2);
  const std::vector<Tensor> expected = run_graph(graph, {}, inputs, one, {.reference_only = true});
  for (const Setting& setting : settings()) {
    for (ThreadPool* pool : {&one, &two}) {
      const std::vector<Tensor> got = run_graph(graph, {}, inputs, *pool, setting.options);
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_TRUE(identical(got[i], expected[i]))
            << "output " << i << " with " << setting.name << ", " << pool->threads() << " threads\n"
            << to_text(graph);
      }
    }
  }
}

TEST(RandomGraphs, OfFloatsHaveTheSameBitsOnEveryCpuAndThreadCount) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    expect_equal_bits(test::random_graph(seed), seed);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomGraphs, OfCodesHaveTheSameBitsOnEveryCpuAndThreadCount) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    expect_equal_bits(test::random_graph(seed, {.quantized = true}), seed);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomGraphs, GiveTheSameBitsInASecondRun) {
  ThreadPool pool(2);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Graph graph = test::random_graph(seed);
    const std::vector<Tensor> inputs = test::random_inputs(graph, seed);
    Weights weights;
    openrknn::Run run(plan(graph, {}, {}, weights), pool);
    for (size_t i = 0; i < inputs.size(); ++i) run.set(graph.inputs[i], inputs[i]);
    std::vector<Tensor> first;
    run.run();
    for (const ValueId output : graph.outputs) first.push_back(run.get(output));
    run.run();
    for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(identical(run.get(graph.outputs[i]), first[i]));
  }
}

}  // namespace
}  // namespace openrknn
