// Code from outside as a step of a plan.
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "core/executor/run.h"
#include "core/graph/text.h"

namespace openrknn {
namespace {

Graph four_dimensional() {
  return parse_graph(R"(ir 1
input %x : f32[1,2,2,2]
%w : f32[2,2,1,1] = {1.0, 0.0, 0.0, 1.0}
%a = Conv(%x, %w)
%y : f32[2] = Custom(%a, _) {custom.type="cstFirst", custom.outputs=["f32[2]"]}
%z = Neg(%y)
output %z
)");
}

/// The first two numbers of the first input.
CustomCode first_two(int& calls) {
  return [&calls](const Graph& graph, NodeId id) -> CustomCompute {
    EXPECT_EQ(graph[id].op, "Custom");
    return [&calls](std::span<const Buffer> buffers) {
      ++calls;
      ASSERT_EQ(buffers.size(), 3u);
      EXPECT_EQ(buffers[1].data, nullptr);  // left out
      std::memcpy(buffers[2].data, buffers[0].data, 2 * sizeof(float));
    };
  };
}

Tensor counting_tensor() { return Tensor::from<float>({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}); }

TEST(CustomCode, IsCalledOnceARunWithLogicalBuffers) {
  int calls = 0;
  ThreadPool pool(2);
  const std::vector<Tensor> inputs = {counting_tensor()};
  const std::vector<Tensor> outputs =
      run_graph(four_dimensional(), {}, inputs, pool, {.custom_code = first_two(calls)});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(to_doubles(outputs[0]), (std::vector<double>{-1, -2}));  // the convolution before it gives channels last
}

TEST(CustomCode, IsASaidStepOfThePlan) {
  int calls = 0;
  Weights weights;
  const std::string text = to_text(*plan(four_dimensional(), {}, {.custom_code = first_two(calls)}, weights));
  EXPECT_NE(text.find("cstFirst"), std::string::npos) << text;
}

TEST(CustomCode, WithoutItOnlyTheRunFails) {
  const Graph graph = four_dimensional();
  ThreadPool pool(1);
  Weights weights;
  openrknn::Run run(plan(graph, {}, {}, weights), pool);
  run.set(graph.inputs[0], counting_tensor());
  try {
    run.run();
    FAIL() << "ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RuntimeUnregisteredOp);
    EXPECT_NE(std::string(error.what()).find("cstFirst is a custom operator"), std::string::npos) << error.what();
  }
}

TEST(CustomCode, WhatItThrowsEndsTheRunAndTheNextOneIsWhole) {
  const Graph graph = four_dimensional();
  bool broken = true;
  const CustomCode code = [&](const Graph&, NodeId) -> CustomCompute {
    return [&](std::span<const Buffer> buffers) {
      if (broken) throw std::runtime_error("broken");
      std::memcpy(buffers[2].data, buffers[0].data, 2 * sizeof(float));
    };
  };
  ThreadPool pool(1);
  Weights weights;
  openrknn::Run run(plan(graph, {}, {.custom_code = code}, weights), pool);
  run.set(graph.inputs[0], counting_tensor());
  EXPECT_THROW(run.run(), std::runtime_error);
  broken = false;
  run.run();
  EXPECT_EQ(to_doubles(run.get(graph.outputs[0])), (std::vector<double>{-1, -2}));
}

TEST(CustomCode, IsNotFoldedThoughItsInputsAreKnown) {
  const Graph graph = parse_graph(R"(ir 1
%c : f32[2] = {1.0, 2.0}
%y : f32[2] = Custom(%c) {custom.type="cstA", custom.outputs=["f32[2]"]}
output %y
)",
                                  {}, evaluate);
  EXPECT_FALSE(graph[graph.find("y")].constant.has_value());
}

}  // namespace
}  // namespace openrknn
