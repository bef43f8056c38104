#include "core/graph/graph.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"

namespace openrknn {
namespace {

ValueId value(Graph& graph, std::string name, Shape shape = {2}) {
  Value v;
  v.name = std::move(name);
  v.shape = std::move(shape);
  return graph.add(std::move(v));
}

NodeId node(Graph& graph, std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node n;
  n.op = op;
  n.inputs = std::move(inputs);
  n.outputs = std::move(outputs);
  n.origins = {static_cast<int32_t>(graph.origins.size())};
  graph.origins.push_back({op, graph[n.outputs[0]].name + "_node", graph[n.outputs[0]].name, {}});
  return graph.add(std::move(n));
}

/// x -> Relu -> a -> Sigmoid -> b -> Tanh -> c
struct Chain {
  Graph graph;
  ValueId x, a, b, c;
  NodeId relu, sigmoid, tanh;
  Chain() {
    x = value(graph, "x"), a = value(graph, "a"), b = value(graph, "b"), c = value(graph, "c");
    relu = node(graph, "Relu", {x}, {a});
    sigmoid = node(graph, "Sigmoid", {a}, {b});
    tanh = node(graph, "Tanh", {b}, {c});
    graph.inputs = {x};
    graph.outputs = {c};
  }
};

TEST(GraphNames, AreMadeUniquePerKind) {
  Graph graph;
  EXPECT_EQ(graph[value(graph, "x")].name, "x");
  EXPECT_EQ(graph[value(graph, "x")].name, "x_1");
  EXPECT_EQ(graph[value(graph, "x_1")].name, "x_1_1");
  EXPECT_EQ(graph[value(graph, "")].name, "value");
  Node relu{.name = {}, .op = "Relu", .inputs = {graph.find("x")}, .outputs = {graph.find("x_1")}};
  EXPECT_EQ(graph[graph.add(relu)].name, "x_1") << "a node without a name takes that of its first output";
}

TEST(GraphUsers, FollowEveryChangeOfInputs) {
  Chain t;
  const auto users = [&](ValueId v) { return std::vector<NodeId>(t.graph.users(v).begin(), t.graph.users(v).end()); };
  EXPECT_EQ(users(t.a), std::vector<NodeId>{t.sigmoid});
  t.graph.set_input(t.tanh, 0, t.a);
  EXPECT_EQ(users(t.a), (std::vector<NodeId>{t.sigmoid, t.tanh}));
  EXPECT_TRUE(users(t.b).empty());
  t.graph.set_inputs(t.tanh, {t.a, t.a});
  EXPECT_EQ(users(t.a), (std::vector<NodeId>{t.sigmoid, t.tanh})) << "each user once, in insertion order";
  t.graph.set_input(t.tanh, 1, t.b);
  EXPECT_EQ(users(t.a), (std::vector<NodeId>{t.sigmoid, t.tanh})) << "still read through input 0";
  t.graph.set_input(t.tanh, 0, ValueId::None);
  EXPECT_EQ(users(t.a), std::vector<NodeId>{t.sigmoid});
}

TEST(GraphOrder, KeepsInsertionOrderAndPutsLateNodesBeforeTheirUser) {
  Chain t;
  EXPECT_EQ(t.graph.order(), (std::vector<NodeId>{t.relu, t.sigmoid, t.tanh}));
  const ValueId n = value(t.graph, "n");
  const NodeId neg = node(t.graph, "Neg", {t.a}, {n});
  t.graph.set_input(t.sigmoid, 0, n);
  EXPECT_EQ(t.graph.order(), (std::vector<NodeId>{t.relu, neg, t.sigmoid, t.tanh}));
}

TEST(GraphOrder, NamesTheNodesOfACycle) {
  Chain t;
  t.graph.set_input(t.relu, 0, t.b);
  try {
    t.graph.order();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::ImportCycle);
    EXPECT_NE(std::string(error.what()).find("b -> a -> b"), std::string::npos) << error.what();
  }
}

TEST(GraphOrder, HandlesAVeryLongCycleWithoutAVeryLongMessage) {
  Graph graph;
  const ValueId first = value(graph, "v");
  ValueId last = first;
  NodeId begin = NodeId::None;
  for (int i = 0; i < 20000; ++i) {
    const ValueId next = value(graph, "v");
    const NodeId id = graph.add(Node{.name = {}, .op = "Relu", .inputs = {last}, .outputs = {next}});
    if (i == 0) begin = id;
    last = next;
  }
  EXPECT_EQ(graph.order().size(), 20000u);
  graph.set_input(begin, 0, last);
  try {
    graph.order();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  }
}

TEST(GraphRedirect, MovesUsersAndMakesTheOldNameAnAlias) {
  Chain t;
  t.graph.redirect(t.b, t.a);
  EXPECT_EQ(t.graph[t.tanh].inputs, std::vector<ValueId>{t.a});
  EXPECT_EQ(t.graph.find("b"), t.a);
  EXPECT_EQ(t.graph[t.a].name, "a");
  EXPECT_TRUE(t.graph.remove_unused());
  EXPECT_FALSE(t.graph.alive(t.sigmoid));
  EXPECT_EQ(t.graph.unplaced_origins, std::vector<int32_t>{1});
  EXPECT_EQ(t.graph.find("b"), t.a) << "the alias outlives the node";
  verify(t.graph);
}

TEST(GraphRedirect, LetsAnOutputKeepItsPrimaryName) {
  Chain t;
  t.graph.redirect(t.c, t.b);
  EXPECT_EQ(t.graph.outputs, std::vector<ValueId>{t.b});
  EXPECT_EQ(t.graph[t.b].name, "c");
  EXPECT_EQ(t.graph[t.b].aliases, std::vector<std::string>{"b"});
  EXPECT_EQ(t.graph.find("b"), t.b);
  t.graph.remove_unused();
  verify(t.graph);
}

TEST(GraphRedirect, LeavesAnInputsNameAloneWhenAnOutputMovesThere) {
  Chain t;
  t.graph.redirect(t.c, t.x);
  EXPECT_EQ(t.graph[t.x].name, "x");
  EXPECT_EQ(t.graph.find("c"), t.x);
  t.graph.remove_unused();
  EXPECT_TRUE(t.graph.order().empty());
  verify(t.graph);
}

TEST(GraphRedirect, CarriesAliasesAlong) {
  Chain t;
  t.graph.redirect(t.b, t.a);
  t.graph.redirect(t.a, t.x);
  EXPECT_EQ(t.graph.find("a"), t.x);
  EXPECT_EQ(t.graph.find("b"), t.x);
  t.graph.remove_unused();
  verify(t.graph);
}

TEST(GraphAbsorb, FusedNodeTakesTheOutputAndTheOrigins) {
  Chain t;
  t.graph.set_output(t.relu, 0, t.b);  // as if Relu computed what Sigmoid gave
  t.graph.absorb(t.sigmoid, std::vector<NodeId>{t.relu});
  EXPECT_FALSE(t.graph.alive(t.sigmoid));
  EXPECT_EQ(t.graph[t.relu].origins, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(t.graph[t.b].producer, t.relu);
  EXPECT_EQ(t.graph.find("a"), ValueId::None) << "nobody computes that tensor any more";
  EXPECT_EQ(t.graph.computing("a"), std::vector<NodeId>{t.relu}) << "but its layer is still found";
  EXPECT_EQ(t.graph.computing("b"), std::vector<NodeId>{t.relu});
  verify(t.graph);
}

TEST(GraphAbsorb, DecomposedNodeIsComputedByMany) {
  Chain t;
  const ValueId inner = value(t.graph, "inner");
  const NodeId first = t.graph.add(Node{.name = {}, .op = "Neg", .inputs = {t.a}, .outputs = {inner}});
  const NodeId second = t.graph.add(Node{.name = {}, .op = "Neg", .inputs = {inner}, .outputs = {t.b}});
  EXPECT_EQ(t.graph[t.sigmoid].outputs, std::vector<ValueId>{ValueId::None}) << "taken over by the new producer";
  t.graph.absorb(t.sigmoid, std::vector<NodeId>{first, second});
  EXPECT_EQ(t.graph.computing("b"), (std::vector<NodeId>{first, second}));
  verify(t.graph);
}

TEST(GraphAbsorb, RefusesAPartThatIsStillNeeded) {
  Chain t;
  EXPECT_THROW(t.graph.absorb(t.sigmoid, std::vector<NodeId>{t.relu}), Error);
  EXPECT_THROW(t.graph.absorb(t.tanh, std::vector<NodeId>{t.sigmoid}), Error) << "a graph output is needed";
}

TEST(GraphRemoveUnused, KeepsOriginsThatAnotherNodeStillHolds) {
  Chain t;
  t.graph[t.relu].origins = {0, 1};
  t.graph.outputs = {t.a};
  EXPECT_TRUE(t.graph.remove_unused());
  EXPECT_EQ(t.graph.unplaced_origins, std::vector<int32_t>{2});
  verify(t.graph);
  EXPECT_FALSE(t.graph.remove_unused());
}

TEST(GraphRemoveUnused, ReleasesConstantsNothingReads) {
  Chain t;
  const ValueId constant = t.graph.add_constant("w", Tensor::zeros(DType::Float32, {4}));
  t.graph.remove_unused();
  EXPECT_FALSE(t.graph[constant].constant.has_value());
  EXPECT_EQ(t.graph.find("w"), ValueId::None);
}

TEST(GraphCopy, HasTheSameIds) {
  Chain t;
  const Graph copy = t.graph;
  t.graph.redirect(t.c, t.b);
  t.graph.remove_unused();
  EXPECT_EQ(copy[t.c].name, "c");
  EXPECT_EQ(copy.order().size(), 3u);
  verify(copy);
}

}  // namespace
}  // namespace openrknn
