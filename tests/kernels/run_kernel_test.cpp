#include <atomic>
#include <thread>

#include "op_cases.h"

namespace openrknn {
namespace {

std::vector<std::byte> some_bytes(size_t count) { return std::vector<std::byte>(count, std::byte{7}); }

TEST(Weights, BuildAKeyOnceAndShareIt) {
  Weights weights;
  int built = 0;
  const auto build = [&] {
    ++built;
    return some_bytes(100);
  };
  const Weights::Packed first = weights.get("a", build), second = weights.get("a", build);
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(built, 1);
  weights.get("b", build);
  EXPECT_EQ(built, 2);
  EXPECT_EQ(weights.bytes(), 200);
}

TEST(Weights, GiveAllThreadsTheSameCopy) {
  Weights weights;
  std::vector<Weights::Packed> seen(8);
  std::vector<std::thread> threads;
  for (Weights::Packed& packed : seen) {
    threads.emplace_back([&] { packed = weights.get("key", [] { return some_bytes(1000); }); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Weights::Packed& packed : seen) EXPECT_EQ(packed.get(), seen[0].get());
  EXPECT_EQ(weights.bytes(), 1000);
}

TEST(Weights, AFailedBuildLeavesNothingBehind) {
  Weights weights;
  EXPECT_THROW(weights.get("a", []() -> std::vector<std::byte> { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(weights.bytes(), 0);
  EXPECT_EQ(weights.get("a", [] { return some_bytes(3); })->size(), 3u);
}

TEST(Weights, IdentityTellsTensorsApartAndSharesCopies) {
  const Tensor a = Tensor::zeros(DType::Float32, {4}), b = Tensor::zeros(DType::Float32, {4}), copy = a;
  EXPECT_EQ(Weights::identity(a), Weights::identity(copy));
  EXPECT_NE(Weights::identity(a), Weights::identity(b));
}

TEST(Weights, ConstantWeightsArePackedOnceForAllPlans) {
  const Graph graph = parse_graph("ir 1\n%x : f32[1,2,3,3] = iota\n%w : f32[4,2,3,3] = random(1)\n%y = Conv(%x, %w)");
  const op_cases::BoundNode bound(graph, graph.order().back(), true);
  Weights weights;
  const Kernel& kernel = op_cases::reference_of(bound.call());
  run_kernel(kernel, bound.call(), bound.inputs(), weights);
  const int64_t packed = weights.bytes();
  EXPECT_EQ(packed, 4 * 2 * 9 * 4);
  run_kernel(kernel, bound.call(), bound.inputs(), weights);
  EXPECT_EQ(weights.bytes(), packed);
}

TEST(RunKernel, LeavesItsInputsAsTheyWere) {
  const Graph graph = parse_graph("ir 1\n%x : f32[3] = {-1, 0.0, 1}\n%y = Relu(%x)");
  const op_cases::BoundNode bound(graph, graph.order().back(), false);
  Weights weights;
  const std::vector<Tensor> inputs = bound.inputs();
  run_kernel(op_cases::reference_of(bound.call()), bound.call(), inputs, weights);
  EXPECT_TRUE(identical(inputs[0], Tensor::from<float>({3}, {-1, 0, 1})));
}

TEST(RunKernel, TakesUnalignedViews) {
  const std::vector<float> values = {0, -1, 2, -3, 4};
  const Tensor view = Tensor::view(DType::Float32, {4}, std::as_bytes(std::span(values)).subspan(4), nullptr);
  const Graph graph = parse_graph("ir 1\n%x : f32[4] = fill(0)\n%y = Relu(%x)");
  const op_cases::BoundNode bound(graph, graph.order().back(), false);
  Weights weights;
  const std::vector<Tensor> y = run_kernel(op_cases::reference_of(bound.call()), bound.call(), {{view}}, weights);
  EXPECT_TRUE(identical(y[0], Tensor::from<float>({4}, {0, 2, 0, 4})));
}

TEST(RunKernel, RefusesInputsThatDoNotFitTheCall) {
  const Graph graph = parse_graph("ir 1\n%x : f32[3] = {-1, 0.0, 1}\n%y = Relu(%x) as r");
  const op_cases::BoundNode bound(graph, graph.order().back(), false);
  const Kernel& kernel = op_cases::reference_of(bound.call());
  Weights weights;
  const auto message = [&](std::vector<Tensor> inputs) -> std::string {
    try {
      run_kernel(kernel, bound.call(), inputs, weights);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message({}).find("0 tensors given for the 1 inputs of Relu"), std::string::npos);
  EXPECT_NE(message({Tensor::zeros(DType::Float32, {4})}).find("f32[4], expected f32[3]"), std::string::npos);
  EXPECT_NE(message({Tensor::zeros(DType::Int32, {3})}).find("i32[3], expected f32[3]"), std::string::npos);
}

TEST(ChooseKernel, TakesTheFirstRowThatRunsHereAndAccepts) {
  const Graph graph = parse_graph("ir 1\n%x : f32[3] = iota\n%y = Relu(%x)");
  const op_cases::BoundNode bound(graph, graph.order().back(), false);
  const auto yes = [](const Call&) { return true; };
  const auto no = [](const Call&) { return false; };
  const Kernel rows[] = {{.op = "Conv", .name = "other", .accepts = yes},
                         {.op = "Relu", .name = "needs", .needs = kCpuAvx512, .accepts = yes},
                         {.op = "Relu", .name = "refuses", .accepts = no},
                         {.op = "Relu", .name = "rough", .accepts = yes, .approximate = true},
                         {.op = "Relu", .name = "first", .accepts = yes},
                         {.op = "Relu", .name = "second", .accepts = yes}};
  EXPECT_EQ(choose_kernel(rows, bound.call(), kCpuAvx2)->name, "first");
  EXPECT_EQ(choose_kernel(rows, bound.call(), kCpuAvx2 | kCpuAvx512)->name, "needs");
  EXPECT_EQ(choose_kernel(std::span(rows).first(4), bound.call(), 0), nullptr);
}

}  // namespace
}  // namespace openrknn
