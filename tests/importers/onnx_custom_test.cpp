// ONNX nodes that the user's own code computes.
#include <gtest/gtest.h>

#include "core/graph/custom.h"
#include "onnx_writer.h"

namespace openrknn::onnx_test {
namespace {

GraphParts sigmoid(const std::vector<Dim>& dims = {1, 4}) {
  GraphParts parts;
  parts.inputs = {value("x", dims)};
  parts.nodes = {node("Relu", {"x"}, {"r"}), node("cstSigmoid", {"r"}, {"s"}, {}, "act"), node("Neg", {"s"}, {"y"})};
  parts.outputs = {untyped("y")};
  return parts;
}

std::string complaint(const GraphParts& parts, const ImportOptions& options = {}) {
  const auto problems = problems_of([&] { import_model(parts, 17, options); });
  return problems.empty() ? "no complaint" : to_string(problems.front());
}

TEST(OnnxCustom, NamesThatBeginWithCstNeedOnlyTheirShapes) {
  GraphParts parts = sigmoid();
  parts.values = {value("s", {1, 4})};
  const Graph graph = import_model(parts);
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"Relu", "Custom", "Neg"}));
  const Node& custom = only(graph, "Custom");
  EXPECT_EQ(custom_type(custom), "cstSigmoid");
  EXPECT_EQ(custom.name, "act");
  EXPECT_EQ(graph.origins[static_cast<size_t>(custom.origins[0])].op, "cstSigmoid");
  EXPECT_EQ(graph[graph.find("s")].shape, (Shape{1, 4}));
}

