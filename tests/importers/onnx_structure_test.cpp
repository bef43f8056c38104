// Nodes, names, origins, functions, branches, and what is wrong with a graph.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/executor/run.h"
#include "onnx_writer.h"

namespace openrknn::onnx_test {
namespace {

std::vector<float> run_on(const Graph& graph, const std::vector<Tensor>& inputs) {
  ThreadPool pool(1);
  const Tensor result = run_graph(graph, Arithmetic{}, inputs, pool).at(0);
  return {result.values<float>().begin(), result.values<float>().end()};
}

GraphParts unary(std::vector<Message> nodes, const Shape& shape = {2}) {
  GraphParts parts;
  std::vector<Dim> dims;
  for (const int64_t d : shape) dims.emplace_back(static_cast<int>(d));
  parts.inputs = {value("x", dims)};
  parts.outputs = {untyped("y")};
  parts.nodes = std::move(nodes);
  return parts;
}

TEST(OnnxNodes, UnnamedOnesAreCalledAfterTheirPlaceInTheFile) {
  const Graph graph = import_model(unary({node("Relu", {"x"}, {"a"}, {}, "first"), node("Tanh", {"a"}, {"y"})}));
  ASSERT_EQ(graph.origins.size(), 2u);
  EXPECT_EQ(graph.origins[0].node, "first");
  EXPECT_EQ(graph.origins[1].node, "Tanh_1");
  EXPECT_EQ(graph.origins[1].op, "Tanh");
  EXPECT_EQ(graph.origins[1].tensor, "y");
  EXPECT_NE(graph.origins[1].where.file.find("model.onnx"), std::string::npos);
}

TEST(OnnxNodes, MayComeInAnyOrder) {
  const Graph graph = import_model(unary({node("Tanh", {"a"}, {"y"}), node("Relu", {"x"}, {"a"})}));
  EXPECT_EQ(ops_of(graph), (Names{"Relu", "Tanh"}));
}

TEST(OnnxNodes, DecomposedOnesKeepOneOrigin) {
  GraphParts parts = unary({node("Mean", {"x", "x", "x"}, {"y"}, {}, "mean")});
  const Graph graph = import_model(parts);
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"Add", "Add", "Div"}));
  EXPECT_EQ(graph.origins.size(), 1u);
  EXPECT_EQ(graph.computing("y").size(), 3u);
}

TEST(OnnxNodes, IntermediateNamesNeverTakeATensorsName) {
  GraphParts parts =
      unary({node("Sum", {"x", "x", "x"}, {"s"}), node("Neg", {"s"}, {"s/Add"}), node("Relu", {"s/Add"}, {"y"})});
  const Graph graph = import_model(parts);
  EXPECT_EQ(graph[graph[graph.find("s/Add")].producer].op, "Neg");
}

TEST(OnnxNodes, IdentityAndDropoutAreOtherNamesForTheirInput) {
  const Graph graph = import_model(unary({node("Relu", {"x"}, {"a"}), node("Identity", {"a"}, {"b"}),
                                          node("Dropout", {"b"}, {"c", "unused"}), node("Tanh", {"c"}, {"y"})}));
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"Relu", "Tanh"}));
  EXPECT_EQ(graph.find("c"), graph.find("a"));
  EXPECT_EQ(graph.computing("c").size(), 1u);
}

TEST(OnnxGraph, CyclesAreNamed) {
  const auto problems = problems_of([] {
    import_model(unary({node("Add", {"x", "b"}, {"a"}, {}, "left"), node("Relu", {"a"}, {"b"}, {}, "right"),
                        node("Neg", {"b"}, {"y"})}));
  });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::ImportCycle);
  EXPECT_NE(problems[0].problem.find("'left'"), std::string::npos);
  EXPECT_NE(problems[0].problem.find("'right'"), std::string::npos);
}

