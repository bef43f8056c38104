// Inputs, outputs, symbolic dimensions and cropping.
#include <gtest/gtest.h>

#include "onnx_writer.h"

namespace openrknn::onnx_test {
namespace {

/// x [batch, 3, height, 8] -> Relu a -> Sigmoid b -> Tanh y
GraphParts chain() {
  GraphParts parts;
  parts.inputs = {value("x", {"batch", 3, "height", 8})};
  parts.outputs = {value("y", {"batch", 3, "height", 8})};
  parts.nodes = {node("Relu", {"x"}, {"a"}), node("Sigmoid", {"a"}, {"b"}), node("Tanh", {"b"}, {"y"})};
  return parts;
}

Shape input_shape(const Graph& graph, size_t i = 0) { return graph[graph.inputs.at(i)].shape; }

std::string all_text(const std::vector<Diagnostic>& problems) {
  std::string text;
  for (const Diagnostic& problem : problems) text += to_string(problem) + "\n";
  return text;
}

TEST(OnnxInputs, SymbolsAreFixedByNameOrByShape) {
  ImportOptions by_name;
  by_name.dimensions = {{"batch", 2}, {"height", 5}};
  EXPECT_EQ(input_shape(import_model(chain(), 17, by_name)), (Shape{2, 3, 5, 8}));
  ImportOptions by_shape;
  by_shape.input_shapes = {{1, 3, 4, 8}};
  EXPECT_EQ(input_shape(import_model(chain(), 17, by_shape)), (Shape{1, 3, 4, 8}));
}

TEST(OnnxInputs, ExactlyTheMissingSymbolsAreAskedFor) {
  ImportOptions options;
  options.dimensions = {{"batch", 1}};
  const std::vector<Diagnostic> problems = problems_of([&] { import_model(chain(), 17, options); });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::ImportUnknownDimension);
  EXPECT_NE(problems[0].problem.find("'height'"), std::string::npos);
  EXPECT_EQ(problems[0].problem.find("'batch'"), std::string::npos);
  EXPECT_NE(problems[0].fix.find("dimensions={\"height\""), std::string::npos);
}

TEST(OnnxInputs, EveryInputWithAMissingSymbolIsReportedAtOnce) {
  GraphParts parts;
  parts.inputs = {value("p", {"n", 2}), value("q", {"m", 2}), value("r", {1, 2})};
  parts.outputs = {value("y", {1, 2})};
  parts.nodes = {node("Sum", {"p", "q", "r"}, {"y"})};
  const std::vector<Diagnostic> problems = problems_of([&] { import_model(parts); });
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].where.tensor, "p");
  EXPECT_EQ(problems[1].where.tensor, "q");
}

TEST(OnnxInputs, AShapeGivenForOneInputFixesTheSymbolForOthers) {
  GraphParts parts;
  parts.inputs = {value("p", {"n", 2}), value("q", {"n", 2})};
  parts.outputs = {value("y", {"n", 2})};
  parts.nodes = {node("Add", {"p", "q"}, {"y"})};
  ImportOptions options;
  options.input_shapes = {{4, 2}, {}};
  EXPECT_EQ(input_shape(import_model(parts, 17, options), 1), (Shape{4, 2}));
}

TEST(OnnxInputs, GivenShapesOverruleNumbersButNotRank) {
  GraphParts parts;
  parts.inputs = {value("x", {1, 3, 4, 4})};
  parts.outputs = {value("y", {1, 3, 4, 4})};
  parts.nodes = {node("Relu", {"x"}, {"y"})};
  ImportOptions options;
  options.input_shapes = {{2, 3, 8, 8}};
  EXPECT_EQ(input_shape(import_model(parts, 17, options)), (Shape{2, 3, 8, 8}));
  options.input_shapes = {{3, 8, 8}};  // as scripts write images
  EXPECT_EQ(input_shape(import_model(parts, 17, options)), (Shape{1, 3, 8, 8}));
  options.input_shapes = {{8, 8}};
  const std::vector<Diagnostic> problems = problems_of([&] { import_model(parts, 17, options); });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::ImportShapeMismatch);
  options.input_shapes = {{1, 3, 4, 4}, {1}};
  EXPECT_EQ(problems_of([&] { import_model(parts, 17, options); }).at(0).code, Code::InvalidArgument);
}