TEST(OnnxCustom, KeepsEveryAttributeOfAnyDomain) {
  GraphParts parts;
  parts.inputs = {value("a", {1, 4}), value("b", {1, 4})};
  parts.nodes = {node("cstDualResidual", {"a", "", "b"}, {"y"},
                      {attribute("alpha", 0.25f), attribute("count", 3), attribute("mode", "fast"),
                       attribute("axes", std::vector<int64_t>{1, 2}), attribute("weights", std::vector<float>{0.5f, 1}),
                       tensor_attribute("table", floats("", {2}, {7, 8}))},
                      {}, "rknn_cst")};
  parts.outputs = {value("y", {1, 4})};
  const Graph graph = import_model(parts);
  const Node& custom = only(graph, "Custom");
  EXPECT_EQ(float_attribute(custom.attributes, "alpha", 0), 0.25);
  EXPECT_EQ(int_attribute(custom.attributes, "count", 0), 3);
  EXPECT_EQ(string_attribute(custom.attributes, "mode", ""), "fast");
  EXPECT_EQ(ints_attribute(custom.attributes, "axes"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(floats_attribute(custom.attributes, "weights"), (std::vector<double>{0.5, 1}));
  EXPECT_EQ(to_doubles(std::get<Tensor>(custom.attributes.at("table"))), (std::vector<double>{7, 8}));
  EXPECT_EQ(custom.inputs[1], ValueId::None);
}

TEST(OnnxCustom, UnknownShapesAreRefusedWithWhatToDo) {
  const std::string text = complaint(sigmoid());
  EXPECT_NE(text.find("act"), std::string::npos) << text;
  EXPECT_NE(text.find("the shape of the custom operator's output 's' is not known"), std::string::npos) << text;
  EXPECT_NE(text.find("value_info"), std::string::npos) << text;
  EXPECT_NE(text.find("shape_infer"), std::string::npos) << text;
}

TEST(OnnxCustom, NamedDimensionsFollowTheInput) {
  GraphParts parts = sigmoid({"batch", 4});
  parts.values = {value("s", {"batch", 4})};
  ImportOptions options;
  options.input_shapes = {{3, 4}};
  EXPECT_EQ(import_model(parts, 17, options)[import_model(parts, 17, options).find("s")].shape, (Shape{3, 4}));
  parts.values = {value("s", {"other", 4})};
  EXPECT_NE(complaint(parts, options).find("dimension 0 of the custom operator's output 's'"), std::string::npos);
}

TEST(OnnxCustom, ShapesOfTheFileAreNotTrustedUnderOtherInputs) {
  GraphParts parts = sigmoid();
  parts.values = {value("r", {1, 4}), value("s", {1, 4})};
  ImportOptions options;
  options.input_shapes = {{2, 4}};
  EXPECT_NE(complaint(parts, options).find("'r' is [2, 4] now"), std::string::npos) << complaint(parts, options);
}

TEST(OnnxCustom, TheCallerMaySayThatOutputsAreLikeTheInput) {
  GraphParts parts = sigmoid();
  parts.nodes[1] = node("Smooth", {"r"}, {"s"}, {}, "act", "my.domain");
  EXPECT_NE(complaint(parts).find("my.domain::Smooth"), std::string::npos);
  ImportOptions options;
  options.custom_ops = {{.type = "Smooth", .infer = {}, .like_first_input = true}};
  const Graph graph = import_model(parts, 17, options);
  EXPECT_EQ(custom_type(only(graph, "Custom")), "Smooth");
  EXPECT_EQ(graph[graph.find("s")].shape, (Shape{1, 4}));
}

TEST(OnnxCustom, TheCallersInferenceSeesAttributesAndInputs) {
  GraphParts parts = sigmoid();
  parts.nodes[1] = node("cstTop", {"r"}, {"s", "n"}, {attribute("k", 2)}, "act");
  ImportOptions options;
  options.custom_ops = {{.type = "cstTop", .infer = [](const Attributes& attributes, auto inputs) {
                           const Shape top = {inputs[0].second[0], int_attribute(attributes, "k", 0)};
                           return std::vector<CustomDeclaration::Type>{{DType::Float32, top}, {DType::Int64, top}};
                         }}};
  const Graph graph = import_model(parts, 17, options);
  verify(graph);
  EXPECT_EQ(graph[graph.find("s")].shape, (Shape{1, 2}));
  EXPECT_EQ(graph[graph.find("n")].dtype, DType::Int64);
}

TEST(OnnxCustom, OperatorsOfTheStandardStayWhatTheyAre) {
  ImportOptions options;
  options.custom_ops = {{.type = "Neg", .infer = {}, .like_first_input = true}};
  GraphParts parts = sigmoid();
  parts.values = {value("s", {1, 4})};
  EXPECT_EQ(ops_of(import_model(parts, 17, options)).back(), "Neg");
}

TEST(OnnxCustom, HalfPrecisionModelsAreComputedInFloat32) {
  GraphParts parts;
  parts.inputs = {value("x", {2}, 10)};
  parts.nodes = {node("cstSigmoid", {"x"}, {"y"})};
  parts.outputs = {value("y", {2}, 10)};
  const Graph graph = import_model(parts);
  verify(graph);
  EXPECT_EQ(ops_of(graph), (Names{"Custom"}));
  EXPECT_EQ(graph[graph.outputs[0]].dtype, DType::Float32);
}

TEST(OnnxCustom, WhatCannotBeKeptIsNamed) {
  GraphParts parts = sigmoid();
  parts.values = {value("s", {1, 4})};
  parts.nodes[1] = node("cstSigmoid", {"r"}, {"s"}, {graph_attribute("body", graph(sigmoid()))}, "act");
  EXPECT_NE(complaint(parts).find("attribute 'body'"), std::string::npos);
  parts.nodes[1] = node("cstSigmoid", {"r"}, {"s"}, {attribute("custom.type", 1)}, "act");
  EXPECT_NE(complaint(parts).find("reserved"), std::string::npos);
  parts.nodes[1] = node("cstSigmoid", {"r"}, {"s", ""}, {}, "act");
  EXPECT_NE(complaint(parts).find("a name for every output"), std::string::npos);
}

}  // namespace
}  // namespace openrknn::onnx_test
