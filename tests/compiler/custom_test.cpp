// Builds of models with custom operators: float16, and int8 with the code at hand while calibrating.
#include <gtest/gtest.h>

#include "compiler/compile.h"
#include "core/executor/run.h"
#include "core/graph/text.h"
#include "quantize/support.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

constexpr std::string_view kNetWithCustom = R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%v : f32[4,4,1,1] = random(2)
%conv = Conv(%x, %w) {pads=[1,1,1,1]} from [conv]
%tanh = Tanh(%conv) from [tanh]
%sum = Custom(%conv, %tanh) {custom.type="cstDualResidual", custom.outputs=["f32[1,4,8,8]"], alpha=0.5} as dual from [dual]
%last = Conv(%sum, %v) from [last]
output %last
)";

/// a + 0.5 b.
CustomCode residual() {
  return [](const Graph& graph, NodeId id) -> CustomCompute {
    const int64_t count = element_count(graph[graph[id].outputs[0]].shape);
    return [count](std::span<const Buffer> buffers) {
      const auto* a = reinterpret_cast<const float*>(buffers[0].data);
      const auto* b = reinterpret_cast<const float*>(buffers[1].data);
      auto* y = reinterpret_cast<float*>(buffers[2].data);
      for (int64_t i = 0; i < count; ++i) y[i] = a[i] + 0.5f * b[i];
    };
  };
}

Compiled build(const CompileOptions& options) {
  const Graph graph = parse_graph(kNetWithCustom);
  test::Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(graph, dice, 4);
  ThreadPool pool(2);
  return compile(graph, options, &samples, pool);
}

/// Of the model as a file brings it back.
std::vector<double> run(const Model& written, const Tensor& x) {
  const Model model = test::read_bytes(test::file_bytes(written));
  const Graph& graph = model.variants[0];
  const Tensor input = to_graph(model.inputs[0], graph[graph.inputs[0]], x, PortLayout::Source, false, Layout::Logical);
  ThreadPool pool(1);
  const std::vector<Tensor> inputs = {input};
  const Tensor output = run_graph(graph, model.arithmetic, inputs, pool, {.custom_code = residual()})[0];
  return to_doubles(from_graph(model.outputs[0], graph[graph.outputs[0]], output, true));
}

std::vector<double> golden(const Graph& graph, const Tensor& x) {
  ThreadPool pool(1);
  const std::vector<Tensor> inputs = {x};
  return to_doubles(run_graph(graph, {}, inputs, pool, {.custom_code = residual()})[0]);
}

void expect_near(const std::vector<double>& got, const std::vector<double>& wanted, double share) {
  ASSERT_EQ(got.size(), wanted.size());
  double largest = 0, error = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    error = std::max(error, std::abs(got[i] - wanted[i]));
  }
  EXPECT_LT(error, share * largest);
}

const Node& dual(const Graph& graph) { return graph[graph[graph.find("sum")].producer]; }

TEST(CompileCustom, Float16BuildComputesItInFloat32) {
  CompileOptions options;
  options.quantize = false;
  options.check = true;
  const Compiled compiled = build(options);
  const Graph& graph = compiled.model.variants[0];
  for (const ValueId input : dual(graph).inputs) EXPECT_EQ(graph[input].dtype, DType::Float32);
  EXPECT_EQ(graph[graph.find("conv")].dtype, DType::Float16);
  EXPECT_EQ(graph[graph.find("sum")].dtype, DType::Float32);
  test::Dice dice(9);
  const Tensor x = test::uniform_tensor(dice, {1, 3, 8, 8}, -1, 1);
  expect_near(run(compiled.model, x), golden(compiled.golden, x), 2e-3);
}

TEST(CompileCustom, Int8BuildConvertsAroundIt) {
  CompileOptions options;
  options.check = true;
  options.custom_code = residual();
  const Compiled compiled = build(options);
  const Graph& graph = compiled.model.variants[0];
  EXPECT_EQ(graph[graph.find("conv")].dtype, DType::Int8);
  EXPECT_EQ(graph[graph.find("last")].dtype, DType::Int8);
  for (const ValueId input : dual(graph).inputs) {
    EXPECT_EQ(graph[input].dtype, DType::Float32);
    EXPECT_EQ(graph[graph[input].producer].op, "Convert");
  }
  test::Dice dice(9);
  const Tensor x = test::uniform_tensor(dice, {1, 3, 8, 8}, -1, 1);
  expect_near(run(compiled.model, x), golden(compiled.golden, x), 0.06);
}

TEST(CompileCustom, Int8BuildWithoutTheCodeSaysSo) {
  try {
    build({});
    FAIL() << "compiled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RuntimeUnregisteredOp);
    EXPECT_NE(std::string(error.what()).find("cstDualResidual"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace openrknn
