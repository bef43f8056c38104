// Networks with one fault each: the reason is named with its proof and a remedy that helps; a healthy one has none.
#include "compiler/analysis/diagnosis/diagnosis.h"

#include <fmt/format.h>

#include <iostream>

#include "compiler/passes/layer.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

using test::Dice;

struct NetToDiagnose {
  Graph golden;
  test::MemorySamples calibration, evaluation;
  QuantizeOptions options = {};
  bool quantize = true;
};

test::MemorySamples centred_samples(const Graph& graph, int count = 4, uint64_t seed = 5, double high = 1) {
  Dice dice(seed);
  return test::uniform_samples(graph, dice, count, -high, high);
}

NetToDiagnose make(std::string_view text, double high = 1) {
  Graph graph = parse_graph(text);
  test::MemorySamples samples = centred_samples(graph, 4, 5, high);
  return {std::move(graph), samples, samples};
}

/// Multiplies one output channel of the layer that gives `value`, and divides the same input channel of its reader: the
/// float function stays.
void make_loud(Graph& graph, std::string_view value, std::string_view reader, size_t channel, double factor) {
  const auto layer = passes::as_layer(graph, graph[graph.find(value)].producer);
  const auto next = passes::as_layer(graph, graph[graph.find(reader)].producer);
  ASSERT_TRUE(layer && next);
  std::vector<double> scale(static_cast<size_t>(layer->outputs), 1), back(static_cast<size_t>(next->inputs), 1);
  scale[channel] = factor;
  back[channel] = 1 / factor;
  passes::scale_outputs(graph, *layer, scale);
  passes::scale_inputs(graph, *next, back);
}

struct Diagnosed {
  std::vector<LayerFinding> findings;
  std::string text() const {
    std::string all;
    for (const LayerFinding& finding : findings) all += to_string(finding) + '\n';
    return all;
  }
};

Diagnosed diagnose_case(const NetToDiagnose& given) {
  ThreadPool pool(2);
  const Target& target = test::target();
  QuantizeRecipe recipe{assign_precision(given.golden, target, {.quantize = given.quantize}), {}, given.options};
  if (given.quantize) {
    recipe.calibration = calibrate(given.golden, given.calibration, pool, {}, {}, Detail::Histograms);
  }
  Graph built = quantize(given.golden, recipe.precision, recipe.calibration, recipe.options);
  lower(built, target);
  const Analysis analysis =
      analyze(given.golden, built, arithmetic_of(target), layer_rows(given.golden, built), given.evaluation, pool);
  const Calibration seen = calibrate(given.golden, given.evaluation, pool, {}, {}, Detail::Histograms);
  const Subject subject{given.golden, built, recipe, target, given.evaluation, pool};
  RemedyTrials trials(subject, seen, 0);
  Diagnosed diagnosed{diagnose(subject, analysis, trials)};
  std::cout << diagnosed.text();  // read when a test fails
  return diagnosed;
}

/// Every finding has this reason, and one of them brings the output much.
void expect_only(const Diagnosed& diagnosed, Reason reason, double gain_db) {
  ASSERT_FALSE(diagnosed.findings.empty());
  double most = 0;
  for (const LayerFinding& finding : diagnosed.findings) {
    EXPECT_EQ(name(finding.reason), name(reason)) << to_string(finding);
    most = std::max(most, finding.effect.output_after - finding.effect.output_before);
  }
  EXPECT_GT(most, gain_db);
}

constexpr std::string_view kChain = R"(ir 1
input %x : f32[1,4,16,16]
origin c0 : Conv %c0
origin c1 : Conv %c1
origin c2 : Conv %c2
origin y : Conv %y
%w0 : f32[16,4,3,3] = random(1)
%c0 = Conv(%x, %w0) {pads=[1,1,1,1]} from [c0]
%w1 : f32[16,16,3,3] = random(2)
%c1 = Conv(%c0, %w1) {pads=[1,1,1,1]} from [c1]
%w2 : f32[16,16,3,3] = random(3)
%c2 = Conv(%c1, %w2) {pads=[1,1,1,1]} from [c2]
%w3 : f32[4,16,1,1] = random(4)
%y = Conv(%c2, %w3) from [y]
output %y
)";

TEST(Diagnosis, NamesNothingOnAHealthyNet) {
  NetToDiagnose given = make(kChain);
  EXPECT_EQ(diagnose_case(given).text(), "");
  given.quantize = false;
  EXPECT_EQ(diagnose_case(given).text(), "");
}

TEST(Diagnosis, FindsAnOutlierChannel) {
  NetToDiagnose given = make(kChain);
  make_loud(given.golden, "c1", "c2", 5, 300);
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::OutlierChannel, 10);
  EXPECT_EQ(diagnosed.findings[0].layer, "[Conv] c2");
  EXPECT_NE(diagnosed.findings[0].evidence.find("channel 5 of 'c1' reaches"), std::string::npos);
  EXPECT_NE(diagnosed.findings[0].fix.find("c1=float16, c2=float16"), std::string::npos);
}

TEST(Diagnosis, FindsAnOutlierChannelOfWeightsWithOneScale) {
  NetToDiagnose given = make(kChain);
  Graph& graph = given.golden;
  // The function keeps the loud channel's results within those of the others: nothing is wrong but the weights.
  const auto layer = passes::as_layer(graph, graph[graph.find("c1")].producer);
  std::vector<double> scale(16, 0.05);
  scale[5] = 2;
  passes::scale_outputs(graph, *layer, scale);
  graph[layer->node].attributes["activation"] = std::string("Sigmoid");
  given.options.method = QuantizedMethod::Layer;
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::OutlierChannel, 3);
  EXPECT_EQ(diagnosed.findings[0].layer, "[Conv] c1");
  EXPECT_NE(diagnosed.findings[0].evidence.find("output channel 5 of the weights 'w1"), std::string::npos);
}

