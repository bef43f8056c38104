// Models that come quantized: their parameters and codes arrive in the built graph as they are.
#include "core/model/precision_notes.h"
#include "keep_parameters_support.h"

namespace openrknn {
namespace {

using namespace test;

TEST(KeepParameters, TakesScalesAndCodesAsTheyAre) {
  const Graph source = graph_of(std::string(kConv));
  const Compiled compiled = compile_float(source);
  const Graph& graph = built(compiled);
  EXPECT_EQ(test::count_ops(graph, "QuantizeLinear") + test::count_ops(graph, "DequantizeLinear"), 0);
  const Value& x = graph[graph.inputs[0]];
  EXPECT_EQ(x.dtype, DType::Int8);
  EXPECT_EQ(x.quant->scale, std::vector<double>{0.0078125});
  EXPECT_EQ(x.quant->zero_point, std::vector<int32_t>{0});  // 128 of uint8
  const Value& y = graph[graph.outputs[0]];
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.quant->zero_point, std::vector<int32_t>{-128});
  EXPECT_EQ(y.quant->scale[0], static_cast<double>(0.0123F));
  const Node& conv = graph[y.producer];
  EXPECT_EQ(conv.op, "Conv");
  EXPECT_TRUE(identical(*graph[conv.inputs[1]].constant, *source[source.find("w")].constant));
  EXPECT_EQ(graph[conv.inputs[1]].quant->scale[1], static_cast<double>(0.0021F));
  EXPECT_TRUE(identical(*graph[conv.inputs[2]].constant, *source[source.find("b")].constant));
  EXPECT_EQ(test::count_ops(compiled.golden, "QuantizeLinear"), 0);
  EXPECT_LE(difference(source, compiled, 0.0123), 1.01);
}

TEST(KeepParameters, LeavesNoRequantizationOutOfSight) {
  // The same tensor, quantized twice in a row with unlike parameters.
  const Graph source = graph_of(std::string(kConv) + R"(%s2 : f32[] = {0.031}
%z2 : i8[] = {-5}
%q2 = QuantizeLinear(%y, %s2, %z2) {to=@i8}
%d2 = DequantizeLinear(%q2, %s2, %z2)
%m = MaxPool(%d2) {kernel_shape=[2,2], strides=[2,2]}
%mq = QuantizeLinear(%m, %s2, %z2) {to=@i8}
%md = DequantizeLinear(%mq, %s2, %z2)
output %md
)");
  const Compiled compiled = compile_float(source);
  const Value& pooled = test::value_of(built(compiled), "md");
  EXPECT_EQ(pooled.quant->zero_point, std::vector<int32_t>{-5});
  EXPECT_EQ(test::producer_of(built(compiled), "md").op, "MaxPool");
  EXPECT_EQ(test::count_ops(built(compiled), "Convert"), 1);
  EXPECT_LE(difference(source, compiled, 0.031), 1.01);
}

TEST(KeepParameters, KeepsPortsThatAreCodes) {
  const Graph source = graph_of(R"(input %xq : u8[1,2,4,4]
%s : f32[] = {0.02}
%z : u8[] = {3}
%p = MaxPool(%xq) {kernel_shape=[2,2], strides=[2,2]}
%d = DequantizeLinear(%p, %s, %z)
%w : i8[2,2,1,1] = {10, -20, 30, 127}
%sw : f32[] = {0.01}
%wd = DequantizeLinear(%w, %sw)
%c = Conv(%d, %wd)
%sy : f32[] = {0.04}
%zy : u8[] = {100}
%y = QuantizeLinear(%c, %sy, %zy) {to=@u8}
output %y
)");
  const Compiled compiled = compile_float(source);
  EXPECT_EQ(compiled.model.inputs[0].dtype, DType::UInt8);
  EXPECT_EQ(compiled.model.outputs[0].dtype, DType::UInt8);
  const Graph& graph = built(compiled);
  EXPECT_EQ(graph[graph.outputs[0]].dtype, DType::UInt8);
  EXPECT_FALSE(graph[graph.outputs[0]].quant);
  EXPECT_EQ(test::value_of(graph, "c").dtype, DType::Int8);
  EXPECT_LE(difference(source, compiled, 1, 0, 255), 1.01);
}

TEST(KeepParameters, MovesCodesAsNumbers) {
  // Pad and MaxPool on codes, as the QOperator format has them; the fill is a code.
  const Graph source = graph_of(R"(input %x : f32[1,2,4,4]
%s : f32[] = {0.01}
%z : u8[] = {90}
%q = QuantizeLinear(%x, %s, %z) {to=@u8}
%padded = Pad(%q) {pads=[0,0,1,1,0,0,1,1], value=100.0}
%p = MaxPool(%padded) {kernel_shape=[2,2], strides=[2,2]}
%t = Transpose(%p) {perm=[0,2,3,1]}
%y = DequantizeLinear(%t, %s, %z)
output %y
)");
  const Compiled compiled = compile_float(source);
  EXPECT_EQ(test::value_of(built(compiled), "y").dtype, DType::Int8);
  EXPECT_EQ(test::count_ops(built(compiled), "DequantizeLinear"), 0);
  EXPECT_EQ(difference(source, compiled, 0.01), 0);
}

TEST(KeepParameters, KeepsCodesBehindATranspose) {
  const Graph source = graph_of(R"(input %x : f32[1,4]
%s : f32[] = {0.0078125}
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%w : i8[3,4] = random(3)
%sw : f32[3] = {0.01, 0.02, 0.005}
%wd = DequantizeLinear(%w, %sw) {axis=0}
%wt = Transpose(%wd) {perm=[1,0]}
%m = MatMul(%d, %wt)
%c : f32[3] = {0.5, 0.25, -1}
%a = Add(%m, %c)
%sy : f32[] = {0.04}
%yq = QuantizeLinear(%a, %sy) {to=@i8}
%y = DequantizeLinear(%yq, %sy)
output %y
)");
  const Compiled compiled = compile_float(source);
  const Node& layer = test::producer_of(built(compiled), "y");
  ASSERT_EQ(layer.op, "MatMul");  // the float Add is its bias
  const Tensor codes = transpose(*source[source.find("w")].constant, {1, 0});
  EXPECT_TRUE(identical(*built(compiled)[layer.inputs[1]].constant, codes));
  EXPECT_EQ(built(compiled)[layer.inputs[1]].quant->axis, 1);
  EXPECT_LE(difference(source, compiled, 0.04), 1.01);
}

TEST(KeepParameters, LeavesFloatIslandsInFloat16) {
  const Graph source = graph_of(R"(input %x : f32[1,2,4,4]
%s : f32[] = {0.0078125}
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%w : f32[2,2,1,1] = random(5)
%c = Conv(%d, %w)
%sc : f32[] = {0.02}
%cq = QuantizeLinear(%c, %sc) {to=@i8}
%cd = DequantizeLinear(%cq, %sc)
%e = Exp(%cd)
%g = Sigmoid(%cd)
%p = MaxPool(%g) {kernel_shape=[2,2], strides=[2,2]}
%sp : f32[] = {0.004}
%zp : i8[] = {-128}
%pq = QuantizeLinear(%p, %sp, %zp) {to=@i8}
%pd = DequantizeLinear(%pq, %sp, %zp)
output %e
output %pd
)");
  const Compiled compiled = compile_float(source);
  const Graph& graph = built(compiled);
  EXPECT_EQ(test::producer_of(graph, "c").op, "Conv");
  EXPECT_EQ(test::value_of(graph, "c").dtype, DType::Float16);
  EXPECT_EQ(test::value_of(graph, "e").dtype, DType::Float16);
  // Between two tensors of codes, and of a known range: both inherit.
  EXPECT_EQ(test::value_of(graph, "g").dtype, DType::Int8);
  EXPECT_EQ(test::value_of(graph, "pd").dtype, DType::Int8);
}

TEST(KeepParameters, SigmoidWithoutParametersTakesItsWholeRange) {
  const Graph source = graph_of(R"(input %x : f32[1,4]
%s : f32[] = {0.03}
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%g = Sigmoid(%d)
%y = Mul(%d, %g)
%h = Mul(%g, %y)
%sh : f32[] = {0.01}
%hq = QuantizeLinear(%h, %sh) {to=@i8}
%hd = DequantizeLinear(%hq, %sh)
%yq = QuantizeLinear(%y, %sh) {to=@i8}
%yd = DequantizeLinear(%yq, %sh)
output %hd
output %yd
)");
  const Compiled compiled = compile_float(source);
  const Value& gate = test::value_of(built(compiled), "g");
  ASSERT_TRUE(gate.quant);
  EXPECT_EQ(gate.quant->scale[0], 1.0 / 255);
  EXPECT_EQ(gate.quant->zero_point[0], -128);
}

TEST(KeepParameters, ComputesInt16WhereTheModelDoes) {
  const Graph source = graph_of(std::string(kWide));
  const Compiled compiled = compile_float(source, {.target = "rv1106"});
  const Graph& graph = built(compiled);
  EXPECT_EQ(graph[graph.outputs[0]].dtype, DType::Int16);
  const Node& conv = graph[graph[graph.outputs[0]].producer];
  EXPECT_EQ(to_ints(*graph[conv.inputs[1]].constant), (std::vector<int64_t>{10, -20, 30, 127}));
  EXPECT_LE(difference(source, compiled, 0.0001, -1, 1, "rv1106"), 1.01);
}

std::vector<Diagnostic> refusals(const std::string& text, CompileOptions options = {}) {
  try {
    compile_float(graph_of(text), std::move(options));
  } catch (const Error& error) {
    return error.diagnostics;
  }
  ADD_FAILURE() << "compiled";
  return {};
}

TEST(KeepParameters, RefusesInt16WhereTheSocHasNone) {
  const std::vector<Diagnostic> found = refusals(std::string(kWide));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].code, Code::ConfigUnsupported);
}

