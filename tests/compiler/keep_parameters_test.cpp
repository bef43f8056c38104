// Models that come quantized: their parameters and codes arrive in the built graph as they are.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/compile.h"
#include "compiler/search/search.h"
#include "core/graph/text.h"
#include "core/model/precision_notes.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

using test::Dice;

/// {U8} and the like are written as the numbers of dtypes.
Graph graph_of(std::string text) {
  const auto replace = [&](const std::string& what, DType dtype) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what)) {
      text.replace(at, what.size(), std::to_string(static_cast<int>(dtype)));
    }
  };
  replace("@u8", DType::UInt8);
  replace("@i8", DType::Int8);
  replace("@i16", DType::Int16);
  replace("@u16", DType::UInt16);
  return parse_graph("ir 1\n" + text);
}

Compiled compile_float(const Graph& graph, CompileOptions options = {}) {
  options.quantize = false;
  options.check = true;
  ThreadPool pool(1);
  return compile(graph, options, nullptr, pool);
}
const Graph& built(const Compiled& compiled) { return compiled.model.variants.front(); }

/// The largest difference between the source's own arithmetic and the built graph's, in steps of `step`.
double difference(const Graph& source, const Compiled& compiled, double step, double low = -1, double high = 1,
                  std::string_view soc = "rk3588") {
  Dice dice(4);
  double worst = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<Tensor> inputs;
    for (const ValueId id : source.inputs) {
      Tensor real = test::uniform_tensor(dice, source[id].shape, low, high);
      if (!is_floating(source[id].dtype)) real = cast(cast(real, DType::Int32), DType::Float32);
      inputs.push_back(real);
    }
    const auto wanted = test::run_real(source, inputs),
               got = test::run_real(built(compiled), inputs, true, test::target(soc));
    for (size_t o = 0; o < wanted.size(); ++o) {
      for (size_t i = 0; i < wanted[o].size(); ++i) {
        worst = std::max(worst, std::abs(wanted[o][i] - got[o][i]) / step);
      }
    }
  }
  return worst;
}

constexpr std::string_view kConv = R"(input %x : f32[1,3,8,8]
%sx : f32[] = {0.0078125}
%zx : u8[] = {128}
%xq = QuantizeLinear(%x, %sx, %zx) {to=@u8} from [xq]
%xd = DequantizeLinear(%xq, %sx, %zx) from [xd]
%w : i8[4,3,3,3] = random(1)
%sw : f32[4] = {0.001, 0.0021, 0.0033, 0.004}
%zw : i8[4] = {0, 0, 0, 0}
%wd = DequantizeLinear(%w, %sw, %zw) {axis=0} from [wd]
%b : i32[4] = {100, -2000, 7, 40}
%sb : f32[4] = {7.8125e-06, 1.640625e-05, 2.578125e-05, 3.125e-05}
%bd = DequantizeLinear(%b, %sb) {axis=0} from [bd]
%c = Conv(%xd, %wd, %bd) {pads=[1,1,1,1]} from [c]
%r = Relu(%c) from [r]
%sy : f32[] = {0.0123}
%zy : u8[] = {0}
%yq = QuantizeLinear(%r, %sy, %zy) {to=@u8} from [yq]
%y = DequantizeLinear(%yq, %sy, %zy) from [y]
output %y
)";

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

constexpr std::string_view kWide = R"(input %x : f32[1,2,4,4]
%s : f32[] = {3.1e-05}
%z : u16[] = {32768}
%q = QuantizeLinear(%x, %s, %z) {to=@u16}
%d = DequantizeLinear(%q, %s, %z)
%w : i8[2,2,1,1] = {10, -20, 30, 127}
%sw : f32[] = {0.01}
%wd = DequantizeLinear(%w, %sw)
%c = Conv(%d, %wd)
%sy : f32[] = {0.0001}
%yq = QuantizeLinear(%c, %sy) {to=@i16}
%y = DequantizeLinear(%yq, %sy)
output %y
)";

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

