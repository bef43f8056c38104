#include "core/graph/schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/graph/text.h"

namespace openrknn {
namespace {

/// Inputs as text, one node, and the type of %y (or of %y and %z) that must follow; or part of the message.
struct Case {
  const char *inputs, *node, *expected;
};

std::string types_of(const Case& c) {
  std::string text = "ir 1\n", inputs = c.inputs;
  for (size_t begin = 0; begin < inputs.size();) {  // "a: type; b: type"
    const size_t end = std::min(inputs.find(';', begin), inputs.size());
    std::string one = inputs.substr(begin, end - begin);
    one.erase(0, one.find_first_not_of(' '));
    text += (one.find('=') == std::string::npos ? "input %" : "%") + one + "\n";
    begin = end + 1;
  }
  const std::string node = c.node;
  const Graph graph = parse_graph(text + (node[0] == '%' ? node : "%y = " + node) + "\n");
  std::string types;
  for (const NodeId id : graph.order()) {
    for (const ValueId output : graph[id].outputs) {
      const Value& value = graph[output];
      types += std::string(types.empty() ? "" : " ") + std::string(name(value.dtype)) + to_string(value.shape);
      if (value.constant) types += "!";
    }
  }
  types.erase(std::remove(types.begin(), types.end(), ' '), types.end());
  return types;
}

class InferTypes : public testing::TestWithParam<Case> {};

TEST_P(InferTypes, AsTheSchemaSays) { EXPECT_EQ(types_of(GetParam()), GetParam().expected) << GetParam().node; }

INSTANTIATE_TEST_SUITE_P(
    Layers, InferTypes,
    testing::Values(
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w)", "f32[1,4,6,6]"},
        Case{"x: f32[1,3,8,9]; w: f32[4,3,3,3]; b: f32[4]", "Conv(%x, %w, %b) {strides=[2,2], pads=[1,1,1,1]}",
             "f32[1,4,4,5]"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {dilations=[2,2], pads=[1,2,3,4]}", "f32[1,4,8,10]"},
        Case{"x: f32[1,6,8,8]; w: f32[6,1,3,3]", "Conv(%x, %w) {group=6, kernel_shape=[3,3]}", "f32[1,6,6,6]"},
        Case{"x: f32[1,3,8]; w: f32[4,3,3]", "Conv(%x, %w)", "f32[1,4,6]"},
        Case{"x: f32[1,3,8,8,8]; w: f32[4,3,3,1,2]", "Conv(%x, %w)", "f32[1,4,6,8,7]"},
        Case{"x: f16[1,3,8,8]; w: f16[4,3,3,3]; b: f32[4]", "Conv(%x, %w, %b) {activation=\"SiLU\"}", "f16[1,4,6,6]"},
        Case{"x: f32[1,3,?,8]; w: f32[4,3,3,3]", "Conv(%x, %w)", "f32[1,4,-1,6]"},
        Case{"x: f32[1,3,4,4]; w: f32[3,5,2,2]", "ConvTranspose(%x, %w) {strides=[2,2]}", "f32[1,5,8,8]"},
        Case{"x: f32[1,4,4,5]; w: f32[4,3,3,3]",
             "ConvTranspose(%x, %w) {strides=[2,2], pads=[1,1,1,1], output_padding=[1,1], group=2}", "f32[1,6,8,10]"},
        Case{"a: f32[2,3]; b: f32[3,4]; c: f32[4]", "MatMul(%a, %b, %c)", "f32[2,4]"},
        Case{"a: f32[5,1,2,3]; b: f32[7,3,4]", "MatMul(%a, %b)", "f32[5,7,2,4]"},
        Case{"a: f32[3]; b: f32[7,3,4]", "MatMul(%a, %b)", "f32[7,4]"},
        Case{"a: f32[2,3]; b: f32[3]", "MatMul(%a, %b)", "f32[2]"},
        Case{"a: f32[3]; b: f32[3]", "MatMul(%a, %b)", "f32[]"}));

INSTANTIATE_TEST_SUITE_P(
    Pools, InferTypes,
    testing::Values(
        Case{"x: f32[1,3,7,7]", "MaxPool(%x) {kernel_shape=[2,2], strides=[2,2]}", "f32[1,3,3,3]"},
        Case{"x: f32[1,3,7,7]", "MaxPool(%x) {kernel_shape=[2,2], strides=[2,2], ceil_mode=1}", "f32[1,3,4,4]"},
        // The window that rounding up would add starts in the end padding: onnxruntime and ONNX drop it.
        Case{"x: f32[1,1,2,2]", "AveragePool(%x) {kernel_shape=[1,1], strides=[2,2], pads=[0,0,0,0], ceil_mode=1}",
             "f32[1,1,1,1]"},
        Case{"x: f32[1,1,4,5]", "MaxPool(%x) {kernel_shape=[2,2], strides=[3,3], pads=[1,1,1,1], ceil_mode=1}",
             "f32[1,1,2,2]"},
        Case{"x: f32[1,1,8,8]", "MaxPool(%x) {kernel_shape=[3,3], dilations=[2,2]}", "f32[1,1,4,4]"},
        Case{"x: f16[2,3,7,9]", "GlobalAveragePool(%x)", "f16[2,3,1,1]"},
        Case{"x: f32[2,3,7]", "GlobalMaxPool(%x)", "f32[2,3,1]"}));

INSTANTIATE_TEST_SUITE_P(
    Elementwise, InferTypes,
    testing::Values(Case{"a: f32[2,1,4]; b: f32[3,1]", "Add(%a, %b) {activation=\"Relu\"}", "f32[2,3,4]"},
                    Case{"a: i64[2]; b: i64[]", "Mod(%a, %b)", "i64[2]"},
                    Case{"a: f32[2]; b: i64[]", "Pow(%a, %b)", "f32[2]"},
                    Case{"a: f32[2,0]; b: f32[1]", "Mul(%a, %b)", "f32[2,0]"},
                    Case{"a: f32[?,4]; b: f32[3,1]", "Mul(%a, %b)", "f32[3,4]"},
                    Case{"a: f32[?,4]; b: f32[4]", "Mul(%a, %b)", "f32[-1,4]"},
                    Case{"a: f32[2]; b: f32[3,1]", "Greater(%a, %b)", "bool[3,2]"},
                    Case{"a: bool[2]; b: bool[2]", "And(%a, %b)", "bool[2]"},
                    Case{"c: bool[2,1]; a: i32[3]; b: i32[1]", "Where(%c, %a, %b)", "i32[2,3]"},
                    Case{"x: f32[2,3]", "Clip(%x) {min=0, max=6}", "f32[2,3]"},
                    Case{"x: f16[2,3]", "Gelu(%x) {approximate=\"tanh\"}", "f16[2,3]"},
                    Case{"x: f32[2,3,4,4]; s: f32[3,1,1]", "PRelu(%x, %s)", "f32[2,3,4,4]"},
                    Case{"a: u8[2,1]; b: u8[3]", "BitShift(%a, %b) {direction=\"LEFT\"}", "u8[2,3]"},
                    Case{"a: i16[2,1]; b: i16[3]", "BitwiseXor(%a, %b)", "i16[2,3]"},
                    Case{"a: i64[4]", "BitwiseNot(%a)", "i64[4]"},
                    Case{"x: f32[2,3]", "BitCast(%x) {to=11}", "u32[2,3]"},
                    Case{"x: i32[2,3]; s: i32[3]", "PRelu(%x, %s)", "i32[2,3]"},
                    Case{"x: f32[2,3]; s: f32[]", "QuantizeLinear(%x, %s) {to=7}", "u8[2,3]"},
                    Case{"x: f32[2,3]; s: f32[3]; z: i4[3]", "QuantizeLinear(%x, %s, %z) {to=4, axis=1}", "i4[2,3]"},
                    Case{"x: i16[2,7]; s: f32[2,3]; z: i16[2,3]", "DequantizeLinear(%x, %s, %z) {axis=1, block_size=3}",
                         "f32[2,7]"},
                    Case{"x: f32[2,3]", "Cast(%x) {to=12}", "i64[2,3]"}, Case{"x: bool[2]", "Not(%x)", "bool[2]"},
                    Case{"x: i8[2] q(0.5, 3)", "%y : f16[2] = Convert(%x)", "f16[2]"},
                    Case{"x: i8[2] q(0.5, 3)", "%y : i8[2] q(0.25, 0) = Sigmoid(%x)", "i8[2]"},
                    Case{"x: i8[2] q(0.5, 3); z: f32[2]", "%y : f16[2] = Add(%x, %z)", "f16[2]"}));

INSTANTIATE_TEST_SUITE_P(
    Rows, InferTypes,
    testing::Values(Case{"x: f32[2,3,4,4]; s: f32[3]", "BatchNormalization(%x, %s, %s, %s, %s)", "f32[2,3,4,4]"},
                    Case{"x: f32[2,3,4]; s: f32[4]", "LayerNormalization(%x, %s, %s) {axis=2}", "f32[2,3,4]"},
                    Case{"x: f32[2,3,4]; s: f32[3,4]", "LayerNormalization(%x, %s) {axis=1}", "f32[2,3,4]"},
                    Case{"x: f32[2,3,4]", "Softmax(%x) {axis=1}", "f32[2,3,4]"},
                    Case{"x: f32[2,3,4]", "LpNormalization(%x) {axis=1, p=1}", "f32[2,3,4]"},
                    Case{"x: f32[2,3,4]", "ReduceMean(%x) {axes=[0,2]}", "f32[1,3,1]"},
                    Case{"x: i64[2,3,4]", "ReduceProd(%x) {axes=[1], keepdims=0}", "i64[2,4]"},
                    Case{"x: f32[2,3,4]", "ReduceLogSumExp(%x) {axes=[0,1,2], keepdims=0}", "f32[]"},
                    Case{"x: f32[2,3,3]", "Det(%x)", "f32[2]"},
                    Case{"x: f32[2,3,4]", "ArgMax(%x) {axis=1}", "i64[2,1,4]"},
                    Case{"x: f32[2,3,4]", "ArgMin(%x) {axis=2, keepdims=0}", "i64[2,3]"}));

INSTANTIATE_TEST_SUITE_P(
    Movement, InferTypes,
    testing::Values(Case{"x: i32[2,3,4]", "Reshape(%x) {shape=[6,4]}", "i32[6,4]"},
                    Case{"x: f32[2,3,4]", "Transpose(%x) {perm=[2,0,1]}", "f32[4,2,3]"},
                    Case{"x: f32[2,3]; z: f32[2,5]", "Concat(%x, %z, %x) {axis=1}", "f32[2,11]"},
                    Case{"x: f32[2,5]", "%y, %z = Split(%x) {axis=1, split=[2,3]}", "f32[2,2]f32[2,3]"},
                    Case{"x: f32[10,7]", "Slice(%x) {starts=[1,6], ends=[10,-1], steps=[3,-2]}", "f32[3,4]"},
                    Case{"x: f32[10,7]", "Slice(%x) {starts=[5,0], ends=[5,7]}", "f32[0,7]"},
                    Case{"x: f32[2,3]", "Pad(%x) {pads=[1,-1,0,4], value=1.5}", "f32[3,6]"},
                    Case{"x: f32[2,3]", "Pad(%x) {pads=[1,2,1,2], mode=\"reflect\"}", "f32[4,7]"},
                    Case{"x: f32[1,3]", "Expand(%x) {shape=[4,3]}", "f32[4,3]"},
                    Case{"x: f32[2,3]", "Tile(%x) {repeats=[2,1]}", "f32[4,3]"},
                    Case{"x: f32[5,6,7]; i: i64[2,3]", "Gather(%x, %i) {axis=1}", "f32[5,2,3,7]"},
                    Case{"x: f32[5,6]; i: i32[]", "Gather(%x, %i) {axis=0}", "f32[6]"},
                    Case{"x: f32[5,6]; i: i64[5,2]", "GatherElements(%x, %i) {axis=1}", "f32[5,2]"},
                    Case{"x: f32[2,5,6]; i: i64[2,3,1]", "GatherND(%x, %i) {batch_dims=1}", "f32[2,3,6]"},
                    Case{"x: f32[5,6,7]; i: i64[3,2]; u: f32[3,7]", "ScatterND(%x, %i, %u)", "f32[5,6,7]"},
                    Case{"x: f32[5,6]; i: i64[3,6]; u: f32[3,6]", "ScatterElements(%x, %i, %u) {axis=0}", "f32[5,6]"},
                    Case{"x: i8[5,6]", "%y, %z = TopK(%x) {axis=1, k=2}", "i8[5,2]i64[5,2]"},
                    Case{"x: f32[1,2,4,4]", "Resize(%x) {sizes=[1,2,9,8], mode=\"linear\"}", "f32[1,2,9,8]"},
                    Case{"x: f32[1,8,2,3]", "DepthToSpace(%x) {blocksize=2, mode=\"CRD\"}", "f32[1,2,4,6]"},
                    Case{"x: f32[1,2,4,6]", "SpaceToDepth(%x) {blocksize=2}", "f32[1,8,2,3]"},
                    Case{"i: i64[2,3]; v: f32[2]", "OneHot(%i, %v) {axis=1, depth=5}", "f32[2,5,3]"},
                    Case{"x: f32[2,3,4]", "Trilu(%x) {upper=0, k=-1}", "f32[2,3,4]"}));

INSTANTIATE_TEST_SUITE_P(
    Sources, InferTypes,
    testing::Values(Case{"x: f32[2,3,4]", "Shape(%x)", "i64[3]!"},
                    Case{"x: f32[2,?,4]", "Shape(%x) {start=2}", "i64[1]!"},
                    Case{"x: f32[2,?,4]", "Shape(%x)", "i64[3]"}, Case{"x: f32[2,3]", "Size(%x)", "i64[]!"},
                    Case{"a: i64[] = {2}; b: i64[] = {9}; c: i64[] = {3}", "Range(%a, %b, %c)", "i64[3]!"},
                    Case{"a: f32[] = {0}; b: f32[] = {-1}; c: f32[] = {-0.25}", "Range(%a, %b, %c)", "f32[4]!"},
                    Case{"a: i64[]; b: i64[] = {9}; c: i64[] = {3}", "Range(%a, %b, %c)", "i64[-1]"},
                    Case{"s: i64[2] = {2,3}", "ConstantOfShape(%s) {value=tensor i32[1] {7}}", "i32[2,3]!"},
                    Case{"s: i64[2]", "ConstantOfShape(%s)", "f32[-1,-1]"}));

class InferRefuses : public testing::TestWithParam<Case> {};

TEST_P(InferRefuses, SayingWhatIsWrong) {
  try {
    const std::string types = types_of(GetParam());
    FAIL() << "accepted as " << types;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().expected), std::string::npos) << "got: " << error.what();
    EXPECT_FALSE(error.diagnostics[0].where.node.empty()) << "no node named: " << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, InferRefuses,
    testing::Values(
        Case{"x: f32[1,3,8,8]; w: f32[4,2,3,3]", "Conv(%x, %w)", "has 3 channels, expected 2"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]; b: f32[5]", "Conv(%x, %w, %b)",
             "bias (input 2) has shape [5], expected [4]"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {kernel_shape=[3,5]}", "kernel_shape is [3, 5]"},
        Case{"x: f32[1,3,2,2]; w: f32[4,3,3,3]", "Conv(%x, %w)", "more than the padded input's 2"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {strides=[0,1]}", "'strides' holds 0, expected 1"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {pads=[1,1]}", "'pads' has 2 entries, expected 4"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {pads=[9223372036854775807,0,0,0]}", "'pads' holds"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {group=4611686018427387904}", "group is"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {activation=\"Cos\"}",
             "activation \"Cos\" cannot be fused"},
        Case{"x: f32[1]; z: f32[1]", "Add(%x, %z) {activation=\"SiLU\"}", "expected one of Relu, Clip"},
        Case{"x: f32[1,3,8,8]", "Conv(%x)", "Conv has 1 inputs, expected 2 to 4"},
        Case{"x: f32[1,3,8,8]", "Conv(%x, _)", "input number 1 of Conv is left out"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {stride=[1,1]}", "Conv has no attribute 'stride'"},
        Case{"x: f32[1,3,8,8]; w: f32[4,3,3,3]", "Conv(%x, %w) {group=\"1\"}", "got string, expected int"},
        Case{"x: f32[1,3,8,8]", "MaxPool(%x)", "attribute 'kernel_shape' of MaxPool is missing"},
        Case{"x: f32[1,3,8,8]", "MaxPool(%x) {kernel_shape=[2,2], pads=[2,0,0,0]}", "windows without input"},
        Case{"x: i64[1,3,8,8]; w: i64[4,3,3,3]", "Conv(%x, %w)", "has type i64, expected a float type"},
        Case{"x: f32[1,2,4,4]; w: f32[2,1,1,1]", "ConvTranspose(%x, %w) {pads=[9,9,9,9]}", "would be -14"},
        Case{"a: f32[2,3]; b: f32[4,5]", "MatMul(%a, %b)", "inner dimensions differ"},
        Case{"a: f32[2,3]; b: f32[]", "MatMul(%a, %b)", "expected rank 1 or more"},
        Case{"a: f32[2,3]; b: f32[4,3]", "Add(%a, %b)", "dimension 0 is 2 and 4"},
        Case{"a: f32[2,3]; b: i64[3]", "Add(%a, %b)", "different types, got f32 and i64"},
        Case{"x: f32[2]", "Clip(%x) {min=1, max=0}", "expected min <= max"},
        Case{"x: f32[2,3]; s: f32[4,1,1]", "PRelu(%x, %s)", "slope has shape [4, 1, 1]"},
        Case{"a: i8[2]; b: i8[2]", "BitShift(%a, %b) {direction=\"UP\"}", "expected one of LEFT, RIGHT"},
        Case{"a: f32[2]; b: f32[2]", "BitwiseAnd(%a, %b)", "expected an integer type"},
        Case{"x: f32[2]", "BitCast(%x) {to=12}", "expected types of equal size"},
        Case{"x: f32[2]; s: f32[]", "QuantizeLinear(%x, %s) {to=12}", "integer DType of 4 to 16 bits"},
        Case{"x: f32[2,3]; s: f32[2]", "QuantizeLinear(%x, %s) {to=6, axis=1}", "scale has shape [2], expected [3]"},
        Case{"x: f32[2,7]; s: f32[2,2]", "QuantizeLinear(%x, %s) {to=6, axis=1, block_size=3}", "expected [2, 3]"},
        Case{"x: i8[2]; s: f32[]; z: u8[]", "DequantizeLinear(%x, %s, %z)", "zero point is u8[], expected i8[]"},
        Case{"x: f32[2,3]", "%y, %z = TopK(%x) {axis=1, k=4}", "k is 4, expected 0 to 3"},
        Case{"x: f32[2,3]", "Det(%x)", "expected square matrices"},
        Case{"x: f32[5,6]; i: i64[3,6]; u: f32[3,5]", "ScatterElements(%x, %i, %u) {axis=0}",
             "updates have shape [3, 5]"},
        Case{"x: f32[2]", "Cast(%x) {to=99}", "expected a DType number"},
        Case{"x: f32[2,3]", "Softmax(%x) {axis=-1}", "attribute 'axis' is -1, expected 0 to 1"},
        Case{"x: f32[2,3]", "ReduceMean(%x) {axes=[]}", "axes are []"},
        Case{"x: f32[2,3]", "ReduceMean(%x) {axes=[1,1]}", "expected distinct ascending"},
        Case{"x: f32[2,3]", "Reshape(%x) {shape=[4,2]}", "(6 elements) to [4, 2] (8 elements)"},
        Case{"x: f32[2,3]", "Reshape(%x) {shape=[-1,2]}", "expected resolved extents"},
        Case{"x: f32[2,3]", "Transpose(%x) {perm=[0,0]}", "expected a permutation of the 2 dimensions"},
        Case{"x: f32[2,3]; z: f32[3,3]", "Concat(%x, %z) {axis=1}", "input 1 has shape [3, 3]"},
        Case{"x: f32[2,5]", "%y, %z = Split(%x) {axis=1, split=[2,2]}", "adds up to 4, expected 5"},
        Case{"x: f32[2,5]", "Slice(%x) {starts=[0,0], ends=[2,6]}", "lie outside dimension 1"},
        Case{"x: f32[2,5]", "Slice(%x) {starts=[0,0], ends=[2,5], steps=[1,0]}", "step of dimension 1 is 0"},
        Case{"x: f32[2,5]", "Pad(%x) {pads=[2,0,0,0], mode=\"reflect\"}", "more than mode reflect"},
        Case{"x: f32[2,5]", "Pad(%x) {pads=[0,0,0,0], mode=\"mirror\"}", "expected one of constant"},
        Case{"x: f32[2,5]", "Expand(%x) {shape=[4,5]}", "cannot expand"},
        Case{"x: f32[2,5]; i: f32[1]", "Gather(%x, %i) {axis=0}", "expected i32 or i64"},
        Case{"x: f32[5,6]; i: i64[3,3]", "GatherND(%x, %i)", "expected a last extent of 1 to 2"},
        Case{"x: f32[5,6]; i: i64[3,1]; u: f32[3,5]", "ScatterND(%x, %i, %u)", "expected [3, 6]"},
        Case{"x: f32[1,3,4,4]", "DepthToSpace(%x) {blocksize=2}", "expected a multiple of 4"},
        Case{"x: f32[1,3,4,4]", "Resize(%x) {sizes=[1,4,8,8]}", "expected batch and channels to stay"},
        Case{"a: i64[] = {0}; b: i64[] = {9}; c: i64[] = {0}", "Range(%a, %b, %c)", "no sensible length"},
        Case{"x: f32[2,3]", "CumSum(%x) {axis=2}", "expected 0 to 1"},
        Case{"x: f32[2,3]; n: i64[3]", "ReverseSequence(%x, %n) {batch_axis=0, time_axis=1}", "expected [2]"},
        Case{"x: f32[2,3]; n: i64[2]", "ReverseSequence(%x, %n) {batch_axis=0, time_axis=0}", "are both 0"},
        Case{"q: f32[2,5,4]; k: f32[2,3,6]; v: f32[2,6,7]", "Attention(%q, %k, %v) {scale=1}", "expected [2, 4, 6]"},
        Case{"q: f32[2,5,4]; k: f32[2,4,6]; v: f32[3,6,7]", "Attention(%q, %k, %v) {scale=1}", "expected [2, 6, 7]"},
        Case{"q: f32[5,4]; k: f32[4,6]; v: f32[6,7]; m: f32[2,5,6]", "Attention(%q, %k, %v, %m) {scale=1}",
             "broadcasts to [5, 6]"},
        Case{"x: f32[5,1,4]; w: f32[1,6,3]; r: f32[1,6,6]",
             "RNN(%x, %w, %r) {activations=[\"Tanh\"], activation_alpha=[0.0], activation_beta=[0.0]}",
             "expected [1, 6, 4]"},
        Case{"x: f32[5,1,3]; w: f32[1,6,3]; r: f32[1,6,6]",
             "RNN(%x, %w, %r) {activations=[\"Gelu\"], activation_alpha=[0.0], activation_beta=[0.0]}", "'Gelu'"},
        Case{"x: f32[5,1,3]; w: f32[1,6,3]; r: f32[1,6,6]",
             "RNN(%x, %w, %r) {activations=[\"Tanh\", \"Relu\"], activation_alpha=[0.0], activation_beta=[0.0]}",
             "expected 1"},
        Case{"x: f32[4611686018427387904]", "Relu(%x)", "expected extents up to"}));

INSTANTIATE_TEST_SUITE_P(
    DataDependent, InferTypes,
    testing::Values(
        Case{"x: f32[3,4]", "NonZero(%x)", "i64[2,-1]"}, Case{"x: f32[3,4]; c: bool[3]", "Compress(%x, %c)", "f32[-1]"},
        Case{"x: f32[3,4]; c: bool[2]", "Compress(%x, %c) {axis=1}", "f32[3,-1]"},
        Case{"x: f32[3,4]", "%y, %i, %n, %k = Unique(%x)", "f32[-1]i64[-1]i64[12]i64[-1]"},
        Case{"x: i8[3,4]", "%y, %i, %n = Unique(%x) {axis=1}", "i8[3,-1]i64[-1]i64[4]"},
        Case{"b: f32[2,9,4]; s: f32[2,5,9]", "NonMaxSuppression(%b, %s)", "i64[-1,3]"},
        Case{"x: f32[2,6]; s: i64[2]", "DynamicReshape(%x, %s)", "f32[-1,-1]"},
        Case{"x: f32[?,6]; s: i64[2] = {2, -1}", "DynamicReshape(%x, %s)", "f32[2,-1]"},
        Case{"x: f32[2,6]; s: i64[2] = {0, -1}", "DynamicReshape(%x, %s)", "f32[2,6]"},
        Case{"x: f32[2,6]; s: i64[1]; e: i64[1]; a: i64[1] = {-1}", "DynamicSlice(%x, %s, %e, %a)", "f32[2,-1]"},
        Case{"x: f32[2,6]; s: i64[1]; e: i64[1]", "DynamicSlice(%x, %s, %e)", "f32[-1,6]"},
        Case{"x: f32[?,6]; s: i64[1] = {-1}; e: i64[1] = {0}; a: i64[1] = {1}; n: i64[1] = {-2}",
             "DynamicSlice(%x, %s, %e, %a, %n)", "f32[-1,3]"},
        Case{"x: f32[2,1]; s: i64[3]", "DynamicExpand(%x, %s)", "f32[-1,2,-1]"},
        Case{"x: f32[2,1]; r: i64[2]", "DynamicTile(%x, %r)", "f32[-1,-1]"},
        Case{"x: f32[2,6]; k: i64[1]", "%y, %i = DynamicTopK(%x, %k) {axis=1}", "f32[2,-1]i64[2,-1]"},
        Case{"c: bool[]; x: f32[2]",
             "If(%c, %x) {then_branch=graph{ir 1\ninput %x : f32[2]\noutput %x}, else_branch=graph{ir 1\n"
             "input %x : f32[2]\n%e = Tile(%x) {repeats=[2]}\noutput %e}}",
             "f32[-1]"},
        Case{"c: bool[]; x: f32[2]",
             "If(%c, %x) {problem=\"why\", else_branch=graph{ir 1\ninput %x : f32[2]\noutput %x}}", "f32[2]"},
        Case{"m: i64[] = {4}; x: f32[2]",
             "%y, %z = Loop(%m, _, %x) {carried=1, body=graph{ir 1\ninput %i : i64[]\ninput %c : bool[]\n"
             "input %a : f32[2]\n%b = Neg(%a)\noutput %c\noutput %b\noutput %b}}",
             "f32[2]f32[4,2]"},
        Case{"x: f32[2,7]",
             "Scan(%x) {states=0, scan_inputs=1, input_axes=[1], output_axes=[1], body=graph{ir 1\n"
             "input %v : f32[2]\n%b = Neg(%v)\noutput %b}}",
             "f32[2,7]"}));

INSTANTIATE_TEST_SUITE_P(
    DataDependent, InferRefuses,
    testing::Values(
        Case{"x: f32[3,4]; c: i64[3]", "Compress(%x, %c)", "expected bool"},
        Case{"b: f32[2,9,4]; s: f32[2,5,8]", "NonMaxSuppression(%b, %s)", "[batch, boxes, 4]"},
        Case{"x: f32[2,6]; s: i64[?]", "DynamicReshape(%x, %s)", "rank of the output is unknown"},
        Case{"x: f32[2,6]; s: i64[1] = {7}", "DynamicReshape(%x, %s)", "cannot reshape"},
        Case{"x: f32[2,6]; s: i64[2]; e: i64[1]", "DynamicSlice(%x, %s, %e)", "differ in length"},
        Case{"c: bool[]; x: f32[2]",
             "If(%c, %x) {then_branch=graph{ir 1\ninput %x : f32[2]\noutput %x}, else_branch=graph{ir 1\n"
             "%e : f32[1] = {1.0}\noutput %e}}",
             "the else branch has 0 inputs, expected 1"},
        Case{"c: bool[]; x: f32[2]",
             "If(%c, %x) {then_branch=graph{ir 1\ninput %x : f32[2]\noutput %x}, else_branch=graph{ir 1\n"
             "input %x : f32[3]\noutput %x}}",
             "is f32[3], but is given f32[2]"},
        Case{"c: bool[]; x: f32[2]", "If(%c, %x)", "both branches are left out"},
        Case{"m: i64[] = {-4}; x: f32[2]",
             "Loop(%m, _, %x) {carried=1, body=graph{ir 1\ninput %i : i64[]\ninput %c : bool[]\n"
             "input %a : f32[2]\noutput %c\noutput %a}}",
             "the trip count is -4"},
        Case{"x: f32[2]",
             "Loop(_, _, %x) {carried=1, body=graph{ir 1\ninput %i : i64[]\ninput %c : bool[]\n"
             "input %a : f32[2]\n%b = Cast(%a) {to=12}\noutput %c\noutput %b}}",
             "is given i64[2]"},
        Case{"x: f32[2,7]",
             "Scan(%x) {states=0, scan_inputs=1, input_axes=[2], body=graph{ir 1\ninput %v : f32[2]\noutput %v}}",
             "has no axis 2"}));

TEST(Schemas, AreSortedAndComplete) {
  const std::span<const OpSchema> rows = all_schemas();
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.name < b.name; }));
  std::set<std::string_view> names;
  for (const OpSchema& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(names.insert(row.name).second) << "twice";
    EXPECT_NE(row.infer, nullptr);
    EXPECT_FALSE(row.summary.empty());
    EXPECT_EQ(find_schema(row.name), &row);
    EXPECT_GE(row.version, 1);
    std::set<std::string_view> attributes;
    for (const AttributeSpec& spec : row.attributes) {
      EXPECT_TRUE(attributes.insert(spec.name).second) << spec.name << " twice";
      EXPECT_FALSE(spec.meaning.empty()) << spec.name;
    }
    const std::string_view dimensions = row.dimension_attributes;
    for (size_t begin = 0; begin < dimensions.size();) {
      const size_t end = std::min(dimensions.find(',', begin), dimensions.size());
      const std::string_view entry = dimensions.substr(begin, end - begin);
      const std::string_view attribute = entry.substr(0, entry.find(':')), kind = entry.substr(entry.find(':') + 1);
      EXPECT_TRUE(attributes.contains(attribute)) << attribute;
      constexpr std::string_view kKinds[] = {"one", "list", "permutation", "per dimension", "begin-end per dimension"};
      EXPECT_NE(std::find(std::begin(kKinds), std::end(kKinds), kind), std::end(kKinds)) << kind;
      begin = end + 1;
    }
    EXPECT_EQ(row.layout == LayoutRule::Any ? dimensions : std::string_view(), "") << "Any has no dimensions to name";
  }
  EXPECT_EQ(find_schema("Einsum"), nullptr);
}