TEST(KeepParameters, NamesEveryScaleThatIsNone) {
  const std::vector<Diagnostic> found = refusals(R"(input %x : f32[4]
%bad : f32[] = {0}
%q = QuantizeLinear(%x, %bad) {to=@i8} as first
%d = DequantizeLinear(%q, %bad) as second
%w : i8[2] = {1, 2}
%worse : f32[2] = {1, nan}
%e = DequantizeLinear(%w, %worse) {axis=0} as third
output %d
output %e
)");
  ASSERT_EQ(found.size(), 3U);
  for (const Diagnostic& problem : found) EXPECT_EQ(problem.code, Code::QuantizeBadParameters);
  EXPECT_EQ(found[0].where.tensor, "bad");
  EXPECT_NE(found[0].where.node.find("first"), std::string::npos);
  EXPECT_NE(found[2].problem.find("[1] is nan"), std::string::npos) << found[2].problem;
}

TEST(KeepParameters, LeavesScalesOfTheRunTimeAlone) {
  const Graph source = graph_of(R"(input %x : f32[1,4]
input %s : f32[]
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%y = Exp(%d)
output %y
)");
  const Compiled compiled = compile_float(source);
  EXPECT_EQ(test::count_ops(built(compiled), "QuantizeLinear"), 1);
  EXPECT_EQ(test::count_ops(built(compiled), "DequantizeLinear"), 1);
}

