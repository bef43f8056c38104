#include <gtest/gtest.h>

#include "core/graph/graph.h"
#include "core/graph/text.h"

namespace openrknn {
namespace {

constexpr std::string_view kTwoLayers = R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[3,2,1,1] = random(1)
%c = Conv(%x, %w) from [conv]
%y = Relu(%c) from [relu]
output %y
)";

/// The message of verify(), empty if the graph is valid.
std::string complaint(const Graph& graph) {
  try {
    verify(graph);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::GraphInvalid);
    return error.what();
  }
  return {};
}

void expect_complaint(const Graph& graph, std::string_view part) {
  const std::string text = complaint(graph);
  EXPECT_NE(text.find(part), std::string::npos) << "got: " << text;
}

NodeId maker(const Graph& graph, std::string_view value) { return graph[graph.find(value)].producer; }

TEST(Verify, AcceptsAValidGraph) { EXPECT_EQ(complaint(parse_graph(kTwoLayers)), ""); }

TEST(Verify, FindsAValueWithTwoProducers) {
  Graph graph = parse_graph(kTwoLayers);
  graph[maker(graph, "y")].outputs[0] = graph.find("c");
  expect_complaint(graph, "which says it is produced by 'c'");
}

TEST(Verify, FindsAWrongShape) {
  Graph graph = parse_graph(kTwoLayers);
  graph[graph.find("c")].shape = {1, 3, 4, 5};
  expect_complaint(graph, "gives 'c' as f32[1, 3, 4, 5], expected f32[1, 3, 4, 4]");
}

TEST(Verify, FindsAWrongType) {
  Graph graph = parse_graph(kTwoLayers);
  graph[graph.find("y")].dtype = DType::Float16;
  expect_complaint(graph, "gives 'y' as f16");
}

TEST(Verify, FindsACycle) {
  Graph graph = parse_graph(kTwoLayers);
  graph.set_input(maker(graph, "c"), 0, graph.find("y"));
  expect_complaint(graph, "cycle");
}

TEST(Verify, FindsAStaleUsersTable) {
  Graph graph = parse_graph(kTwoLayers);
  graph[maker(graph, "y")].inputs[0] = graph.find("x");
  expect_complaint(graph, "users table");
}

TEST(Verify, FindsALostOrigin) {
  Graph graph = parse_graph(kTwoLayers);
  graph[maker(graph, "y")].origins.clear();
  expect_complaint(graph, "source layer 'relu' (Relu) was lost");
}

TEST(Verify, FindsAnOriginThatIsPlacedAndUnplaced) {
  Graph graph = parse_graph(kTwoLayers);
  graph.unplaced_origins = {1};
  expect_complaint(graph, "source layer 'relu' is said to be unplaced");
}

TEST(Verify, FindsARenameBehindTheGraphsBack) {
  Graph graph = parse_graph(kTwoLayers);
  graph[graph.find("c")].name = "d";
  expect_complaint(graph, "renamed behind the graph's back");
}

TEST(Verify, FindsAnUnknownOpAndABadAttribute) {
  Graph graph = parse_graph(kTwoLayers);
  graph[maker(graph, "y")].op = "Frobnicate";
  graph[maker(graph, "c")].attributes["stride"] = int64_t{2};
  expect_complaint(graph, "unknown operator 'Frobnicate'");
  expect_complaint(graph, "Conv has no attribute 'stride'");
}

TEST(Verify, FindsAValueNobodyComputes) {
  Graph graph = parse_graph(kTwoLayers);
  graph.inputs.clear();
  expect_complaint(graph, "reads 'x', which nothing computes");
}

TEST(Verify, FindsIdsOutsideTheGraph) {
  Graph graph = parse_graph(kTwoLayers);
  graph.outputs.push_back(ValueId{99});
  expect_complaint(graph, "value 99 does not exist");
}

TEST(Verify, FindsOrdersThatAreNoneOfTheDimensions) {
  Graph graph = parse_graph(kTwoLayers);
  graph.input_orders = {{0, 2, 3, 3}};
  graph.output_orders = {{}, {}};
  expect_complaint(graph, "tensor 'x': E0201 graph.invalid: has the order [0, 2, 3, 3] of its 4 dimensions");
  expect_complaint(graph, "has 2 orders of outputs, and 1 of them");
}

TEST(Verify, FindsBadQuantization) {
  Graph graph = parse_graph(kTwoLayers);
  graph[graph.find("w")].quant = QuantParams{.scale = {0.5, -1}, .zero_point = {0}, .axis = 0, .group = 0};
  graph[graph.find("y")].quant = QuantParams{.scale = {0.5}, .zero_point = {0}};
  expect_complaint(graph, "tensor 'y': E0201 graph.invalid: has quantization parameters and type f32");
  expect_complaint(graph, "2 scales and 1 zero points");
  expect_complaint(graph, "2 scales for shape [3, 2, 1, 1] along axis 0, expected 3");
  expect_complaint(graph, "not a positive number");
}

TEST(Verify, LetsDecodedConstantsSayTheirParameters) {
  Graph graph = parse_graph(kTwoLayers);
  graph[graph.find("w")].quant = QuantParams{.scale = {0.5}, .zero_point = {0}};
  EXPECT_EQ(complaint(graph), "");
}

TEST(Verify, ReportsEverythingTogether) {
  Graph graph = parse_graph(kTwoLayers);
  graph[maker(graph, "y")].origins.clear();
  graph.unplaced_origins = {7};
  graph.outputs.push_back(ValueId{99});
  try {
    verify(graph);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics.size(), 3u) << error.what();
  }
}

}  // namespace
}  // namespace openrknn