TEST(OnnxInputs, UnknownDimensionNamesAreRefusedWithTheNearOnes) {
  ImportOptions options;
  options.dimensions = {{"batch", 1}, {"heigth", 4}};
  const std::string text = all_text(problems_of([&] { import_model(chain(), 17, options); }));
  EXPECT_NE(text.find("no dimension named 'heigth'; did you mean 'height'?"), std::string::npos) << text;
}

TEST(OnnxInputs, ImpossibleShapesAreRefused) {
  ImportOptions options;
  options.dimensions = {{"batch", int64_t{1} << 32}, {"height", int64_t{1} << 32}};
  EXPECT_EQ(problems_of([&] { import_model(chain(), 17, options); }).at(0).code, Code::ImportShapeMismatch);
}

TEST(OnnxInputs, AnInitializerOfTheSameNameIsAConstantUnlessAskedFor) {
  GraphParts parts;
  parts.inputs = {value("x", {2}), value("w", {2})};
  parts.outputs = {value("y", {2})};
  parts.initializers = {floats("w", {2}, {1, 2})};
  parts.nodes = {node("Mul", {"x", "w"}, {"y"})};
  EXPECT_EQ(import_model(parts).inputs.size(), 1u);
  ImportOptions options;
  options.inputs = {"x", "w"};
  EXPECT_EQ(import_model(parts, 17, options).inputs.size(), 2u);
}

TEST(OnnxInputs, InitialValuesFreezeAnInput) {
  GraphParts parts;
  parts.inputs = {value("x", {2}), value("k", {"n"})};
  parts.outputs = {value("y", {2})};
  parts.nodes = {node("Mul", {"x", "k"}, {"y"})};
  ImportOptions options;
  options.initial_values = {std::nullopt, Tensor::from<double>({2}, {3, 4})};
  const Graph graph = import_model(parts, 17, options);
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_TRUE(identical(*graph[graph.find("k")].constant, Tensor::from<float>({2}, {3, 4})));
}

TEST(OnnxInputs, ThatAreNoTensorsAreRefused) {
  const Message sequence = message([](pbf_writer& w) {
    w.add_string(1, "x");
    w.add_message(2, message([](pbf_writer& t) { t.add_message(4, std::string()); }));
  });
  GraphParts parts = chain();
  parts.inputs = {sequence};
  EXPECT_EQ(problems_of([&] { import_model(parts); }).at(0).code, Code::ImportUnsupportedType);
}

TEST(OnnxCrop, KeepsWhatLiesBetweenTheNamedTensors) {
  ImportOptions options;
  options.inputs = {"a"};
  options.outputs = {"b"};
  options.input_shapes = {{1, 3, 2, 2}};
  const Graph graph = import_model(chain(), 17, options);
  EXPECT_EQ(ops_of(graph), (Names{"Sigmoid"}));
  EXPECT_EQ(graph[graph.inputs[0]].name, "a");
  EXPECT_EQ(graph[graph.outputs[0]].name, "b");
  EXPECT_EQ(graph.origins.size(), 1u);  // cropped layers leave no trace
  verify(graph);
}

TEST(OnnxCrop, ShapesOfInnerTensorsComeFromValueInfoOrInference) {
  GraphParts parts = chain();
  ImportOptions options;
  options.inputs = {"b"};
  options.dimensions = {{"batch", 1}, {"height", 4}};
  EXPECT_EQ(input_shape(import_model(parts, 17, options)), (Shape{1, 3, 4, 8}));
  parts.values = {value("b", {"batch", 3, "height", 16})};
  EXPECT_EQ(input_shape(import_model(parts, 17, options)), (Shape{1, 3, 4, 16}));
  options.dimensions.clear();
  parts.values.clear();
  const std::vector<Diagnostic> problems = problems_of([&] { import_model(parts, 17, options); });
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, Code::ImportUnknownDimension);
}