/// Doubles whatever it is asked, so that a test sees when it is asked.
std::optional<std::vector<Tensor>> doubling(const Graph& graph, NodeId id) {
  const Tensor& in = *graph[graph[id].inputs[0]].constant;
  std::vector<int64_t> values = to_ints(in);
  for (int64_t& value : values) value *= 2;
  return std::vector<Tensor>{Tensor::from<int64_t>(in.shape(), values)};
}

TEST(InferWithEvaluator, FindsContentOfSmallNodesWithKnownInputs) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[2,3]
%s = Shape(%x)
%t = Neg(%s)
%u = Neg(%t)
input %n : i64[2]
%v = Neg(%n)
output %u
)",
                                  {}, doubling);
  EXPECT_EQ(to_ints(*graph[graph.find("u")].constant), (std::vector<int64_t>{8, 12}));
  EXPECT_FALSE(graph[graph.find("v")].constant.has_value());
}

TEST(InferWithEvaluator, LeavesLargeNodesToTheFoldPass) {
  const Graph graph = parse_graph("ir 1\n%c : i64[70000] = fill(1)\n%y = Neg(%c)\noutput %y\n", {}, doubling);
  EXPECT_FALSE(graph[graph.find("y")].constant.has_value());
}

TEST(Infer, ForgetsContentWhenAnInputIsNoLongerKnown) {
  Graph graph = parse_graph("ir 1\ninput %x : i64[2]\n%c : i64[2] = {1, 2}\n%y = Neg(%c)\noutput %y\n", {}, doubling);
  const ValueId y = graph.find("y");
  ASSERT_TRUE(graph[y].constant.has_value());
  graph.set_input(graph[y].producer, 0, graph.find("x"));
  infer(graph, graph[y].producer);
  EXPECT_FALSE(graph[y].constant.has_value());
}

}  // namespace
}  // namespace openrknn
