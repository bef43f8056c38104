#include "core/executor/plan.h"

#include <gtest/gtest.h>

#include "core/executor/run.h"
#include "core/graph/text.h"
#include "executor/executor_support.h"
#include "support/random_graph.h"

namespace openrknn {
namespace {

using test::floats;
using test::kOneByOne;
using test::summary_of;

std::vector<Tensor> run_text(const std::string& text, const std::vector<Tensor>& inputs, PlanOptions options = {}) {
  ThreadPool pool(1);
  return run_graph(parse_graph(text), {}, inputs, pool, options);
}

Tensor iota(Shape shape) {
  Tensor tensor(DType::Float32, std::move(shape));
  float next = 0;
  for (float& v : tensor.mutable_values<float>()) v = next++;
  return tensor;
}

/// The message of the Error that planning `text` throws.
std::string refusal(const std::string& text, PlanOptions options = {}) {
  Weights weights;
  try {
    plan(parse_graph(text), {}, options, weights);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Plan, ConvertsNothingInAPlainConvolutionalNetwork) {
  const PlanSummary plain = summary_of(R"(ir 1
input %x : f32[1,8,8,8]
%w : f32[8,8,1,1] = random(1)
%s : f32[8,1,1] = random(2)
%a = Conv(%x, %w) )" + kOneByOne + R"(
%b = Mul(%a, %s)
%c = Relu(%b)
%d = Concat(%a, %c) {axis=1}
%e = GlobalAveragePool(%d)
%f = Reshape(%e) {shape=[1,16]}
%k : f32[16,4] = random(3)
%g = MatMul(%f, %k)
%h = Softmax(%g) {axis=1}
output %h
)");
  EXPECT_EQ(plain.conversions, 0);
  EXPECT_EQ(plain.steps + plain.fused_nodes, 8);
}

TEST(Plan, ConvertsAValueOnceForAllItsReaders) {
  const std::string text = R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%a = Conv(%x, %w) )" + kOneByOne +
                           R"(
%m = MatMul(%a, %a)
%n = DepthToSpace(%a) {blocksize=2, mode="DCR"}
output %m
output %n
)";
  EXPECT_EQ(summary_of(text).conversions, 1);
}

TEST(Plan, PrintsOneLineAStep) {
  Weights weights;
  const auto planned = plan(parse_graph(R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%a = Conv(%x, %w) )" + kOneByOne + R"(
%m = MatMul(%a, %a)
output %m
)"),
                            {}, {.reference_only = true}, weights);
  const std::string text = to_text(*planned);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + summary(*planned).steps) << text;
  EXPECT_NE(text.find("a Conv"), std::string::npos) << text;
  EXPECT_NE(text.find("f32[1, 4, 4, 8]"), std::string::npos) << text;
  EXPECT_NE(text.find("(layout) form_copy"), std::string::npos) << text;
  EXPECT_EQ(summary(*planned).reference_steps, 2);
}

TEST(Plan, BroadcastsOperandsOfLowerRankAsTheyWereMeant) {
  // [4] belongs to W, [3,1,1] to C, [4,1] to H: channels-last or not.
  const std::string text = R"(ir 1
input %x : f32[1,3,4,4]
input %row : f32[4]
input %column : f32[4,1]
input %plane : f32[3,4,4]
%w : f32[3,3,1,1] = {1, 0, 0, 0, 1, 0, 0, 0, 1}
%a = Conv(%x, %w) )" + kOneByOne +
                           R"(
%c : f32[3,1,1] = {100, 200, 300}
%b = Add(%a, %c)
%d = Add(%b, %row)
%e = Add(%d, %column)
%f = Add(%e, %plane)
%g = Conv(%f, %w) )" + kOneByOne +
                           R"(
