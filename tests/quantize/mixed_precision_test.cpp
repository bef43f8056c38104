// Int8, int16 and float16 layers in one graph: conversions where they meet, integers everywhere, equal bits.
#include <fmt/format.h>

#include <random>

#include "support.h"
namespace openrknn {
namespace {

using test::Dice;
using Kind = PrecisionRule::Kind;

constexpr std::string_view kResidualClassifier = R"(ir 1
input %x : f32[1,3,16,16]
%w0 : f32[8,3,3,3] = random(1)
%b0 : f32[8] = random(2)
%c0 = Conv(%x, %w0, %b0) {activation="Relu", pads=[1,1,1,1]}
%w1 : f32[8,8,3,3] = random(3)
%c1 = Conv(%c0, %w1) {activation="SiLU", pads=[1,1,1,1]}
%c2 = Conv(%c1, %w1) {pads=[1,1,1,1]}
%a = Add(%c2, %c0)
%m = MaxPool(%a) {kernel_shape=[2,2], strides=[2,2]}
%k = Concat(%m, %m) {axis=1}
%g = GlobalAveragePool(%k)
%f = Reshape(%g) {shape=[1,16]}
%w4 : f32[16,10] = random(6)
%h = MatMul(%f, %w4)
%y = Softmax(%h) {axis=1}
output %y
output %h
)";

PrecisionRule rule(std::string tensor, DType dtype) { return {Kind::Tensor, std::move(tensor), dtype}; }

struct Mixed {
  Graph golden, built;
  Calibration calibration;
};
Mixed build(std::string_view text, std::vector<PrecisionRule> rules, const Samples& samples, bool quantized = true) {
  ThreadPool pool(1);
  Mixed mixed{parse_graph(text), {}, {}};
  mixed.calibration = calibrate(mixed.golden, samples, pool);
  const PrecisionMap precision =
      assign_precision(mixed.golden, test::target(), {.quantize = quantized, .rules = std::move(rules)});
  mixed.built = quantize(mixed.golden, precision, mixed.calibration, {});
  lower(mixed.built, test::target());
  verify(mixed.built);
  return mixed;
}
test::MemorySamples samples_for(std::string_view text, uint32_t seed, double range = 1) {
  Dice dice(seed);
  return test::uniform_samples(parse_graph(text), dice, 4, -range, range);
}
void expect_fast_is_reference(const Graph& graph, const Samples& samples) {
  for (int64_t i = 0; i < samples.count(); ++i) {
    const std::vector<Tensor> input = samples.get(i);
    EXPECT_EQ(test::run_real(graph, input), test::run_real(graph, input, false, test::target(), false));
  }
}
double sqnr(const Mixed& mixed, const Samples& samples, size_t output) {
  const std::vector<Tensor> input = samples.get(1);
  return test::sqnr_db(test::run_real(mixed.golden, input)[output], test::run_real(mixed.built, input)[output]);
}

TEST(MixedPrecision, AnInt16LayerStandsBetweenConversionsAndHasInt16Weights) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 1);
  const Graph built = build(kResidualClassifier, {rule("c1", DType::Int16)}, samples).built;
  EXPECT_EQ(test::value_of(built, "c0").dtype, DType::Int8);
  const Node& layer = test::producer_of(built, "c1");
  EXPECT_EQ(built[layer.inputs[0]].name, "c0__int16");
  EXPECT_EQ(built[layer.inputs[1]].dtype, DType::Int16);
  EXPECT_EQ(test::value_of(built, "c1").dtype, DType::Int16);
  EXPECT_EQ(built[test::producer_of(built, "c2").inputs[0]].name, "c1__int8");
  EXPECT_TRUE(test::producer_of(built, "c0__int16").fixed.has_value());
  // One constant serves layers of both types, each in its own form.
  EXPECT_EQ(built[test::producer_of(built, "c2").inputs[1]].dtype, DType::Int8);
}

TEST(MixedPrecision, Int16LayersGiveInt16Accuracy) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 2);
  const PrecisionRule everything{Kind::Glob, "*", DType::Int16};
  const double narrow = sqnr(build(kResidualClassifier, {}, samples), samples, 1);
  const Mixed wide = build(kResidualClassifier, {everything}, samples);
  EXPECT_GT(narrow, 20);
  EXPECT_LT(narrow, 50);
  EXPECT_GT(sqnr(wide, samples, 1), 60);
  for (const NodeId id : wide.built.order()) EXPECT_NE(wide.built[wide.built[id].outputs[0]].dtype, DType::Int8);
}