TEST(OnnxGraph, EveryTensorHasOneSource) {
  GraphParts twice = unary({node("Relu", {"x"}, {"a"}), node("Neg", {"x"}, {"a"}), node("Neg", {"a"}, {"y"})});
  EXPECT_EQ(problems_of([&] { import_model(twice); }).at(0).code, Code::ImportDuplicateTensor);
  GraphParts over_input = unary({node("Relu", {"x"}, {"x"}), node("Neg", {"x"}, {"y"})});
  EXPECT_EQ(problems_of([&] { import_model(over_input); }).at(0).code, Code::ImportDuplicateTensor);
  GraphParts over_constant = unary({node("Relu", {"x"}, {"w"}), node("Neg", {"w"}, {"y"})});
  over_constant.initializers = {floats("w", {2}, {1, 2})};
  EXPECT_EQ(problems_of([&] { import_model(over_constant); }).at(0).code, Code::ImportDuplicateTensor);
}

TEST(OnnxGraph, AllMissingTensorsAreReported) {
  const auto problems = problems_of([] { import_model(unary({node("Sum", {"x", "p", "q"}, {"y"})})); });
  ASSERT_EQ(problems.size(), 2u);
  for (const Diagnostic& problem : problems) EXPECT_EQ(problem.code, Code::ImportMissingTensor);
}

TEST(OnnxGraph, ShapesThatDoNotFitNameTheNode) {
  GraphParts parts = unary({node("Add", {"x", "w"}, {"y"}, {}, "sum")});
  parts.initializers = {floats("w", {3}, {1, 2, 3})};
  const auto problems = problems_of([&] { import_model(parts); });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::GraphInferenceFailed);
  EXPECT_NE(problems[0].where.node.find("sum"), std::string::npos);
}

TEST(OnnxUnsupported, OneDiagnosticPerOperatorCountsAndNames) {
  const auto problems = problems_of([] {
    import_model(unary({node("Bernoulli", {"x"}, {"a"}, {}, "nz1"), node("Bernoulli", {"x"}, {"b"}, {}, "nz2"),
                        node("Relu", {"a"}, {"c"}), node("StringConcat", {"c", "b"}, {"d"}),
                        node("Frobnicate", {"d"}, {"y"}, {}, "odd", "com.example")}));
  });
  ASSERT_EQ(problems.size(), 3u);
  std::string text;
  for (const Diagnostic& problem : problems) {
    EXPECT_EQ(problem.code, Code::ImportUnsupportedOp);
    text += to_string(problem) + "\n";
  }
  EXPECT_NE(text.find("2 nodes of type Bernoulli"), std::string::npos) << text;
  EXPECT_NE(text.find("'nz1' (output 'a'), 'nz2' (output 'b')"), std::string::npos) << text;
  EXPECT_NE(text.find("com.example::Frobnicate"), std::string::npos) << text;
  EXPECT_NE(text.find("text is not processed"), std::string::npos) << text;
  EXPECT_NE(text.find("outputs='x'"), std::string::npos) << text;  // where to cut
}

TEST(OnnxUnsupported, OperatorsAreKnownInTheirOpsetsOnly) {
  const auto upsample = [](int64_t opset) {
    GraphParts parts = unary({node("Upsample", {"x", "s"}, {"y"})}, {1, 1, 2, 2});
    parts.initializers = {floats("s", {4}, {1, 1, 2, 2})};
    return problems_of([&] { import_model(parts, opset); });
  };
  EXPECT_TRUE(upsample(9).empty());
  EXPECT_NE(upsample(10).at(0).problem.find("removed after opset 9"), std::string::npos);
  const auto mish = problems_of([] { import_model(unary({node("Mish", {"x"}, {"y"})}), 17); });
  EXPECT_NE(mish.at(0).problem.find("from opset 18 on"), std::string::npos);
}

TEST(OnnxUnsupported, IsReportedBesideMissingDimensions) {
  GraphParts parts = unary({node("Bernoulli", {"x"}, {"y"})});
  parts.inputs = {value("x", {"n"})};
  const auto problems = problems_of([&] { import_model(parts); });
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].code, Code::ImportUnknownDimension);
  EXPECT_EQ(problems[1].code, Code::ImportUnsupportedOp);
}