output %g
)";
  const std::vector<float> got =
      floats(run_text(text, {iota({1, 3, 4, 4}), iota({4}), iota({4, 1}), iota({3, 4, 4})})[0]);
  for (int c = 0; c < 3; ++c) {
    for (int h = 0; h < 4; ++h) {
      for (int w = 0; w < 4; ++w) {
        const int i = c * 16 + h * 4 + w;
        EXPECT_EQ(got[i], static_cast<float>(i + 100 * (c + 1) + w + h + i)) << c << h << w;
      }
    }
  }
}

TEST(Plan, GivesChannelsLastResultsEqualToLogicalOnes) {
  // The same movements with and without convolutions around them that make them channels-last.
  const std::string movements = R"(
%s = Slice(%in) {starts=[0,1,0,1], ends=[1,7,6,5], steps=[1,2,2,1]}
%p = Pad(%s) {pads=[0,1,0,2,0,0,1,1], mode="constant", value=0.5}
%t = Transpose(%p) {perm=[0,1,3,2]}
%c = Concat(%t, %t) {axis=2}
%e = Tile(%c) {repeats=[1,1,2,1]}
%m = ReduceMax(%e) {axes=[1], keepdims=1}
%out = Sub(%e, %m)
)";
  const std::string w8 = "%w : f32[8,8,1,1] = data(0)\n", w4 = "%v : f32[4,4,1,1] = data(1)\n";
  const std::string inside = "ir 1\ninput %x : f32[1,8,6,6]\n" + w8 + w4 + "%in = Conv(%x, %w) " + kOneByOne +
                             movements + "%y = Conv(%out, %v) " + kOneByOne + "\noutput %y\n";
  const std::string outside = "ir 1\ninput %in : f32[1,8,6,6]" + movements + "output %out\n";
  const auto unit = [](int64_t n) {
    Tensor tensor = Tensor::zeros(DType::Float32, {n, n, 1, 1});
    for (int64_t i = 0; i < n; ++i) tensor.mutable_values<float>()[i * n + i] = 1;
    return tensor;
  };
  const std::vector<Tensor> data = {unit(8), unit(4)};
  ThreadPool pool(1);
  const Tensor x = iota({1, 8, 6, 6});
  const Graph permuted = parse_graph(inside, data);
  Weights weights;
  EXPECT_EQ(summary(*plan(permuted, {}, {}, weights)).conversions, 0);
  const std::vector<Tensor> got = run_graph(permuted, {}, std::span(&x, 1), pool);
  EXPECT_TRUE(identical(got[0], run_text(outside, {x})[0]));
}

TEST(Plan, ListsAllNodesWithoutAKernelTogether) {
  const std::string message = refusal(R"(ir 1
input %x : i8[1,4] q(0.5, 0)
input %z : f32[1,4]
%y : i8[1,4] q(0.5, 0) = Sqrt(%x)
%k = Relu(%z)
%t : i8[1,4] q(0.5, 0) = Erf(%x)
output %y
output %k
output %t
)");
  EXPECT_NE(message.find("graph.kernel-missing"), std::string::npos) << message;
  EXPECT_NE(message.find("Sqrt(i8[1, 4]) -> i8[1, 4]"), std::string::npos) << message;
  EXPECT_NE(message.find("Erf(i8[1, 4])"), std::string::npos) << message;
  EXPECT_EQ(message.find("Relu"), std::string::npos) << message;
}

TEST(Plan, RefusesShapesThatDependOnDataByName) {
  Graph graph;
  Value input;
  input.name = "boxes";
  input.shape = {-1, 4};
  graph.inputs.push_back(graph.add(input));
  graph.outputs = graph.inputs;
  Weights weights;
  try {
    plan(graph, {}, {}, weights);
    FAIL() << "planned a shape it does not know";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::NotBuilt);
    EXPECT_NE(std::string(error.what()).find("boxes"), std::string::npos) << error.what();
  }
}

