// What options of a build do to a model that comes quantized: calibration, precision rules, corrections, search.
#include "compiler/search/search.h"
#include "keep_parameters_support.h"

namespace openrknn {
namespace {

using namespace test;

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

PrecisionRule rule(std::string tensor, DType dtype) { return {PrecisionRule::Kind::Tensor, std::move(tensor), dtype}; }

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
  EXPECT_EQ(compiled.report.warnings[0], "no effect in a w8a8 build: rescue_float16");
  EXPECT_EQ(compiled.report.warnings[1],
            "left out, because they would change the model's own parameters: equalize, absorb_bias, "
            "activate_before_concat, migrate_scales, bias_correction, gdq");
  const Compiled half = compile_float(source, {.corrections = all});
  EXPECT_EQ(half.report.warnings[1], "left out, because they would change the model's own parameters: rescue_float16");
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

}  // namespace
}  // namespace openrknn
