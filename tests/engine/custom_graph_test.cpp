// What replacing a built-in operator by custom code does to the graph.
#include "runtime/engine/custom_graph.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"
#include "core/targets/targets.h"
#include "runtime/engine/devices/simulator.h"

namespace openrknn {
namespace {

Graph replaced(const char* text, const char* op) {
  Graph graph = parse_graph(text);
  for (const NodeId id : graph.order()) {
    if (graph[id].op == op) replace_builtin(graph, id, op);
  }
  verify(graph);
  return graph;
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const NodeId id : graph.order()) ops.emplace_back(shown_op(graph[id]));
  return ops;
}

TEST(ReplaceBuiltin, PutsConvertsWhereValuesAreNotFloat32) {
  const Graph graph = replaced(R"(ir 1
input %x : i8[1,4] q(0.5, 3)
%y : i8[1,4] q(0.25, 0) = Sigmoid(%x) as act fixed(low=-128, high=127)
output %y
)",
                               "Sigmoid");
  EXPECT_EQ(ops_of(graph), (std::vector<std::string>{"Convert", "Sigmoid", "Convert"}));
  EXPECT_EQ(graph[graph.outputs[0]].name, "y");
  EXPECT_EQ(graph[graph.outputs[0]].dtype, DType::Int8);
}

TEST(ReplaceBuiltin, LeavesFloat32AndIntegersAlone) {
  const Graph graph = replaced(R"(ir 1
input %x : f32[1,4]
%i : i64[2] = {0, 3}
%y : f32[1,2] = Gather(%x, %i) {axis=1}
output %y
)",
                               "Gather");
  EXPECT_EQ(ops_of(graph), (std::vector<std::string>{"Gather"}));
  EXPECT_EQ(graph[NodeId(0)].inputs.size(), 2u);
  EXPECT_EQ(int_attribute(graph[NodeId(0)].attributes, "axis", 0), 1);
}

TEST(ReplaceBuiltin, DropsTablesOfTheBuiltInArithmetic) {
  const Graph graph = replaced(R"(ir 1
input %x : i8[1,4] q(0.5, 3)
%t : i8[256] = fill(5)
%y : i8[1,4] q(0.25, 0) = Sigmoid(%x, %t) fixed(low=-128, high=127)
output %y
)",
                               "Sigmoid");
  EXPECT_EQ(graph[NodeId(0)].inputs.size(), 1u);
}

TEST(CustomSite, ShowsWeightsAsTheRealNumbersTheyStandFor) {
  const Graph graph = parse_graph(R"(ir 1
input %x : i8[1,2] q(0.5, 0)
%w : i8[2,3] q([0.5, 0.25, 2.0], [0, 1, -1], axis=1) = {2, 3, 4, -2, -3, -4}
%y : i8[1,3] q(0.5, 0) = MatMul(%x, %w) fixed(scale=[[16384, 14]], low=-128, high=127)
output %y
)");
  const auto device = make_simulator(*find_target("rk3588"), 1);
  const CustomSite site = make_site(graph, NodeId(0), "MatMul", *device);
  ASSERT_EQ(site.inputs.size(), 2u);
  EXPECT_EQ(site.inputs[1].dtype, DType::Float32);
  const auto* w = reinterpret_cast<const float*>(site.inputs[1].memory->data());
  EXPECT_EQ(std::vector<float>(w, w + 6), (std::vector<float>{1, 0.5, 10, -1, -1, -6}));
  EXPECT_EQ(site.outputs[0].memory->size(), 12);
}

}  // namespace
}  // namespace openrknn
