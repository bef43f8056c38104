// Bias correction: mean errors go, in every scheme, and nothing but biases changes.
#include "compiler/compile.h"
#include "corrections_support.h"

namespace openrknn {
namespace {

using test::Dice;
using test::Wanted;

// Inputs above 0: what rounding does to the sum of a row of weights becomes a shift of every result.
constexpr std::string_view kFourLayers = R"(ir 1
input %x : f32[1,16,12,12]
%w0 : f32[24,16,3,3] = random(1)
%b0 : f32[24] = random(2)
%y0 = Conv(%x, %w0, %b0) {pads=[1,1,1,1], activation="Relu"}
%w1 : f32[24,1,3,3] = random(3)
%y1 = Conv(%y0, %w1) {group=24, pads=[1,1,1,1], activation="Relu"}
%w2 : f32[24,20,2,2] = random(4)
%b2 : f32[20] = random(5)
%y2 = ConvTranspose(%y1, %w2, %b2) {strides=[2,2]}
%w3 : f32[16,20,1,1] = random(6)
%y = Conv(%y2, %w3)
output %y
)";

/// Mean over the output's channels of |mean error of the channel over all samples|.
double mean_channel_error(const Graph& golden, const Graph& graph, const test::MemorySamples& samples,
                          const Target& soc) {
  const Shape& shape = golden[golden.outputs[0]].shape;
  const auto channels = static_cast<size_t>(shape[1]);
  const size_t area = static_cast<size_t>(element_count(shape)) / channels;
  std::vector<double> sums(channels, 0.0);
  for (int64_t i = 0; i < samples.count(); ++i) {
    const std::vector<Tensor> inputs = samples.get(i);
    const auto exact = test::run_real(golden, inputs)[0], got = test::run_real(graph, inputs, false, soc)[0];
    for (size_t e = 0; e < exact.size(); ++e) sums[e / area] += got[e] - exact[e];
  }
  double total = 0;
  for (const double sum : sums)
    total += std::abs(sum) / static_cast<double>(area) / static_cast<double>(samples.count());
  return total / static_cast<double>(channels);
}

class BiasCorrection : public testing::TestWithParam<Scheme> {};

TEST_P(BiasCorrection, TakesNineTenthsOfTheMeanErrorOfEveryChannel) {
  const Graph golden = parse_graph(kFourLayers);
  Dice dice(3);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 12, 0, 1);
  const Target& soc = test::target(GetParam() == Scheme::W4A16 ? "rk3576" : "rk3588");
  const Graph before = test::corrected(golden, samples, {.scheme = GetParam()});
  const Graph after = test::corrected(golden, samples, {.scheme = GetParam(), .bias_correction = true});
  EXPECT_LT(mean_channel_error(golden, after, samples, soc), mean_channel_error(golden, before, samples, soc) / 10);
}
INSTANTIATE_TEST_SUITE_P(Schemes, BiasCorrection, testing::Values(Scheme::W8A8, Scheme::W4A16),
                         [](const auto& scheme) { return std::string(name(scheme.param)); });

TEST(BiasCorrection, OfWeightsAloneTakesTheGreaterPart) {
  const Graph imported = parse_graph(kFourLayers);
  Dice dice(3);
  const test::MemorySamples samples = test::uniform_samples(imported, dice, 12, 0, 1);
  ThreadPool pool(2);
  const PreparedBuild prepared = prepare(std::span(&imported, 1), {}, &samples, pool);
  const Graph& golden = prepared.goldens.front();
  const GoldenMeans means = golden_means({golden, prepared.calibration, samples, pool, {}, {}});
  EXPECT_EQ(means.size(), 4u) << "one a layer";
  const Graph before = build_graph(prepared, {}, pool), after = build_graph(prepared, {}, pool, &means);
  const Target& soc = test::target("rk3588");
  EXPECT_LT(mean_channel_error(golden, after, samples, soc), mean_channel_error(golden, before, samples, soc) / 3);
}

TEST(BiasCorrection, ChangesBiasesAlone) {
  const Graph golden = parse_graph(kFourLayers);
  Dice dice(3);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 4, 0, 1);
  const auto before = test::constants_of(test::corrected(golden, samples, {}));
  const auto after = test::constants_of(test::corrected(golden, samples, {.bias_correction = true}));
  for (const auto& [name, bytes] : before) EXPECT_EQ(bytes != after.at(name), name[0] == 'b') << name;
  EXPECT_EQ(after.size(), before.size() + 2) << "layers without a bias get one";
}

TEST(BiasCorrection, SixteenBitBiasesHaveSixtyFourBits) {
  const Graph golden = parse_graph(kFourLayers);
  Dice dice(3);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 2, 0, 1);
  const Graph graph = test::corrected(golden, samples, {.scheme = Scheme::W16A16I, .bias_correction = true});
  EXPECT_EQ(test::value_of(graph, "b0").dtype, DType::Int64);
}

TEST(BiasCorrection, ABiasThatTwoLayersShareBecomesTwo) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,8,6,6]
%w0 : f32[8,8,3,3] = random(1)
%w1 : f32[8,8,3,3] = random(2)
%b : f32[8] = random(3)
%y0 = Conv(%x, %w0, %b)
%y1 = Conv(%x, %w1, %b)
output %y0
output %y1
)");
  Dice dice(3);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 2, 0, 1);
  for (const Scheme scheme : {Scheme::W8A8, Scheme::W8A16}) {
    const Graph graph = test::corrected(golden, samples, {.scheme = scheme, .bias_correction = true});
    const ValueId first = test::producer_of(graph, "y0").inputs[2], second = test::producer_of(graph, "y1").inputs[2];
    EXPECT_NE(first, second);
    EXPECT_FALSE(identical(*graph[first].constant, *graph[second].constant));
  }
}

TEST(BiasCorrection, NeitherThreadsNorTheOrderOfSamplesShows) {
  const Graph golden = parse_graph(kFourLayers);
  Dice dice(3);
  std::vector<std::vector<Tensor>> list;
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 9, 0, 1);
  for (const int64_t i : {4, 8, 0, 2, 6, 1, 7, 3, 5}) list.push_back(samples.get(i));
  const test::MemorySamples shuffled(std::move(list));
  for (const Scheme scheme : {Scheme::W8A8, Scheme::W4A16}) {
    const auto wanted =
        test::constants_of(test::corrected(golden, samples, {.scheme = scheme, .bias_correction = true}));
    for (const int threads : {1, 2, 4}) {
      const Graph graph = test::corrected(golden, threads == 1 ? shuffled : samples,
                                          {.scheme = scheme, .bias_correction = true, .threads = threads});
      EXPECT_EQ(test::constants_of(graph), wanted) << threads;
    }
  }
}

}  // namespace
}  // namespace openrknn
