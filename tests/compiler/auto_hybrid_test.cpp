// build(auto_hybrid=True): which layers leave the build's type.
#include "compiler/auto_hybrid.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"
#include "core/model/precision_notes.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

/// The second layer's channels differ by five decades, and the third needs the small ones alone, which int8 lost.
constexpr std::string_view kOneBadLayer = R"(ir 1
input %x : f32[1,4,8,8]
%w0 : f32[4,4,1,1] = random(1)
%good = Conv(%x, %w0)
%k : f32[4,1,1,1] = {1000, 0.01, 0.01, 0.01}
%bad = Conv(%good, %k) {group=4}
%v : f32[4,1,1,1] = {0, 10, 10, 10}
%y = Conv(%bad, %v) {group=4}
output %y
)";

struct HybridCase {
  Graph graph;
  test::MemorySamples samples;
};
HybridCase case_of(std::string_view text, double range = 1) {
  Graph graph = parse_graph(text);
  test::Dice dice(3);
  test::MemorySamples samples = test::uniform_samples(graph, dice, 4, -range, range);
  return {std::move(graph), std::move(samples)};
}
Compiled compile_case(const HybridCase& c, const CompileOptions& options) {
  ThreadPool pool(2);
  return compile(c.graph, options, &c.samples, pool);
}
DType dtype_of(const Compiled& compiled, std::string_view tensor) {
  return test::value_of(compiled.model.variants.front(), tensor).dtype;
}

TEST(AutoHybrid, LiftsTheLayersBelowTheThresholdAlone) {
  const HybridCase c = case_of(kOneBadLayer);
  const Compiled plain = compile_case(c, {});
  const Compiled lifted = compile_case(c, {.auto_hybrid = true});
  EXPECT_EQ(dtype_of(plain, "y"), DType::Int8);
  EXPECT_EQ(dtype_of(lifted, "good"), DType::Int8);
  // Fed with golden's numbers every layer but the last is as good as int8 can be.
  EXPECT_EQ(dtype_of(lifted, "y"), DType::Float16);
  ASSERT_EQ(lifted.report.precision_rules.size(), 1u);
  EXPECT_EQ(lifted.report.precision_rules[0].layers, std::vector<std::string>{"y"});
  EXPECT_EQ(lifted.report.precision_rules[0].rule.substr(0, 22), "auto_hybrid: y (cosine");
}

TEST(AutoHybrid, ThresholdsDecide) {
  const HybridCase c = case_of(kOneBadLayer);
  EXPECT_EQ(dtype_of(compile_case(c, {.auto_hybrid = true, .auto_hybrid_cosine = -1}), "y"), DType::Int8);
  const Compiled far = compile_case(c, {.auto_hybrid = true, .auto_hybrid_cosine = -1, .auto_hybrid_euclidean = 1e-9});
  for (const char* tensor : {"good", "bad", "y"}) EXPECT_EQ(dtype_of(far, tensor), DType::Float16);
}

TEST(AutoHybrid, WhatTheUserSaysStands) {
  const HybridCase c = case_of(kOneBadLayer);
  const PrecisionRule rule{PrecisionRule::Kind::Tensor, "y", DType::Int16};
  const Compiled compiled = compile_case(c, {.precision = {rule}, .auto_hybrid = true});
  EXPECT_EQ(dtype_of(compiled, "y"), DType::Int16);
}

TEST(AutoHybrid, AFloatBuildLiftsWhatOverflowsToInt16) {
  const HybridCase c = case_of(kOneBadLayer, 1000);
  const Compiled plain = compile_case(c, {.quantize = false});
  EXPECT_EQ(dtype_of(plain, "bad"), DType::Float16);
  const Compiled lifted = compile_case(c, {.quantize = false, .auto_hybrid = true});
  EXPECT_EQ(dtype_of(lifted, "good"), DType::Float16);
  EXPECT_EQ(dtype_of(lifted, "bad"), DType::Int16);  // gives numbers beyond float16
  EXPECT_EQ(dtype_of(lifted, "y"), DType::Int16);    // reads them
  EXPECT_EQ(lifted.report.samples, 4);
}

TEST(AutoHybrid, WarnsOfLayersThatOverflowAndCannotBeInt16) {
  const HybridCase c = case_of(R"(ir 1
input %x : f32[1,8]
%k : f32[] = {300}
%m = Mul(%x, %k)
%z = Mul(%m, %k)
%s = Sin(%z)
output %s
)",
                               1);
  const Compiled compiled = compile_case(c, {.quantize = false, .auto_hybrid = true});
  const std::vector<std::string>& warnings = compiled.report.warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("layer 's' (Sin) overflows float16"), std::string::npos) << warnings[0];
  EXPECT_NE(warnings[0].find("Sin is never quantized"), std::string::npos) << warnings[0];
}

TEST(AutoHybrid, GoesWithLayersThatAreInt8) {
  const HybridCase c = case_of(kOneBadLayer);
  EXPECT_THROW(compile_case(c, {.target = "rk3562", .scheme = Scheme::W8A16, .auto_hybrid = true}), Error);
}

TEST(PrecisionNotes, AModelSaysWhatEachNodeComputesInAndWhy) {
  const HybridCase c = case_of(kOneBadLayer);
  const PrecisionRule rule{PrecisionRule::Kind::Glob, "b*", DType::Float16};
  const std::vector<PrecisionNote> notes = precision_notes(compile_case(c, {.precision = {rule}}).model);
  ASSERT_EQ(notes.size(), 3u);
  EXPECT_EQ(notes[0], (PrecisionNote{"good", "int8", "int8: computes with an output range of its own"}));
  EXPECT_EQ(notes[1], (PrecisionNote{"bad", "float16", "float16: asked for by 'glob:b*=float16'"}));
}

TEST(PrecisionNotes, AnyNameSurvives) {
  const std::vector<PrecisionNote> notes = {{"a\tb\nc\\n", "int8", "because \\"}, {"", "float16", ""}};
  Model model;
  model.sections[std::string(kPrecisionSection)] = encode_precision_notes(notes);
  EXPECT_EQ(precision_notes(model), notes);
  model.sections[std::string(kPrecisionSection)] = Tensor::from<uint8_t>({5}, {'a', '\t', '\\', '\n', 'b'});
  EXPECT_TRUE(precision_notes(model).empty());
}

}  // namespace
}  // namespace openrknn
