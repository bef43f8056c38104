#include <gtest/gtest.h>

#include "core/executor/plan.h"
#include "core/graph/text.h"

namespace openrknn {
namespace {

std::optional<std::vector<Tensor>> evaluate_output(const std::string& text) {
  const Graph graph = parse_graph(text);
  return evaluate(graph, graph[graph.outputs[0]].producer);
}

TEST(Evaluate, ComputesNodesOfConstants) {
  const auto sum = evaluate_output(R"(ir 1
%a : i64[3] = {1, 2, 3}
%b : i64[1] = {10}
%c = Add(%a, %b)
output %c
)");
  ASSERT_TRUE(sum.has_value());
  EXPECT_EQ(to_ints((*sum)[0]), (std::vector<int64_t>{11, 12, 13}));
}

TEST(Evaluate, GivesLogicalResultsOfChannelsLastKernels) {
  const auto pooled = evaluate_output(R"(ir 1
%a : f32[1,2,2,2] = {1, 2, 3, 4, 50, 60, 70, 80}
%c = MaxPool(%a) {kernel_shape=[2,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1]}
output %c
)");
  ASSERT_TRUE(pooled.has_value());
  EXPECT_EQ((*pooled)[0].shape(), (Shape{1, 2, 1, 2}));
  EXPECT_EQ(to_doubles((*pooled)[0]), (std::vector<double>{3, 4, 70, 80}));
}

TEST(Evaluate, DeclinesWhatIsNotConstant) {
  EXPECT_FALSE(evaluate_output(R"(ir 1
input %x : f32[3]
%c = Relu(%x)
output %c
)"));
}

TEST(Evaluate, DeclinesResultsOverOneGibibyte) {
  EXPECT_FALSE(evaluate_output(R"(ir 1
%a : f32[1,1] = {1}
%c = Expand(%a) {shape=[65536,65536]}
output %c
)"));
}

TEST(Evaluate, DeclinesQuantizedArithmeticButMovesCodes) {
  EXPECT_FALSE(evaluate_output(R"(ir 1
%a : i8[2] q(0.5, 0) = {1, 2}
%c : f32[2] = Convert(%a)
output %c
)"));
  const auto moved = evaluate_output(R"(ir 1
%a : i8[2,2] q(0.5, 0) = {1, 2, 3, 4}
%c : i8[2,2] q(0.5, 0) = Transpose(%a) {perm=[1,0]}
output %c
)");
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(to_ints((*moved)[0]), (std::vector<int64_t>{1, 3, 2, 4}));
}

TEST(Evaluate, TellsTheGraphWhatShapesAreMadeOf) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[2,3,4]
%s = Shape(%x)
%i : i64[1] = {1}
%g = Gather(%s, %i) {axis=0}
%d = Add(%g, %g)
output %d
)",
                                  {}, evaluate);
  ASSERT_TRUE(graph[graph.find("d")].constant.has_value());
  EXPECT_EQ(to_ints(*graph[graph.find("d")].constant), (std::vector<int64_t>{6}));
}

}  // namespace
}  // namespace openrknn
