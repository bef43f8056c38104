// How the forms that operators had over the opsets become one form.
#include <gtest/gtest.h>

#include <cmath>

#include "core/executor/run.h"
#include "onnx_writer.h"

namespace openrknn::onnx_test {
namespace {

/// One node on x of the given shape; `constants` become initializers. Output y.
struct Case {
  int64_t opset = 17;
  Shape x = {1, 2, 4, 4};
  std::vector<Message> constants = {};
  int type = 1;
};
Graph import_node(const std::string& op, const Names& inputs, const std::vector<Message>& attributes, const Case& c,
                  const Names& outputs = {"y"}) {
  GraphParts parts;
  std::vector<Dim> dims;
  for (const int64_t d : c.x) dims.emplace_back(static_cast<int>(d));
  parts.inputs = {value("x", dims, c.type)};
  for (const std::string& output : outputs) {
    if (!output.empty()) parts.outputs.push_back(untyped(output));
  }
  parts.initializers = c.constants;
  parts.nodes = {node(op, inputs, outputs, attributes)};
  const Graph graph = import_model(parts, c.opset);
  verify(graph);
  return graph;
}
std::vector<float> run(const Graph& graph, const std::vector<float>& x) {
  ThreadPool pool(1);
  const Tensor result =
      run_graph(graph, Arithmetic{}, {{Tensor::from<float>(graph[graph.inputs[0]].shape, x)}}, pool).at(0);
  return {result.values<float>().begin(), result.values<float>().end()};
}
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
Ints list(const Node& n, std::string_view name) { return ints_attribute(n.attributes, name); }
Shape out_shape(const Graph& graph) { return graph[graph.outputs[0]].shape; }
Code refusal(const std::string& op, const Names& inputs, const std::vector<Message>& attributes, const Case& c,
             const Names& outputs = {"y"}) {
  const auto problems = problems_of([&] { import_node(op, inputs, attributes, c, outputs); });
  return problems.empty() ? Code{} : problems[0].code;
}

TEST(OnnxClip, BoundsAreAttributesAndLaterInputs) {
  const Graph old =
      import_node("Clip", {"x"}, {attribute("min", 0.0f), attribute("max", 6.0f)}, {.opset = 7, .x = {3}});
  EXPECT_EQ(run(old, {-1, 3, 9}), (Floats{0, 3, 6}));
  const Graph now =
      import_node("Clip", {"x", "", "hi"}, {}, {.opset = 13, .x = {3}, .constants = {floats("hi", {}, {6})}});
  EXPECT_EQ(run(now, {-1, 3, 9}), (Floats{-1, 3, 6}));
  EXPECT_EQ(only(now, "Clip").attributes.count("min"), 0u);
}

TEST(OnnxSlice, AttributesAndInputsAreNormalised) {
  const Graph old = import_node(
      "Slice", {"x"},
      {attribute("starts", Ints{1, -3}), attribute("ends", Ints{99, -1}), attribute("axes", Ints{1, 3})}, {.opset = 9});
  EXPECT_EQ(list(only(old, "Slice"), "starts"), (Ints{0, 1, 0, 1}));
  EXPECT_EQ(list(only(old, "Slice"), "ends"), (Ints{1, 2, 4, 3}));
  const Graph back =
      import_node("Slice", {"x", "s", "e", "a", "t"}, {},
                  {.x = {4}, .constants = {ints("s", {-1}), ints("e", {INT64_MIN}), ints("a", {0}), ints("t", {-1})}});
  EXPECT_EQ(run(back, {1, 2, 3, 4}), (Floats{4, 3, 2, 1}));
  EXPECT_EQ(refusal("Slice", {"x", "s", "e", "a", "t"}, {},
                    {.x = {4}, .constants = {ints("s", {0}), ints("e", {1}), ints("a", {0}), ints("t", {0})}}),
            Code::ImportUnsupportedAttribute);
}

TEST(OnnxPad, TakesPadsFromAttributesInputsAndAxes) {
  const Graph old =
      import_node("Pad", {"x"}, {attribute("pads", Ints{1, 2}), attribute("value", 5.0f)}, {.opset = 7, .x = {1}});
  EXPECT_EQ(run(old, {1}), (Floats{5, 1, 5, 5}));
  const Graph now =
      import_node("Pad", {"x", "p", "", "a"}, {}, {.opset = 18, .constants = {ints("p", {1, 2}), ints("a", {-1})}});
  EXPECT_EQ(list(only(now, "Pad"), "pads"), (Ints{0, 0, 0, 1, 0, 0, 0, 2}));
  const Graph cut = import_node("Pad", {"x", "p"}, {}, {.opset = 13, .x = {4}, .constants = {ints("p", {-1, 1})}});
  EXPECT_EQ(run(cut, {1, 2, 3, 4}), (Floats{2, 3, 4, 0}));
}

TEST(OnnxReshape, ZeroCopiesAndMinusOneInfers) {
  const auto shape = [](const Ints& asked, std::vector<Message> attributes = {}) {
    return out_shape(import_node("Reshape", {"x", "s"}, attributes, {.constants = {ints("s", asked)}}));
  };
  EXPECT_EQ(shape({0, -1}), (Shape{1, 32}));
  EXPECT_EQ(shape({2, 0, 8}), (Shape{2, 2, 8}));
  EXPECT_EQ(refusal("Reshape", {"x", "s"}, {}, {.constants = {ints("s", {5, -1})}}), Code::ImportShapeMismatch);
  EXPECT_EQ(refusal("Reshape", {"x", "s"}, {}, {.constants = {ints("s", {-1, -1})}}), Code::ImportShapeMismatch);
  EXPECT_EQ(refusal("Reshape", {"x", "s"}, {attribute("allowzero", 1)}, {.constants = {ints("s", {0, 32})}}),
            Code::ImportShapeMismatch);
}

TEST(OnnxReshape, FlattenSqueezeAndUnsqueezeBecomeOne) {
  EXPECT_EQ(out_shape(import_node("Flatten", {"x"}, {attribute("axis", 2)}, {})), (Shape{2, 16}));
  EXPECT_EQ(out_shape(import_node("Flatten", {"x"}, {attribute("axis", -1)}, {})), (Shape{8, 4}));
  EXPECT_EQ(out_shape(import_node("Squeeze", {"x"}, {attribute("axes", Ints{0})}, {.opset = 11})), (Shape{2, 4, 4}));
  EXPECT_EQ(out_shape(import_node("Squeeze", {"x", "a"}, {}, {.opset = 13, .constants = {ints("a", {-4})}})),
            (Shape{2, 4, 4}));
  EXPECT_EQ(out_shape(import_node("Squeeze", {"x"}, {}, {.x = {1, 3, 1}})), (Shape{3}));
  EXPECT_EQ(out_shape(import_node("Unsqueeze", {"x"}, {attribute("axes", Ints{0, 3})}, {.opset = 11, .x = {2, 3}})),
            (Shape{1, 2, 3, 1}));
  EXPECT_EQ(
      out_shape(import_node("Unsqueeze", {"x", "a"}, {}, {.opset = 13, .x = {2}, .constants = {ints("a", {-1})}})),
      (Shape{2, 1}));
  EXPECT_EQ(refusal("Squeeze", {"x"}, {attribute("axes", Ints{1})}, {.opset = 11}), Code::ImportShapeMismatch);
}

TEST(OnnxReduce, AxesAreAttributesAndLaterInputs) {
  EXPECT_EQ(list(only(import_node("ReduceMean", {"x"}, {attribute("axes", Ints{-1, 2})}, {.opset = 17}), "ReduceMean"),
                 "axes"),
            (Ints{2, 3}));
  EXPECT_EQ(
      list(only(import_node("ReduceMean", {"x", "a"}, {}, {.opset = 18, .constants = {ints("a", {-1})}}), "ReduceMean"),
           "axes"),
      (Ints{3}));
  EXPECT_EQ(
      list(only(import_node("ReduceSum", {"x", "a"}, {}, {.opset = 13, .constants = {ints("a", {1})}}), "ReduceSum"),
           "axes"),
      (Ints{1}));
  EXPECT_EQ(list(only(import_node("ReduceMax", {"x"}, {}, {.opset = 11}), "ReduceMax"), "axes"), (Ints{0, 1, 2, 3}));
  const Graph noop =
      import_node("ReduceSumSquare", {"x"}, {attribute("noop_with_empty_axes", 1)}, {.opset = 18, .x = {2}});
  EXPECT_EQ(run(noop, {2, 3}), (Floats{4, 9}));
}

TEST(OnnxSplit, SizesComeFromEveryOpset) {
  const auto sizes = [](const Graph& graph) { return list(only(graph, "Split"), "split"); };
  EXPECT_EQ(sizes(import_node("Split", {"x"}, {attribute("split", Ints{1, 3}), attribute("axis", -1)}, {.opset = 11},
                              {"y", "z"})),
            (Ints{1, 3}));
  EXPECT_EQ(sizes(import_node("Split", {"x", "s"}, {attribute("axis", 2)},
                              {.opset = 13, .constants = {ints("s", {3, 1})}}, {"y", "z"})),
            (Ints{3, 1}));
  EXPECT_EQ(sizes(import_node("Split", {"x"}, {attribute("axis", 0), attribute("num_outputs", 3)},
                              {.opset = 18, .x = {7}}, {"y", "z", "q"})),
            (Ints{3, 3, 1}));
  EXPECT_EQ(refusal("Split", {"x"}, {attribute("axis", 0)}, {.opset = 13, .x = {7}}, {"y", "z"}),
            Code::ImportShapeMismatch);
}

TEST(OnnxSoftmax, WasAMatrixOperationBeforeOpset13) {
  const Graph coerced = import_node("Softmax", {"x"}, {attribute("axis", 1)}, {.opset = 12});
  EXPECT_EQ(ops_of(coerced), (Names{"Reshape", "Softmax", "Reshape"}));
  EXPECT_EQ(ops_of(import_node("Softmax", {"x"}, {attribute("axis", 3)}, {.opset = 12})), (Names{"Softmax"}));
  EXPECT_EQ(ops_of(import_node("Softmax", {"x"}, {attribute("axis", 1)}, {.opset = 12, .x = {1, 5, 1, 1}})),
            (Names{"Softmax"}));
  const Graph now = import_node("Softmax", {"x"}, {}, {.opset = 13});
  EXPECT_EQ(int_attribute(only(now, "Softmax").attributes, "axis", 0), 3);
}

TEST(OnnxResize, EveryOpsetBecomesSizesAndScales) {
  const Graph seven = import_node("Upsample", {"x"}, {attribute("scales", Floats{1, 1, 2, 2})}, {.opset = 7});
  EXPECT_EQ(string_attribute(only(seven, "Resize").attributes, "coordinate_transformation_mode", ""), "asymmetric");
  EXPECT_EQ(out_shape(seven), (Shape{1, 2, 8, 8}));
  EXPECT_EQ(
      out_shape(import_node("Resize", {"x", "s"}, {}, {.opset = 10, .constants = {floats("s", {4}, {1, 1, 2, 2})}})),
      (Shape{1, 2, 8, 8}));
  EXPECT_EQ(
      out_shape(import_node("Resize", {"x", "", "", "s"}, {}, {.opset = 13, .constants = {ints("s", {1, 2, 6, 3})}})),
      (Shape{1, 2, 6, 3}));
  EXPECT_EQ(
      out_shape(import_node("Resize", {"x", "e", "s"}, {},
                            {.opset = 11, .constants = {floats("e", {0}, {}), floats("s", {4}, {1, 1, 0.5f, 0.5f})}})),
      (Shape{1, 2, 2, 2}));
  const std::vector<Message> policy = {attribute("axes", Ints{2, 3}),
                                       attribute("keep_aspect_ratio_policy", "not_larger")};
  EXPECT_EQ(
      out_shape(import_node("Resize", {"x", "", "", "s"}, policy, {.opset = 18, .constants = {ints("s", {8, 6})}})),
      (Shape{1, 2, 6, 6}));
}

TEST(OnnxResize, AntialiasMattersWhereTheSizeShrinks) {
  const auto antialias = [](std::vector<float> scales) {
    const Graph graph = import_node("Resize", {"x", "", "s"}, {attribute("antialias", 1), attribute("mode", "linear")},
                                    {.opset = 18, .constants = {floats("s", {4}, scales)}});
    return int_attribute(only(graph, "Resize").attributes, "antialias", 0);
  };
  EXPECT_EQ(antialias({1, 1, 0.5f, 2}), 1);
  EXPECT_EQ(antialias({1, 1, 2, 2}), 0);
}

TEST(OnnxResize, ChannelsLastModelsAreTurned) {
  const Graph graph = import_node("Resize", {"x", "", "s"}, {},
                                  {.opset = 13, .x = {1, 2, 2, 3}, .constants = {floats("s", {4}, {1, 2, 2, 1})}});
  EXPECT_EQ(out_shape(graph), (Shape{1, 4, 4, 3}));
  const Floats y = run(graph, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_EQ(Floats(y.begin(), y.begin() + 12), (Floats{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
}

TEST(OnnxConv, AutoPadIsResolved) {
  const auto pads = [](const char* mode, int64_t size) {
    Case c = {.x = {1, 1, size, size}, .constants = {floats("w", {1, 1, 3, 3}, Floats(9, 1))}};
    return list(
        only(import_node("Conv", {"x", "w"}, {attribute("auto_pad", mode), attribute("strides", Ints{2, 2})}, c),
             "Conv"),
        "pads");
  };
  EXPECT_EQ(pads("SAME_UPPER", 4), (Ints{0, 0, 1, 1}));
  EXPECT_EQ(pads("SAME_LOWER", 4), (Ints{1, 1, 0, 0}));
  EXPECT_EQ(pads("SAME_UPPER", 5), (Ints{1, 1, 1, 1}));
  EXPECT_EQ(pads("VALID", 5), (Ints{0, 0, 0, 0}));
  Case c = {.x = {1, 1, 4, 4}, .constants = {floats("w", {1, 1, 3, 3}, Floats(9, 1))}};
  EXPECT_EQ(refusal("Conv", {"x", "w"}, {attribute("auto_pad", "DIAGONAL")}, c), Code::ImportUnsupportedAttribute);
  EXPECT_EQ(refusal("Conv", {"x", "w"}, {attribute("strides", Ints{0, 1})}, c), Code::ImportUnsupportedAttribute);
  EXPECT_EQ(refusal("Conv", {"x", "w"}, {attribute("kernel_shape", Ints{5, 5})}, c), Code::ImportShapeMismatch);
}

TEST(OnnxConvTranspose, OutputShapeBecomesPads) {
  Case c = {.x = {1, 1, 3, 3}, .constants = {floats("w", {1, 1, 3, 3}, Floats(9, 1))}};
  const Graph graph = import_node(
      "ConvTranspose", {"x", "w"},
      {attribute("strides", Ints{2, 2}), attribute("output_shape", Ints{6, 6}), attribute("auto_pad", "SAME_UPPER")},
      c);
  EXPECT_EQ(out_shape(graph), (Shape{1, 1, 6, 6}));
  EXPECT_EQ(list(only(graph, "ConvTranspose"), "pads"), (Ints{0, 0, 1, 1}));
}

TEST(OnnxGemm, BecomesMatMulWithBias) {
  Case c = {.x = {1, 2}, .constants = {floats("b", {3, 2}, {1, 2, 3, 4, 5, 6}), floats("c", {1, 3}, {1, 1, 1})}};
  const Graph graph = import_node("Gemm", {"x", "b", "c"},
                                  {attribute("transB", 1), attribute("alpha", 2.0f), attribute("beta", 10.0f)}, c);
  EXPECT_EQ(run(graph, {1, 1}), (Floats{16, 24, 32}));
  c.constants[1] = floats("c", {1, 1}, {1});
  EXPECT_EQ(ops_of(import_node("Gemm", {"x", "b", "c"}, {attribute("transB", 1)}, c)).back(), "Add");
}

TEST(OnnxEinsum, IsAMatrixProduct) {
  Case c = {.x = {2, 3}, .constants = {floats("b", {4, 3}, Floats(12, 1))}};
  EXPECT_EQ(run(import_node("Einsum", {"x", "b"}, {attribute("equation", "ik,jk->ji")}, c), {1, 2, 3, 4, 5, 6}),
            (Floats{6, 15, 6, 15, 6, 15, 6, 15}));
  EXPECT_EQ(refusal("Einsum", {"x", "b"}, {attribute("equation", "ii,jk->jk")}, c), Code::ImportShapeMismatch);
}

TEST(OnnxBatchNormalization, TrainingIsRefused) {
  Case c = {.opset = 15, .constants = {floats("p", {2}, {1, 1})}};
  EXPECT_EQ(refusal("BatchNormalization", {"x", "p", "p", "p", "p"}, {attribute("training_mode", 1)}, c),
            Code::ImportUnsupportedAttribute);
  EXPECT_EQ(ops_of(import_node("BatchNormalization", {"x", "p", "p", "p", "p"}, {}, c)), (Names{"BatchNormalization"}));
  c.opset = 6;  // is_test is 0 unless said otherwise
  EXPECT_EQ(refusal("BatchNormalization", {"x", "p", "p", "p", "p"}, {}, c), Code::ImportUnsupportedAttribute);
  EXPECT_EQ(ops_of(import_node("BatchNormalization", {"x", "p", "p", "p", "p"}, {attribute("is_test", 1)}, c)),
            (Names{"BatchNormalization"}));
}

TEST(OnnxBatchNormalization, OfEachElementWantsParametersOfAnImage) {
  Case c = {.opset = 7, .x = {1, 2, 1, 2}, .constants = {floats("p", {2}, {1, 1})}};
  EXPECT_EQ(refusal("BatchNormalization", {"x", "p", "p", "p", "p"}, {attribute("spatial", 0)}, c),
            Code::ImportShapeMismatch);
  c.constants = {floats("p", {2, 1, 2}, {1, 1, 1, 1})};
  EXPECT_EQ(out_shape(import_node("BatchNormalization", {"x", "p", "p", "p", "p"}, {attribute("spatial", 0)}, c)),
            (Shape{1, 2, 1, 2}));
}

TEST(OnnxMaxPool, IndicesAreComputedOnlyIfUsed) {
  const std::vector<Message> attributes = {attribute("kernel_shape", Ints{2, 2})};
  EXPECT_EQ(ops_of(import_node("MaxPool", {"x"}, attributes, {}, {"y", "i"})), (Names{"MaxPool", "ArgMaxPool"}));
  EXPECT_EQ(ops_of(import_node("MaxPool", {"x"}, attributes, {}, {"y", ""})), (Names{"MaxPool"}));
}

TEST(OnnxCast, HalfAndDoubleAreFloat32) {
  EXPECT_TRUE(ops_of(import_node("Relu", {"x"}, {}, {.type = 10})) == (Names{"Relu"}));
  const Graph to_half = import_node("Cast", {"x"}, {attribute("to", 10)}, {});
  EXPECT_EQ(to_half[to_half.outputs[0]].dtype, DType::Float32);
  EXPECT_EQ(refusal("Cast", {"x"}, {attribute("to", 17)}, {}), Code::ImportUnsupportedType);
  EXPECT_EQ(refusal("Cast", {"x"}, {attribute("to", 1.0f)}, {}), Code::ImportUnsupportedAttribute);
}

TEST(OnnxExpand, RaisesTheRankFirst) {
  const Graph graph = import_node("Expand", {"x", "s"}, {}, {.x = {3, 1}, .constants = {ints("s", {2, 1, 4})}});
  EXPECT_EQ(out_shape(graph), (Shape{2, 3, 4}));
  EXPECT_EQ(ops_of(graph), (Names{"Reshape", "Expand"}));
}

TEST(OnnxGroupNormalization, ScaleIsPerGroupThenPerChannel) {
  const Floats x = {1, 3, 5, 7, 2, 2, 4, 4};
  Case group = {.opset = 18, .x = {1, 4, 2}, .constants = {floats("s", {2}, {1, 2}), floats("b", {2}, {0, 1})}};
  const std::vector<Message> attributes = {attribute("num_groups", 2), attribute("epsilon", 0.0f)};
  const Floats old = run(import_node("GroupNormalization", {"x", "s", "b"}, attributes, group), x);
  Case channel = {
      .opset = 21, .x = {1, 4, 2}, .constants = {floats("s", {4}, {1, 1, 2, 2}), floats("b", {4}, {0, 0, 1, 1})}};
  const Floats now = run(import_node("GroupNormalization", {"x", "s", "b"}, attributes, channel), x);
  ASSERT_EQ(old.size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(old[i], now[i], 1e-6);
  EXPECT_NEAR(old[0], -3 / std::sqrt(5.0f), 1e-6);
  EXPECT_NEAR(old[4], -1, 1e-6);
}

}  // namespace
}  // namespace openrknn::onnx_test