TEST(KeepParameters, QuantizedBuildCalibratesOnlyTheRest) {
  const Graph source = graph_of(std::string(kConv) + "%z = Mul(%y, %y)\noutput %z\n");
  Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(source, dice, 3);
  ThreadPool pool(1);
  const Compiled compiled = compile(source, CompileOptions{.check = true}, &samples, pool);
  EXPECT_EQ(test::value_of(built(compiled), "y").quant->scale[0], static_cast<double>(0.0123F));
  EXPECT_EQ(test::value_of(built(compiled), "z").dtype, DType::Int8);
  ASSERT_EQ(compiled.report.warnings.size(), 1U);
  EXPECT_NE(compiled.report.warnings[0].find("quantized already"), std::string::npos);
  const Node& conv = test::producer_of(built(compiled), "y");
  EXPECT_TRUE(identical(*built(compiled)[conv.inputs[1]].constant, *source[source.find("w")].constant));
}

/// kConv and a second layer.
constexpr std::string_view kSecond = R"(%v : i8[4,4,1,1] = random(2)
%sv : f32[] = {0.003}
%vd = DequantizeLinear(%v, %sv) from [vd]
%e = Conv(%y, %vd) from [e]
%se : f32[] = {0.05}
%eq = QuantizeLinear(%e, %se) {to=@i8} from [eq]
%ed = DequantizeLinear(%eq, %se) from [ed]
output %ed
)";
Graph two_layers() { return graph_of(std::string(kConv) + std::string(kSecond)); }

Compiled compile_seen(const Graph& source, CompileOptions options, double largest = 1) {
  Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(source, dice, 4, -largest, largest);
  options.check = true;
  ThreadPool pool(1);
  return compile(source, options, &samples, pool);
}
PrecisionRule rule(std::string tensor, DType dtype) { return {PrecisionRule::Kind::Tensor, std::move(tensor), dtype}; }

bool holds_codes(const Graph& graph, const Node& layer, const Graph& source, std::string_view weights) {
  return to_ints(*graph[layer.inputs[1]].constant) == to_ints(*source[source.find(weights)].constant);
}

TEST(KeepParameters, ARuleForALayerWinsAndTheOthersKeepTheirCodes) {
  const Graph source = two_layers();
  const Compiled compiled = compile_float(source, {.precision = {rule("c", DType::Float16)}});
  const Graph& graph = built(compiled);
  EXPECT_EQ(test::value_of(graph, "y").dtype, DType::Float16);
  const Node& second = test::producer_of(graph, "ed");
  EXPECT_TRUE(holds_codes(graph, second, source, "v"));
  EXPECT_EQ(graph[second.outputs[0]].quant->scale[0], static_cast<double>(0.05F));
  EXPECT_EQ(graph[second.inputs[0]].quant->scale[0], static_cast<double>(0.0123F));
  EXPECT_LE(difference(source, compiled, 0.0123), 5.1);  // a code of the second
}

TEST(KeepParameters, AnInt16RuleTakesRangesFromSamplesAndCodesFromTheModel) {
  const Graph source = two_layers();
  const Compiled compiled = compile_seen(source, {.quantize = false, .precision = {rule("e", DType::Int16)}}, 1.3);
  const Graph& graph = built(compiled);
  EXPECT_EQ(test::value_of(graph, "y").dtype, DType::Int8);
  EXPECT_EQ(test::value_of(graph, "y").quant->scale[0], static_cast<double>(0.0123F));
  const Node& second = test::producer_of(graph, "ed");
  EXPECT_TRUE(holds_codes(graph, second, source, "v"));
  for (const ValueId id : {second.inputs[0], second.outputs[0]}) {
    EXPECT_EQ(graph[id].dtype, DType::Int16);
    EXPECT_LT(graph[id].quant->scale[0], 0.0123 / 100);
  }
  EXPECT_LE(difference(source, compiled, 0.05), 0.6);  // the source rounds to codes, the build does not
}

