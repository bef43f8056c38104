// Concats whose operands do not fit one scale: what counts, and what compute and warn.
#include "compiler/corrections/concat_ranges.h"
#include "compiler/compile.h"
#include "compiler/correction_support.h"

namespace openrknn {
namespace {

using test::samples_for;

/// Boxes in pixels beside scores, joined and reordered at the end of the model.
constexpr std::string_view kBoxesBesideScores = R"(ir 1
input %x : f32[1,8,8,8]
%wa : f32[4,8,1,1] = random(1)
%ba : f32[4] = fill(320.0)
%boxes = Conv(%x, %wa, %ba)
%wb : f32[3,8,1,1] = random(2)
%logits = Conv(%x, %wb)
%scores = Sigmoid(%logits)
%joined = Concat(%boxes, %scores) {axis=1}
%y = Reshape(%joined) {shape=[1,7,64]}
output %y
)";

Calibration seen_in(const Graph& graph) {
  ThreadPool pool(1);
  return calibrate(graph, samples_for(graph, 1), pool);
}

Compiled compile_head(std::string_view text, CompileOptions options = {}) {
  const Graph graph = parse_graph(text);
  ThreadPool pool(1);
  const test::MemorySamples samples = samples_for(graph, 1);
  return compile(graph, options, &samples, pool);
}

double score_sqnr(const Compiled& compiled) {
  const Graph& built = compiled.model.variants.front();
  const std::vector<Tensor> input = samples_for(compiled.golden, 2).get(0);
  const std::vector<double> expected = test::run_real(compiled.golden, input)[0], got = test::run_real(built, input)[0];
  const auto scores = [](const std::vector<double>& all) {
    return std::vector<double>(all.begin() + 4 * 64, all.end());
  };
  return test::sqnr_db(scores(expected), scores(got));
}

TEST(CollapsedConcats, NamesTheOperandThatLosesItsNumbers) {
  const Graph graph = parse_graph(kBoxesBesideScores);
  const std::vector<CollapsedConcat> found = collapsed_concats(graph, seen_in(graph), DType::Int8);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(graph[found[0].node].op, "Concat");
  for (const char* part :
       {"Concat 'joined'", "'boxes' (0 to 3", "'scores' (0 to 0.9", "'scores' keeps 0.0 of its 8 bits"}) {
    EXPECT_NE(found[0].problem.find(part), std::string::npos) << found[0].problem;
  }
}

TEST(CollapsedConcats, SixteenBitsHoldMore) {
  const Graph graph = parse_graph(kBoxesBesideScores);
  EXPECT_TRUE(collapsed_concats(graph, seen_in(graph), DType::Int16).empty());
}

TEST(CollapsedConcats, LeavesOperandsOfOneSizeAndConcatsInside) {
  const std::string start =
      "ir 1\ninput %x : f32[1,4,8,8]\n%wa : f32[4,4,1,1] = random(1)\n%k : f32[1] = {100.0}\n%a = Conv(%x, %wa)\n"
      "%b = Mul(%a, %k)\n";
  const struct {
    std::string text;
    size_t count;
    std::string why;
  } cases[] = {
      {start + "%y = Concat(%a, %x) {axis=1}\noutput %y\n", 0, "alike"},
      {start + "%y = Concat(%a, %b) {axis=1}\noutput %y\n", 1, "a hundred times"},
      {start + "%j = Concat(%a, %b) {axis=1}\n%w : f32[4,8,1,1] = random(3)\n%y = Conv(%j, %w)\noutput %y\n", 0,
       "the layer has one scale for what it reads"},
      {start + "%z : f32[1,4,8,8] = fill(0.0)\n%y = Concat(%b, %z) {axis=1}\noutput %y\n", 0, "zeros fit any scale"},
  };
  for (const auto& [text, count, why] : cases) {
    const Graph graph = parse_graph(text);
    EXPECT_EQ(collapsed_concats(graph, seen_in(graph), DType::Int8).size(), count) << why;
  }
}

TEST(Compile, WarnsOfAJoinedOutputWhoseScoresCollapse) {
  const Compiled compiled = compile_head(kBoxesBesideScores);
  EXPECT_LT(score_sqnr(compiled), 10);
  ASSERT_EQ(compiled.report.warnings.size(), 1u);
  EXPECT_NE(compiled.report.warnings[0].find("build with split_concat=True"), std::string::npos);
}

TEST(Compile, KeepsScoresOfAJoinedOutputInFloat16) {
  const Compiled compiled = compile_head(kBoxesBesideScores, {.corrections = {.split_concat = true}});
  EXPECT_GT(score_sqnr(compiled), 35);
  EXPECT_TRUE(compiled.report.warnings.empty());
  const Graph& built = compiled.model.variants.front();
  EXPECT_EQ(built[built.outputs[0]].dtype, DType::Float16);
  EXPECT_EQ(test::value_of(built, "boxes").dtype, DType::Int8);
  EXPECT_EQ(test::value_of(built, "scores").dtype, DType::Int8);
}

TEST(Compile, ARuleOfTheUsersWinsOverSplitConcat) {
  CompileOptions options{.corrections = {.split_concat = true}};
  options.precision = {{.kind = PrecisionRule::Kind::Tensor, .pattern = "joined", .dtype = DType::Int8}};
  const Compiled compiled = compile_head(kBoxesBesideScores, options);
  EXPECT_EQ(test::value_of(compiled.model.variants.front(), "joined").dtype, DType::Int8);
}

}  // namespace
}  // namespace openrknn