TEST(KeepParameters, ChannelWithoutWeightsDoesNotCoarsenTheOthers) {
  const Graph source = graph_of(R"(input %x : f32[1,2,2,2]
%s : f32[] = {0.0078125}
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%w : i8[2,2,1,1] = {10, -20, 0, 0}
%sw : f32[2] = {0.01, 1}
%wd = DequantizeLinear(%w, %sw) {axis=0}
%b : f32[2] = {0.1, 0.3}
%c = Conv(%d, %wd, %b)
%sy : f32[] = {0.004}
%yq = QuantizeLinear(%c, %sy) {to=@i8}
%y = DequantizeLinear(%yq, %sy)
output %y
)");
  const Compiled compiled = compile_float(source);
  const Node& conv = test::producer_of(built(compiled), "y");
  EXPECT_EQ(conv.fixed->channel, (std::vector<uint16_t>{1 << 14, 1 << 14}));
  EXPECT_LE(difference(source, compiled, 0.004), 1.01);
}

/// kWide, brought to int8 and into a second layer of int8.
Graph wide_and_narrow() {
  return graph_of(std::string(kWide) + R"(%sn : f32[] = {0.0125}
%zn : u8[] = {120}
%nq = QuantizeLinear(%y, %sn, %zn) {to=@u8}
%n = DequantizeLinear(%nq, %sn, %zn)
%v : i8[3,2,1,1] = {100, -20, 30, 127, -5, 60}
%sv : f32[] = {0.01}
%vd = DequantizeLinear(%v, %sv)
%e = Conv(%n, %vd)
%se : f32[] = {0.02}
%eq = QuantizeLinear(%e, %se) {to=@i8}
%ed = DequantizeLinear(%eq, %se)
output %ed
)");
}

