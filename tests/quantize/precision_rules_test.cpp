// What a user says layers shall compute in, and what their neighbours make of it.
#include "compiler/quantize/match_rules.h"
#include "support.h"

namespace openrknn {
namespace {

using Kind = PrecisionRule::Kind;

/// Seven layers of a source model; a Conv computes three of them, and two nodes compute one.
constexpr std::string_view kSevenLayers = R"(ir 1
origin conv : Conv %c
origin bn : BatchNormalization %b
origin relu : Relu %r
origin pool : MaxPool %m
origin head/conv : Conv %h
origin head/norm : LayerNormalization %n
origin head/out : Conv %y
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = random(1)
%r = Conv(%x, %w) {activation="Relu"} from [conv, bn, relu]
%m = MaxPool(%r) {kernel_shape=[1,1]} from [pool]
%h = Conv(%m, %w) from ["head/conv"]
%e = Exp(%h) from ["head/norm"]
%n = Add(%e, %h) from ["head/norm"]
%y = Conv(%n, %w) from ["head/out"]
output %y
)";

PrecisionRule rule(Kind kind, std::string pattern, DType dtype) { return {kind, std::move(pattern), dtype}; }
PrecisionRule half(std::string tensor) { return rule(Kind::Tensor, std::move(tensor), DType::Float16); }

std::vector<std::string> matched(const PrecisionRule& one, std::string_view text = kSevenLayers) {
  const Graph graph = parse_graph(text);
  Diagnostics problems;
  std::vector<std::string> nodes;
  const std::vector<RuleMatch> matches = match_rules(graph, std::span(&one, 1), problems);
  for (const NodeId id : matches[0].nodes) nodes.push_back(graph[id].name);
  return nodes;
}
using Names = std::vector<std::string>;

/// "tensor dtype" of every node, in order, of a build with these rules.
Names dtypes(std::string_view text, const PrecisionRules& rules, std::string_view soc = "rk3588") {
  const Graph graph = parse_graph(text);
  const PrecisionMap map = assign_precision(graph, test::target(soc), rules);
  Names list;
  for (const NodeId id : graph.order()) {
    list.push_back(graph[id].name + " " + std::string(numpy_name(map.at(id).dtype)));
  }
  return list;
}
std::string error_of(std::string_view text, const PrecisionRules& rules, std::string_view soc = "rk3588") {
  try {
    dtypes(text, rules, soc);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(MatchRules, ANameOfAFusedLayerIsTheNodeThatComputesItNow) {
  for (const char* name : {"c", "b", "r", "conv", "bn", "relu"}) EXPECT_EQ(matched(half(name)), Names{"r"}) << name;
}

TEST(MatchRules, ADecomposedLayerIsAllItsNodes) {
  EXPECT_EQ(matched(half("n")), (Names{"e", "n"}));
  EXPECT_EQ(matched(half("head/norm")), (Names{"e", "n"}));
}

TEST(MatchRules, AnOpTypeIsThatOfTheSourceModelOrThePresentOne) {
  EXPECT_EQ(matched(rule(Kind::OpType, "BatchNormalization", DType::Float16)), Names{"r"});
  EXPECT_EQ(matched(rule(Kind::OpType, "Exp", DType::Float16)), Names{"e"});
  EXPECT_EQ(matched(rule(Kind::OpType, "Conv", DType::Float16)), (Names{"r", "h", "y"}));
}

TEST(MatchRules, PatternsMatchNodeAndTensorNames) {
  EXPECT_EQ(matched(rule(Kind::Glob, "head/*", DType::Float16)), (Names{"h", "e", "n", "y"}));
  EXPECT_EQ(matched(rule(Kind::Regex, "head/(conv|out)", DType::Float16)), (Names{"h", "y"}));
  EXPECT_EQ(matched(rule(Kind::Regex, "head", DType::Float16)), Names{});  // the whole name
}

TEST(MatchRules, ListsTheLayersThatMatched) {
  const Graph graph = parse_graph(kSevenLayers);
  Diagnostics problems;
  const PrecisionRule glob = rule(Kind::Glob, "head/*", DType::Float16);
  EXPECT_EQ(match_rules(graph, std::span(&glob, 1), problems)[0].layers, (Names{"h", "n", "y"}));
}

TEST(MatchRules, GlobsKnowRunsAndSingleCharacters) {
  EXPECT_TRUE(matches_glob("/model.22/cv2/Conv", "/model.22/*"));
  EXPECT_TRUE(matches_glob("abcabd", "a*abd"));
  EXPECT_TRUE(matches_glob("", "*"));
  EXPECT_TRUE(matches_glob("a.b", "a?b"));
  EXPECT_FALSE(matches_glob("ab", "a?b"));
  EXPECT_FALSE(matches_glob("/model.22", "/model.22/*"));
  EXPECT_FALSE(matches_glob("abc", "ab"));
}

// The expression that needs 2^40 steps of a backtracking matcher.
TEST(MatchRules, NoExpressionTakesForever) {
  const std::string text = R"(ir 1
input %x : f32[1]
%)" + std::string(40, 'a') +
                           R"(b = Exp(%x)
output %)" + std::string(40, 'a') +
                           R"(b
)";
  EXPECT_EQ(matched(rule(Kind::Regex, "(a+)+c", DType::Float16), text), Names{});
}

