// The pipeline as a whole: what goes in is an imported graph, what comes out a model.
#include "compiler/compile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/graph/text.h"
#include "core/rknn_file/rknn_file.h"
#include "passes/run_both.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

constexpr std::string_view kConvAddRelu = R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%b : f32[4] = random(2)
%conv = Conv(%x, %w) {pads=[1,1,1,1]} as conv from [conv]
%shape : f32[4,1,1] = random(3)
%biased = Add(%conv, %shape) from [biased]
%relu = Relu(%biased) from [relu]
%pool = GlobalAveragePool(%relu) from [pool]
output %pool
)";

Compiled compile_network(const CompileOptions& options) {
  const Graph graph = parse_graph(std::string(kConvAddRelu));
  test::Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(graph, dice, 3);
  ThreadPool pool(2);
  return compile(graph, options, &samples, pool);
}

std::string bytes_of(const Model& model) {
  MemorySink sink;
  write(model, sink);
  return sink.data;
}

/// The one diagnostic of a refused compile.
Diagnostic refusal(const CompileOptions& options, bool with_samples = true) {
  const Graph graph = parse_graph(std::string(kConvAddRelu));
  test::Dice dice(5);
  const test::MemorySamples samples = test::uniform_samples(graph, dice, 1);
  ThreadPool pool(1);
  try {
    compile(graph, options, with_samples ? &samples : nullptr, pool);
  } catch (const Error& error) {
    return error.diagnostics.front();
  }
  ADD_FAILURE() << "compiled";
  return {};
}

TEST(Compile, KeepsTheFunctionInGolden) {
  const Compiled compiled = compile_network({});
  expect_same_numbers(parse_graph(std::string(kConvAddRelu)), compiled.golden, 1e-5, 1);
}

TEST(Compile, GivesEqualBytesForEqualInputs) {
  EXPECT_EQ(bytes_of(compile_network({}).model), bytes_of(compile_network({}).model));
  EXPECT_NE(bytes_of(compile_network({}).model), bytes_of(compile_network({.custom_string = "x"}).model));
}

TEST(Compile, FindsEveryLayerOfTheSourceAgain) {
  const Compiled compiled = compile_network({});
  const Graph& graph = compiled.model.variants.front();
  for (const std::string name : {"conv", "biased", "relu", "pool"}) {
    EXPECT_FALSE(graph.computing(name).empty()) << name;
  }
  EXPECT_EQ(compiled.report.nodes_imported, 4);
  EXPECT_LT(compiled.report.nodes_compiled, 4) << "bias and activation belong to the layer";
}

TEST(Compile, PutsGoldenIntoTheModelOnlyWhenAsked) {
  EXPECT_FALSE(compile_network({}).model.golden.has_value());
  EXPECT_TRUE(compile_network({.keep_golden = true}).model.golden.has_value());
}

TEST(Compile, DumpsTheGraphAfterTheStageNamed) {
  std::vector<std::string> stages;
  CompileOptions options{.dump_after = "fold_bias"};
  options.dump = [&](std::string_view stage, const std::string& text) {
    stages.emplace_back(stage);
    EXPECT_EQ(text.find("Add("), std::string::npos) << "the bias is folded by then";
  };
  compile_network(options);
  EXPECT_EQ(stages, std::vector<std::string>{"fold_bias"});
}

TEST(Compile, RefusesAnUnknownTargetWithTheKnownOnes) {
  const Diagnostic found = refusal({.target = "rk9999"});
  EXPECT_EQ(found.code, Code::ConfigUnknownPlatform);
  EXPECT_NE(found.fix.find("rk3588"), std::string::npos) << found.fix;
}

TEST(Compile, RefusesFloat16WhereTheSocHasNoneNamingTheLayers) {
  const Diagnostic found = refusal({.target = "rv1106", .quantize = false});
  EXPECT_EQ(found.code, Code::ConfigUnsupported);
  EXPECT_NE(found.problem.find("'conv'"), std::string::npos) << found.problem;
}

TEST(Compile, AsksForSamplesWhenItQuantizes) { EXPECT_EQ(refusal({}, false).code, Code::DatasetMissing); }

TEST(Compile, NamesOptionsThatTheBuildHasNoUseFor) {
  const auto warnings = [](const CompileOptions& options) { return compile_network(options).report.warnings; };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(warnings({}), Lines{});
  EXPECT_EQ(warnings({.algorithm = RangeAlgorithm::Mmse, .bias_correction = true, .rounding = Rounding::Adaptive}),
            Lines{});
  EXPECT_EQ(warnings({.quantize = false,
                      .algorithm = RangeAlgorithm::Mmse,
                      .corrections = {.equalize = true, .split_concat = true, .rescue_float16 = true},
                      .bias_correction = true,
                      .rounding = Rounding::Adaptive}),
            Lines{"no effect without quantization: quantized_algorithm, rounding, bias_correction, equalize, "
                  "split_concat"});
  EXPECT_EQ(warnings({.quantize = false, .quantize_weight = true, .corrections = {.rescue_float16 = true}}), Lines{});
  EXPECT_EQ(warnings({.quantize_weight = true, .corrections = {.rescue_float16 = true}}),
            Lines{"no effect in a w8a8 build: quantize_weight, rescue_float16"});
}

TEST(Compile, RefusesMeansThatDoNotFitTheChannels) {
  const Diagnostic found = refusal({.mean = {{1, 2}}});
  EXPECT_EQ(found.code, Code::ConfigBadMeanStd);
  EXPECT_EQ(found.where.tensor, "x");
  EXPECT_EQ(refusal({.std = {{1, 0, 1}}}).code, Code::ConfigBadMeanStd);
}

}  // namespace
}  // namespace openrknn