// Every layer in turn, and pairs of neighbours in different types.
TEST(MixedPrecision, FastKernelsGiveTheBitsOfTheReference) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 3);
  for (const char* layer : {"c0", "c1", "c2", "a", "m", "k", "g", "f", "h", "y"}) {
    SCOPED_TRACE(layer);
    expect_fast_is_reference(build(kResidualClassifier, {rule(layer, DType::Int16)}, samples).built, samples);
    expect_fast_is_reference(
        build(kResidualClassifier, {rule(layer, DType::Int16), rule("c2", DType::Float16), rule("a", DType::Int8)},
              samples)
            .built,
        samples);
  }
}

TEST(MixedPrecision, RandomAssignmentsAreValidAndAccurate) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  const test::MemorySamples samples = samples_for(kResidualClassifier, 4);
  Dice dice(seed);
  for (int round = 0; round < 20; ++round) {
    std::vector<PrecisionRule> rules;
    for (const char* layer : {"c0", "c1", "c2", "a", "m", "k", "g", "f", "h", "y"}) {
      rules.push_back(rule(layer, dice.pick<DType>({DType::Int8, DType::Int16, DType::Float16})));
    }
    std::string shown;
    for (const PrecisionRule& r : rules) shown += fmt::format("{}={} ", r.pattern, numpy_name(r.dtype));
    SCOPED_TRACE(shown);
    const Mixed mixed = build(kResidualClassifier, rules, samples);
    EXPECT_GT(sqnr(mixed, samples, 1), 20);
    expect_fast_is_reference(mixed.built, samples);
    for (const PrecisionRule& r : rules) EXPECT_EQ(test::value_of(mixed.built, r.pattern).dtype, r.dtype);
  }
}

TEST(MixedPrecision, ClassesDoNotMixTypes) {
  constexpr std::string_view kShared = R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = random(1)
%c = Conv(%x, %w)
%p = MaxPool(%c) {kernel_shape=[2,2]}
%q = MaxPool(%c) {kernel_shape=[3,3]}
output %p
output %q
)";
  const test::MemorySamples samples = samples_for(kShared, 5);
  const Graph built = build(kShared, {rule("q", DType::Int16)}, samples).built;
  EXPECT_EQ(test::value_of(built, "p").quant, test::value_of(built, "c").quant);
  EXPECT_EQ(test::value_of(built, "q").quant, test::value_of(built, "c__int16").quant);
  EXPECT_LT(test::value_of(built, "q").quant->scale[0], test::value_of(built, "p").quant->scale[0] / 200);
}

TEST(MixedPrecision, AnInputThatInt16ReadsIsInt16) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 6);
  EXPECT_EQ(test::value_of(build(kResidualClassifier, {rule("c0", DType::Int16)}, samples).built, "x").dtype,
            DType::Int16);
}

TEST(MixedPrecision, AFloat16BuildTakesIntegerLayers) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 7);
  const Mixed mixed = build(kResidualClassifier, {rule("c1", DType::Int16), rule("c2", DType::Int8)}, samples, false);
  EXPECT_EQ(test::value_of(mixed.built, "c0").dtype, DType::Float16);
  EXPECT_EQ(test::value_of(mixed.built, "c1").dtype, DType::Int16);
  EXPECT_EQ(test::value_of(mixed.built, "c2").dtype, DType::Int8);
  EXPECT_EQ(test::value_of(mixed.built, "a").dtype, DType::Float16);
  EXPECT_GT(sqnr(mixed, samples, 1), 30);
}

TEST(MixedPrecision, CheapArithmeticBetweenInt16LayersIsInt16) {
  const test::MemorySamples samples = samples_for(kResidualClassifier, 8);
  const Graph built =
      build(kResidualClassifier, {rule("c0", DType::Int16), rule("c2", DType::Int16), rule("g", DType::Int16)}, samples)
          .built;
  for (const char* tensor : {"a", "m", "k"}) EXPECT_EQ(test::value_of(built, tensor).dtype, DType::Int16) << tensor;
}

}  // namespace
}  // namespace openrknn