TEST(OnnxConstants, ShapeArithmeticIsKnownWhileImporting) {
  // Flatten(1) as exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape.
  GraphParts parts = unary(
      {node("Shape", {"x"}, {"s"}), node("Gather", {"s", "zero"}, {"n"}), node("Unsqueeze", {"n", "axis"}, {"n1"}),
       node("Concat", {"n1", "rest"}, {"shape"}, {attribute("axis", 0)}), node("Reshape", {"x", "shape"}, {"y"})},
      {2, 3, 4});
  parts.initializers = {tensor<int64_t>("zero", {}, {0}), ints("axis", {0}), ints("rest", {-1})};
  const Graph graph = import_model(parts);
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"Reshape"}));
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{2, 12}));
  EXPECT_EQ(graph.origins.size(), 5u);
  EXPECT_EQ(graph.unplaced_origins.size(), 4u);
}

TEST(OnnxConstants, WhatMustBeKnownAndIsNotIsNamed) {
  GraphParts parts =
      unary({node("Cast", {"x"}, {"s"}, {attribute("to", 7)}, "to_int"), node("Pad", {"x", "s"}, {"y"}, {}, "pad")});
  const auto problems = problems_of([&] { import_model(parts); });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::ImportNotConstant);
  EXPECT_EQ(problems[0].where.node, "pad");
  EXPECT_NE(problems[0].problem.find("'s' is computed at run time by Cast 'to_int'"), std::string::npos)
      << problems[0].problem;
}

TEST(OnnxConstants, EveryFormOfConstantIsRead) {
  const auto constant = [](const Message& form, const char* op = "Add") {
    GraphParts parts = unary({node("Constant", {}, {"c"}, {form}), node(op, {"x", "c"}, {"y"})});
    return run_on(import_model(parts), {Tensor::from<float>({2}, {1, 2})});
  };
  EXPECT_EQ(constant(tensor_attribute("value", floats("", {2}, {1, 1}))), (std::vector<float>{2, 3}));
  EXPECT_EQ(constant(attribute("value_float", 0.5f)), (std::vector<float>{1.5, 2.5}));
  EXPECT_EQ(constant(attribute("value_floats", std::vector<float>{1, 2})), (std::vector<float>{2, 4}));
  EXPECT_EQ(constant(attribute("value_int", 3), "Pow"), (std::vector<float>{1, 8}));
  EXPECT_EQ(constant(attribute("value_ints", std::vector<int64_t>{2, 3}), "Pow"), (std::vector<float>{1, 8}));
  EXPECT_EQ(problems_of([&] { constant(attribute("value_string", "text")); }).at(0).code, Code::ImportUnsupportedType);
}

TEST(OnnxConstants, HugeFillsAreNotAllocated) {
  GraphParts parts;
  parts.inputs = {value("x", {1})};
  parts.outputs = {untyped("y")};
  parts.initializers = {ints("s", {1 << 20, 1 << 19})};  // two tebibytes
  parts.nodes = {node("ConstantOfShape", {"s"}, {"c"}), node("Add", {"x", "c"}, {"y"})};
  EXPECT_EQ(ops_of(import_model(parts)), (Names{"Expand", "Add"}));
}

Message branch(const Names& ops, const std::string& source, const std::string& result) {
  GraphParts parts;
  std::string last = source;
  for (size_t i = 0; i < ops.size(); ++i) {
    const std::string next = i + 1 == ops.size() ? result : result + std::to_string(i);
    parts.nodes.push_back(node(ops[i], {last}, {next}));
    last = next;
  }
  parts.outputs = {untyped(ops.empty() ? source : result)};
  return graph(parts);
}

TEST(OnnxIf, TakesTheKnownBranch) {
  for (const bool taken : {true, false}) {
    GraphParts parts =
        unary({node("Relu", {"x"}, {"a"}), node("If", {"c"}, {"y"},
                                                {graph_attribute("then_branch", branch({"Neg", "Tanh"}, "a", "t")),
                                                 graph_attribute("else_branch", branch({"Sigmoid"}, "a", "e"))})});
    parts.initializers = {bool_scalar("c", taken)};
    const Graph graph = import_model(parts);
    verify(graph);
    EXPECT_EQ(ops_of(graph), taken ? (Names{"Relu", "Neg", "Tanh"}) : (Names{"Relu", "Sigmoid"}));
    EXPECT_EQ(graph[graph.outputs[0]].name, "y");
  }
}