bool has_stage(const Compiled& compiled, std::string_view stage) {
  const std::vector<StageTime>& times = compiled.report.times;
  return std::any_of(times.begin(), times.end(), [&](const StageTime& time) { return time.stage == stage; });
}

TEST(KeepParameters, CorrectionsThatChangeNumbersAreLeftOutByName) {
  const Graph source = two_layers();
  const Corrections all{
      .equalize = true, .absorb_bias = true, .migrate_scales = true, .split_concat = true, .rescue_float16 = true};
  const Compiled compiled =
      compile_seen(source, {.corrections = all, .bias_correction = true, .rounding = Rounding::ErrorFeedback});
  const Graph& graph = built(compiled);
  EXPECT_TRUE(identical(*graph[test::producer_of(graph, "y").inputs[1]].constant, *source[source.find("w")].constant));
  EXPECT_TRUE(identical(*graph[test::producer_of(graph, "y").inputs[2]].constant, *source[source.find("b")].constant));
  EXPECT_EQ(test::value_of(graph, "y").quant->scale[0], static_cast<double>(0.0123F));
  EXPECT_FALSE(has_stage(compiled, "equalize"));
  EXPECT_TRUE(has_stage(compiled, "split_concat"));
  EXPECT_EQ(compiled.report.warnings[0],
            "left out, because they would change the model's own parameters: equalize, absorb_bias, "
            "activate_before_concat, migrate_scales, bias_correction, gdq");
  const Compiled half = compile_float(source, {.corrections = all});
  EXPECT_EQ(half.report.warnings[0], "left out, because they would change the model's own parameters: rescue_float16");
}

TEST(KeepParameters, AutoHybridLeavesCodesBeyondFloat16Alone) {
  const Graph source = graph_of(R"(input %x : f32[1,4]
%s : f32[] = {1000}
%q = QuantizeLinear(%x, %s) {to=@i8}
%d = DequantizeLinear(%q, %s)
%y = Add(%d, %d)
%sy : f32[] = {2000}
%yq = QuantizeLinear(%y, %sy) {to=@i8}
%yd = DequantizeLinear(%yq, %sy)
%z = Add(%yd, %d)
output %z
)");
  const Compiled compiled = compile_seen(source, {.quantize = false, .auto_hybrid = true}, 1.2e5);
  EXPECT_EQ(test::value_of(built(compiled), "yd").quant->scale[0], 2000);
  EXPECT_EQ(test::value_of(built(compiled), "yd").dtype, DType::Int8);
  EXPECT_EQ(test::value_of(built(compiled), "z").dtype, DType::Int16);
}

TEST(KeepParameters, ASearchJudgesTheModelsOwnParametersAndLiftsLayers) {
  const Graph source = two_layers();
  Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(source, dice, 4);
  ThreadPool pool(1);
  const CompileOptions options;
  const PreparedBuild prepared = prepare(std::span(&source, 1), options, &samples, pool);
  EXPECT_EQ(test::value_of(build_graph(prepared, options, pool), "y").quant->scale[0], static_cast<double>(0.0123F));
  const SearchOptions search{.target = 45};
  const SearchResult found = search_precision(prepared, options, search, samples, pool);
  EXPECT_EQ(found.chosen.layers.size(), 2U);
  EXPECT_GE(found.chosen.metric, 45);
}

TEST(KeepParameters, WhatABuildWasMadeWithMakesItAgain) {
  const Compiled compiled = compile_float(two_layers());
  const QuantizeRecipe& recipe = compiled.recipe;
  Graph again = quantize(compiled.golden, recipe.precision, recipe.calibration, recipe.options, recipe.given);
  lower(again, test::target());
  EXPECT_EQ(to_text(again), to_text(built(compiled)));
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