TEST(Diagnosis, FindsAConcatOfMixedRanges) {
  NetToDiagnose given = make(R"(ir 1
input %x : f32[1,4,16,16]
origin a : Conv %a
origin b : Conv %b
origin cat : Concat %cat
origin y : Conv %y
%w0 : f32[8,4,3,3] = random(1)
%a = Conv(%x, %w0) {pads=[1,1,1,1]} from [a]
%w1 : f32[8,4,3,3] = random(2)
%b = Conv(%x, %w1) {pads=[1,1,1,1]} from [b]
%cat = Concat(%a, %b) {axis=1} from [cat]
%w2 : f32[8,16,1,1] = random(3)
%y = Conv(%cat, %w2) from [y]
output %y
)");
  Graph& graph = given.golden;
  const auto quiet = passes::as_layer(graph, graph[graph.find("b")].producer);
  passes::scale_outputs(graph, *quiet, std::vector<double>(8, 0.004));
  std::vector<double> back(16, 1);
  std::fill(back.begin() + 8, back.end(), 250);
  passes::scale_inputs(graph, *passes::as_layer(graph, graph[graph.find("y")].producer), back);
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::MixedRangeConcat, 10);
  EXPECT_NE(diagnosed.text().find("Concat 'cat' puts 'a' (up to"), std::string::npos);
}

TEST(Diagnosis, FindsWhatAnAlgorithmClips) {
  NetToDiagnose given = make(kChain);
  given.options.activations.algorithm = RangeAlgorithm::Percentile;
  given.options.activations.percentile = 90;
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::Clipping, 5);
  EXPECT_NE(diagnosed.text().find("quantized_algorithm=normal"), std::string::npos);
}

TEST(Diagnosis, FindsWhatTheCalibrationSetDidNotShow) {
  NetToDiagnose given = make(kChain);
  given.evaluation = centred_samples(given.golden, 4, 7, 6);
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::Clipping, 10);
  EXPECT_NE(diagnosed.text().find("calibrate with samples like those analyzed"), std::string::npos);
}

TEST(Diagnosis, FindsASaturatedActivation) {
  NetToDiagnose given = make(R"(ir 1
input %x : f32[1,4,16,16]
origin a : Conv %a
origin s : Sigmoid %s
origin y : Conv %y
%w0 : f32[16,4,3,3] = random(1)
%a = Conv(%x, %w0) {pads=[1,1,1,1]} from [a]
%s = Sigmoid(%a) from [s]
%w2 : f32[8,16,1,1] = random(3)
%y = Conv(%s, %w2) from [y]
output %y
)");
  Graph& graph = given.golden;
  std::vector<double> scale(16, 1);
  scale[2] = 2000;
  passes::scale_outputs(graph, *passes::as_layer(graph, graph[graph.find("a")].producer), scale);
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::SaturatedActivation, 5);
  EXPECT_NE(diagnosed.text().find("Sigmoid is flat beyond ±6"), std::string::npos);
}

TEST(Diagnosis, FindsFloat16Overflow) {
  NetToDiagnose given = make(R"(ir 1
input %x : f32[1,4,16,16]
origin a : Conv %a
origin b : Conv %b
origin y : Conv %y
%w0 : f32[16,4,3,3] = random(1)
%a = Conv(%x, %w0) {pads=[1,1,1,1]} from [a]
%w1 : f32[16,16,3,3] = random(2)
%b = Conv(%a, %w1) {pads=[1,1,1,1]} from [b]
%w2 : f32[8,16,1,1] = random(3)
%y = Conv(%b, %w2) from [y]
output %y
)");
  Graph& graph = given.golden;
  const std::vector<double> loud(16, 60000), back(16, 1e-4);
  passes::scale_outputs(graph, *passes::as_layer(graph, graph[graph.find("b")].producer), loud);
  passes::scale_inputs(graph, *passes::as_layer(graph, graph[graph.find("y")].producer), back);
  given.quantize = false;
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::HalfOverflow, 20);
  EXPECT_EQ(diagnosed.findings.size(), 1u);
  EXPECT_EQ(diagnosed.findings[0].layer, "[Conv] b");
}

TEST(Diagnosis, TellsAnAccumulatedErrorFromOneBadLayer) {
  std::string text = "ir 1\ninput %x : f32[1,8,8,8]\n", body;
  constexpr int kDepth = 48;
  for (int i = 0; i < kDepth; ++i) text += fmt::format("origin c{} : Conv %c{}\n", i, i);
  std::string last = "x";
  for (int i = 0; i < kDepth; ++i) {
    text +=
        fmt::format("%w{0} : f32[8,8,3,3] = random({1})\n%c{0} = Conv(%{2}, %w{0}) {{pads=[1,1,1,1]}} from [c{0}]\n", i,
                    i + 1, last);
    last = fmt::format("c{}", i);
  }
  NetToDiagnose given = make(text + "output %" + last + "\n");
  for (int i = 0; i < kDepth; ++i) {  // so that numbers stay within float16
    const ValueId value = given.golden.find(fmt::format("c{}", i));
    passes::scale_outputs(given.golden, *passes::as_layer(given.golden, given.golden[value].producer),
                          std::vector<double>(8, 0.18));
  }
  const Diagnosed diagnosed = diagnose_case(given);
  expect_only(diagnosed, Reason::AccumulatedError, 1);
  EXPECT_EQ(diagnosed.findings[0].layer, fmt::format("[Conv] c{}", kDepth - 1));
}

}  // namespace
}  // namespace openrknn