TEST(KeepParameters, ComputesInt8BehindInt16WhereTheModelDoes) {
  const Graph source = wide_and_narrow();
  const Compiled compiled = compile_float(source, {.target = "rv1106"});
  const Graph& graph = built(compiled);
  EXPECT_EQ(test::value_of(graph, "y").dtype, DType::Int16);
  const Node& second = test::producer_of(graph, "ed");
  EXPECT_EQ(graph[second.outputs[0]].dtype, DType::Int8);
  const Value& between = graph[second.inputs[0]];
  EXPECT_EQ(between.dtype, DType::Int8);
  EXPECT_EQ(between.quant->scale[0], static_cast<double>(0.0125F));
  EXPECT_EQ(between.quant->zero_point[0], -8);
  EXPECT_EQ(graph[graph[between.producer].inputs[0]].name, "y");  // one conversion, from int16 itself
  EXPECT_TRUE(holds_codes(graph, second, source, "v"));
  EXPECT_LE(difference(source, compiled, 0.02, -1, 1, "rv1106"), 1.01);
}

TEST(KeepParameters, NamesATensorOfAnotherTypeThanTheScheme) {
  try {
    compile_seen(wide_and_narrow(), {.target = "rv1106"});
    FAIL() << "compiled";
  } catch (const Error& error) {
    ASSERT_EQ(error.diagnostics.size(), 1U);
    EXPECT_EQ(error.diagnostics[0].code, Code::ConfigUnsupported);
    EXPECT_NE(error.diagnostics[0].problem.find("int16 here, quantized_dtype w8a8 means int8"), std::string::npos)
        << error.diagnostics[0].problem;
  }
}

TEST(KeepParameters, ComputesInFloat16BetweenCodesOfTwoTypes) {
  std::string text(kWide);
  text.replace(text.find("%c = Conv(%d, %wd)"), 18, "%c = Sigmoid(%d)");
  text.replace(text.find("{0.0001}"), 8, "{0.008}");
  text.replace(text.find("{to=@i16}"), 9, "{to=@i8}");
  const Graph source = graph_of(text);
  const Compiled compiled = compile_float(source, {.target = "rv1106"});
  const std::vector<PrecisionNote> notes = precision_notes(compiled.model);
  const auto row = std::find_if(notes.begin(), notes.end(), [](const PrecisionNote& note) {
    return note.rule.find("the model gives int16 codes for 'x' and int8 codes for what comes of it") !=
           std::string::npos;
  });
  ASSERT_NE(row, notes.end());
  EXPECT_EQ(row->dtype, "float16");
  EXPECT_LE(difference(source, compiled, 0.008, -1, 1, "rv1106"), 0.6);
}

TEST(KeepParameters, SaysWhichChannelsTheMultiplierMisses) {
  std::string text(kConv);
  text.replace(text.find("{0.001, 0.0021"), 14, "{2.7e-06, 0.0021");
  const Compiled compiled = compile_float(graph_of(text));
  ASSERT_EQ(compiled.report.warnings.size(), 1U);
  EXPECT_NE(compiled.report.warnings[0].find("1 of 4 channels"), std::string::npos) << compiled.report.warnings[0];
}

}  // namespace
}  // namespace openrknn