TEST(OnnxIf, BranchesMayHandOnWhatTheyCapture) {
  GraphParts parts = unary(
      {node("If", {"c"}, {"b"},
            {graph_attribute("then_branch", branch({}, "x", "")), graph_attribute("else_branch", branch({}, "x", ""))}),
       node("Neg", {"b"}, {"y"})});
  parts.initializers = {bool_scalar("c", true)};
  EXPECT_EQ(ops_of(import_model(parts)), (Names{"Neg"}));
}

TEST(OnnxIf, ConditionsOfTheRunKeepBothBranches) {
  GraphParts parts = unary({node("If", {"c"}, {"y"},
                                 {graph_attribute("then_branch", branch({"Neg"}, "x", "t")),
                                  graph_attribute("else_branch", branch({"Sigmoid"}, "x", "e"))})});
  parts.inputs.push_back(value("c", {1}, 9));
  const Graph graph = import_model(parts);
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"If"}));
  const Node& node = graph[graph.order()[0]];
  for (const auto& [name, op] : {std::pair("then_branch", "Neg"), std::pair("else_branch", "Sigmoid")}) {
    const auto body = std::get<std::shared_ptr<const Graph>>(node.attributes.find(name)->second);
    EXPECT_EQ(ops_of(*body), (Names{op}));
    EXPECT_EQ(body->inputs.size(), 1u);  // x, captured
  }
}

TEST(OnnxFunctions, AreInlinedWithTheirAttributes) {
  ModelParts more;
  more.more_opsets = {opset_id("local", 1)};
  // scale_clip(v, w){low = -1 by default, high}: Clip(v * w)
  more.functions = {
      function("local", "scale_clip", {"v", "w"}, {"r"},
               {node("Mul", {"v", "w"}, {"m"}), node("Constant", {}, {"low"}, {reference("value_float", "low", 1)}),
                node("Constant", {}, {"high"}, {reference("value_float", "high", 1)}),
                node("Clip", {"m", "low", "high"}, {"r"})},
               17, {attribute("low", -1.0f)}),
      function("local", "twice", {"v", "w"}, {"r"},
               {node("scale_clip", {"v", "w"}, {"m"}, {reference("high", "top", 1)}, "inner", "local"),
                node("scale_clip", {"m", "w"}, {"r"}, {reference("high", "top", 1)}, "inner2", "local")},
               17)};
  GraphParts parts = unary({node("twice", {"x", "w"}, {"y"}, {attribute("top", 3.0f)}, "call", "local")});
  parts.initializers = {floats("w", {}, {2})};
  const Graph graph = import_bytes(model(parts, more));
  verify(graph);
  EXPECT_EQ(run_on(graph, {Tensor::from<float>({2}, {-4, 0.5f})}), (std::vector<float>{-1, 2}));
  EXPECT_NE(graph.find("call/inner/m"), ValueId::None);
  EXPECT_EQ(graph[graph.outputs[0]].name, "y");
}

TEST(OnnxFunctions, ThatCallThemselvesAreRefused) {
  ModelParts more;
  more.functions = {function("local", "f", {"v"}, {"r"},
                             {node("f", {"v"}, {"m"}, {}, "", "local"), node("f", {"m"}, {"r"}, {}, "", "local")}, 17)};
  const auto problems =
      problems_of([&] { import_bytes(model(unary({node("f", {"x"}, {"y"}, {}, "", "local")}), more)); });
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems[0].code, Code::ImportBadFile);
}

TEST(OnnxFunctions, UnfoldWithinABound) {
  ModelParts more;  // f0 calls f1 twice, f1 calls f2 twice, …: 2^40 nodes
  for (int i = 0; i < 40; ++i) {
    const std::string next = fmt::format("f{}", i + 1);
    more.functions.push_back(
        function("local", fmt::format("f{}", i), {"v"}, {"r"},
                 {node(next, {"v"}, {"m"}, {}, "", "local"), node(next, {"m"}, {"r"}, {}, "", "local")}, 17));
  }
  more.functions.push_back(function("local", "f40", {"v"}, {"r"}, {node("Neg", {"v"}, {"r"})}, 17));
  const auto problems =
      problems_of([&] { import_bytes(model(unary({node("f0", {"x"}, {"y"}, {}, "", "local")}), more)); });
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems[0].code, Code::ImportBadFile);
}

}  // namespace
}  // namespace openrknn::onnx_test