TEST(OnnxCrop, InnerInputsHaveTheTypeOfTheirTensor) {
  GraphParts parts;
  parts.inputs = {value("x", {2, 2})};
  parts.outputs = {value("y", {2}, 7)};
  parts.nodes = {node("ArgMax", {"x"}, {"i"}, {attribute("keepdims", 0)}), node("Mul", {"i", "i"}, {"y"})};
  ImportOptions options;
  options.inputs = {"i"};
  EXPECT_EQ(import_model(parts, 17, options)[ValueId{0}].dtype, DType::Int64);
}

TEST(OnnxCrop, UnknownNamesAreReportedTogetherWithNearOnes) {
  ImportOptions options;
  options.inputs = {"xx"};
  options.outputs = {"B", "nothing like it"};
  const std::vector<Diagnostic> problems = problems_of([&] { import_model(chain(), 17, options); });
  ASSERT_EQ(problems.size(), 3u);
  for (const Diagnostic& problem : problems) EXPECT_EQ(problem.code, Code::ImportBadCrop);
  EXPECT_NE(problems[1].problem.find("did you mean 'b'"), std::string::npos) << problems[1].problem;
  EXPECT_EQ(problems[2].problem.find("did you mean"), std::string::npos);
}

TEST(OnnxCrop, InputsThatDoNotCutTheGraphAreRefused) {
  GraphParts parts;
  parts.inputs = {value("p", {2}), value("q", {2})};
  parts.outputs = {value("y", {2})};
  parts.nodes = {node("Relu", {"p"}, {"a"}), node("Add", {"a", "q"}, {"y"}), node("Neg", {"y"}, {"z"})};
  ImportOptions options;
  options.inputs = {"a"};
  std::vector<Diagnostic> problems = problems_of([&] { import_model(parts, 17, options); });
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems[0].code, Code::ImportBadCrop);
  EXPECT_NE(problems[0].fix.find("'q'"), std::string::npos);
  options.inputs = {"y"};
  options.outputs = {"a"};
  problems = problems_of([&] { import_model(parts, 17, options); });
  EXPECT_EQ(problems.at(0).code, Code::ImportBadCrop);
}

TEST(OnnxCrop, InputsTheNewOutputsDoNotNeedGo) {
  GraphParts parts;
  parts.inputs = {value("p", {2}), value("q", {"unknown"})};
  parts.outputs = {value("y", {2})};
  parts.nodes = {node("Relu", {"p"}, {"a"}), node("Add", {"a", "q"}, {"y"})};
  ImportOptions options;
  options.outputs = {"a"};
  EXPECT_EQ(import_model(parts, 17, options).inputs.size(), 1u);
}

TEST(OnnxOutputs, KeepNamesAndOrderWhateverComputesThem) {
  GraphParts parts;
  parts.inputs = {value("x", {2})};
  parts.initializers = {floats("c", {2}, {1, 2})};
  parts.outputs = {value("copy", {2}), value("y", {2}), value("same", {2}), value("constant", {2}), value("c", {2})};
  parts.nodes = {node("Relu", {"x"}, {"r"}), node("Identity", {"r"}, {"y"}), node("Identity", {"x"}, {"copy"}),
                 node("Identity", {"y"}, {"same"}), node("Identity", {"c"}, {"constant"})};
  const Graph graph = import_model(parts);
  verify(graph);
  Names names;
  for (const ValueId id : graph.outputs) names.push_back(graph[id].name);
  EXPECT_EQ(names, (Names{"copy", "y", "same", "constant", "c"}));
  EXPECT_EQ(graph.find("r"), graph.outputs[1]);
}

}  // namespace
}  // namespace openrknn::onnx_test