TEST(PrecisionRules, ARuleFixesALayerAndMovesFollow) {
  EXPECT_EQ(dtypes(kSevenLayers, {.rules = {half("conv"), half("h")}}),
            (Names{"r float16", "m float16", "h float16", "e float16", "n int8", "y int8"}));
}

TEST(PrecisionRules, AMoveThatIsNamedItselfStaysWhatItWasAskedToBe) {
  EXPECT_EQ(dtypes(kSevenLayers, {.rules = {half("pool")}})[1], "m float16");
  EXPECT_EQ(dtypes(kSevenLayers, {.rules = {half("c"), half("h"), rule(Kind::Tensor, "m", DType::Int8)}})[1], "m int8");
}

TEST(PrecisionRules, TheLastRuleForALayerWins) {
  const PrecisionRule all = rule(Kind::OpType, "Conv", DType::Float16);
  EXPECT_EQ(dtypes(kSevenLayers, {.rules = {all, rule(Kind::Tensor, "h", DType::Int8)}})[2], "h int8");
  EXPECT_EQ(dtypes(kSevenLayers, {.rules = {rule(Kind::Tensor, "h", DType::Int8), all}})[2], "h float16");
}

TEST(PrecisionRules, ARuleThatOverridesAnImpossibleOneIsEnough) {
  const PrecisionRule everything = rule(Kind::Glob, "head/*", DType::Int8);
  EXPECT_NE(error_of(kSevenLayers, {.rules = {everything}}).find("Exp is never quantized"), std::string::npos);
  EXPECT_EQ(error_of(kSevenLayers, {.rules = {everything, half("e")}}), "no error");
}

TEST(PrecisionRules, SayWhoAsked) {
  const Graph graph = parse_graph(kSevenLayers);
  const PrecisionMap map =
      assign_precision(graph, test::target(), {.rules = {rule(Kind::Glob, "head/c*", DType::Float16)}});
  EXPECT_EQ(map.at(test::value_of(graph, "h").producer).rule, "float16: asked for by 'glob:head/c*=float16'");
}

TEST(PrecisionRules, AllBadRulesAreReportedTogether) {
  const std::string text =
      error_of(kSevenLayers, {.rules = {half("haed/conv"), rule(Kind::Tensor, "e", DType::Int8), half("x"), half("w"),
                                        rule(Kind::Regex, "head/(", DType::Float16)}});
  EXPECT_NE(text.find("haed/conv"), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean 'head/conv'"), std::string::npos) << text;
  EXPECT_NE(text.find("Exp is never quantized"), std::string::npos) << text;
  EXPECT_NE(text.find("an input of the model"), std::string::npos) << text;
  EXPECT_NE(text.find("this is a constant"), std::string::npos) << text;
  EXPECT_NE(text.find("not a regular expression"), std::string::npos) << text;
}

TEST(PrecisionRules, APatternThatNamesNothingIsNoError) {
  EXPECT_EQ(error_of(kSevenLayers, {.rules = {rule(Kind::OpType, "Gelu", DType::Float16)}}), "no error");
}

TEST(PrecisionRules, IntegersThatALayerCannotBeAreRefusedWithTheReason) {
  constexpr std::string_view kDivision = R"(ir 1
input %x : f32[1,4]
input %z : f32[1,4]
%d = Div(%x, %z)
%s = Softmax(%d) {axis=1}
%a = ArgMax(%s) {axis=1}
output %a
)";
  const auto int8 = [](const char* name) { return PrecisionRules{.rules = {rule(Kind::Tensor, name, DType::Int8)}}; };
  EXPECT_NE(error_of(kDivision, int8("d")).find("integers have no division by a tensor"), std::string::npos);
  EXPECT_NE(error_of(kDivision, int8("a")).find("its results are indices"), std::string::npos);
  EXPECT_EQ(error_of(kDivision, int8("s")), "no error");
  EXPECT_NE(error_of(kDivision, int8("s"), "rk3566").find("RK3566 has no Softmax on integers"), std::string::npos);
}

TEST(PrecisionRules, WeightOnlySchemesTakeFloat16Alone) {
  PrecisionRules rules{.scheme = Scheme::W4A16, .rules = {rule(Kind::Tensor, "h", DType::Int16)}};
  EXPECT_NE(error_of(kSevenLayers, rules, "rk3576").find("w4a16 codes weights alone"), std::string::npos);
  rules.rules = {half("h")};
  const Graph golden = parse_graph(kSevenLayers);
  const Graph built =
      quantize(golden, assign_precision(golden, test::target("rk3576"), rules), {}, options_of(Scheme::W4A16));
  EXPECT_EQ(built[test::producer_of(built, "r").inputs[1]].dtype, DType::Int4);
  EXPECT_EQ(built[test::producer_of(built, "h").inputs[1]].dtype, DType::Float16);
}

}  // namespace
}  // namespace openrknn