TEST(Plan, RefusesMoreMemoryThanTheMachineHasByAmountAndNode) {
  const std::string message = refusal(R"(ir 1
input %x : f32[1]
%wide = Expand(%x) {shape=[1099511627776]} as widen from []
%y = Relu(%wide)
output %y
)");
  EXPECT_NE(message.find("4194304.0 MiB"), std::string::npos) << message;
  EXPECT_NE(message.find("'widen (Expand)'"), std::string::npos) << message;
  EXPECT_NE(message.find("f32 [1099511627776]"), std::string::npos) << message;
}

TEST(Plan, RunsOnlyWhatTheOutputsNeed) {
  const std::string text = R"(ir 1
input %x : f32[1,4]
%y = Relu(%x)
%unused = Sigmoid(%x)
output %y
)";
  EXPECT_EQ(summary_of(text).steps, 1);
  EXPECT_EQ(summary_of(text, {.keep_all = true}).steps, 2);
}

TEST(Plan, TakesKnownContentInsteadOfComputingIt) {
  Graph graph = parse_graph(R"(ir 1
input %x : f32[2]
%y = Relu(%x)
%z = Add(%y, %x)
output %z
)");
  graph[graph.find("y")].constant = Tensor::from<float>({2}, {5, 6});
  Weights weights;
  EXPECT_EQ(summary(*plan(graph, {}, {.keep_all = true}, weights)).steps, 1);
  ThreadPool pool(1);
  const Tensor x = Tensor::from<float>({2}, {-1, 1});
  EXPECT_EQ(floats(run_graph(graph, {}, std::span(&x, 1), pool)[0]), (std::vector<float>{4, 7}));
}

TEST(Plan, ReusesMemory) {
  std::string text = "ir 1\ninput %v0 : f32[1,64,32,32]\n";
  for (int i = 0; i < 20; ++i) {
    text += "%v" + std::to_string(i + 1) + " = Transpose(%v" + std::to_string(i) + ") {perm=[0,1,3,2]}\n";
  }
  text += "output %v20\n";
  const int64_t one = 64 * 32 * 32 * 4;
  EXPECT_GE(summary_of(text).arena_bytes, 3 * one);  // the input stays; two more take turns
  EXPECT_LE(summary_of(text).arena_bytes, 3 * one + 1024);
  EXPECT_GE(summary_of(text, {.keep_all = true}).arena_bytes, 21 * one);
}

TEST(Plan, AliasesReshapesInsteadOfCopying) {
  const std::string text = R"(ir 1
input %x : f32[1,64,32,32]
%a = Transpose(%x) {perm=[0,1,3,2]}
%b = Reshape(%a) {shape=[64,1024]}
%c = Reshape(%b) {shape=[1024,64]}
output %c
)";
  EXPECT_LE(summary_of(text).arena_bytes, 2 * 64 * 32 * 32 * 4 + 512);
  EXPECT_EQ(floats(run_text(text, {iota({1, 64, 32, 32})})[0])[1], 32);
}

TEST(Plan, SkipsNodesWithoutElements) {
  const std::vector<Tensor> got = run_text(R"(ir 1
input %x : f32[2,0]
input %y : f32[2,3]
%r = Relu(%x)
%c = Concat(%r, %y) {axis=1}
output %c
output %r
)",
                                           {Tensor(DType::Float32, {2, 0}), iota({2, 3})});
  EXPECT_EQ(floats(got[0]), floats(iota({2, 3})));
  EXPECT_EQ(got[1].shape(), (Shape{2, 0}));
}

TEST(Plan, KeepsRearrangedConstantsOncePerWeights) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%c : f32[1,8,4,4] = random(2)
%a = Conv(%x, %w) )" + kOneByOne + R"(
%b = Add(%a, %c)
output %b
)");
  Weights weights;
  const auto first = plan(graph, {}, {}, weights);
  const int64_t bytes = weights.bytes();
  const auto second = plan(graph, {}, {}, weights);
  EXPECT_GE(bytes, 8 * 4 * 4 * 4);
  EXPECT_EQ(weights.bytes(), bytes);
}

}  // namespace
}  // namespace openrknn
