// Whole networks: from samples to integers, against the float graph.
#include "support.h"

namespace openrknn {
namespace {

using test::Dice;

constexpr std::string_view kResidualNet = R"(ir 1
input %x : f32[1,3,24,24]
%w0 : f32[16,3,3,3] = random(1)
%b0 : f32[16] = random(2)
%c0 = Conv(%x, %w0, %b0) {activation="Relu", strides=[2,2], pads=[1,1,1,1]}
%w1 : f32[16,16,3,3] = random(3)
%c1 = Conv(%c0, %w1) {activation="Relu", pads=[1,1,1,1]}
%w2 : f32[16,16,3,3] = random(4)
%c2 = Conv(%c1, %w2) {pads=[1,1,1,1]}
%a = Add(%c2, %c0) {activation="Relu"}
%m = MaxPool(%a) {kernel_shape=[2,2], strides=[2,2]}
%w3 : f32[32,16,1,1] = random(5)
%c3 = Conv(%m, %w3) {activation="SiLU"}
%g = GlobalAveragePool(%c3)
%f = Reshape(%g) {shape=[1,32]}
%w4 : f32[32,10] = random(6)
%y = MatMul(%f, %w4)
output %y
output %c3
)";

constexpr std::string_view kInvertedNet = R"(ir 1
input %x : f32[1,3,24,24]
%w0 : f32[16,3,3,3] = random(1)
%c0 = Conv(%x, %w0) {activation="Clip", activation_min=0.0, activation_max=6.0, strides=[2,2], pads=[1,1,1,1]}
%w1 : f32[48,16,1,1] = random(3)
%c1 = Conv(%c0, %w1) {activation="Clip", activation_min=0.0, activation_max=6.0}
%w2 : f32[48,1,3,3] = random(4)
%c2 = Conv(%c1, %w2) {activation="HardSwish", group=48, pads=[1,1,1,1]}
%s = GlobalAveragePool(%c2)
%ws : f32[48,48,1,1] = random(7)
%sg = Conv(%s, %ws) {activation="HardSigmoid", activation_alpha=0.1666667, activation_beta=0.5}
%e = Mul(%c2, %sg)
%w3 : f32[16,48,1,1] = random(5)
%c3 = Conv(%e, %w3)
%a = Add(%c3, %c0)
%u = Resize(%a) {sizes=[1,16,24,24], scales=[1.0,1.0,2.0,2.0], mode="linear", coordinate_transformation_mode="half_pixel"}
%k = Concat(%u, %x) {axis=1}
%w4 : f32[4,19,1,1] = random(6)
%y = Conv(%k, %w4)
output %y
)";

double network_sqnr(std::string_view text, const test::Built& b, const std::vector<Tensor>& input) {
  return test::sqnr_db(test::run_real(parse_graph(text), input)[0], test::run_real(b.quantized, input)[0]);
}

TEST(EndToEnd, Int8StaysCloseToFloat) {
  for (const std::string_view text : {kResidualNet, kInvertedNet}) {
    Graph golden = parse_graph(text);
    Dice dice(21);
    const test::MemorySamples samples = test::uniform_samples(golden, dice, 8);
    const test::Built b = test::build(std::move(golden), samples);
    const double db = network_sqnr(text, b, samples.get(3));
    EXPECT_GT(db, 30) << to_text(b.quantized);
  }
}

TEST(EndToEnd, IdealIsNoMagic) {  // the integers cost little against one rounding a node
  Graph golden = parse_graph(kResidualNet);
  Dice dice(22);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 8);
  const test::Built b = test::build(golden, samples);
  const std::vector<Tensor> input = samples.get(2);
  const auto exact = test::run_real(golden, input);
  const double fixed = test::sqnr_db(exact[1], test::run_real(b.quantized, input)[1]);
  const double ideal = test::sqnr_db(exact[1], test::run_real(b.quantized, input, true)[1]);
  EXPECT_GT(fixed, ideal - 0.5);
}

TEST(EndToEnd, Float16BuildIsMuchCloser) {
  const Graph golden = parse_graph(kInvertedNet);
  Dice dice(23);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 1);
  Graph half = quantize(golden, assign_precision(golden, test::target(), {.quantize = false}), {}, {});
  lower(half, test::target());
  verify(half);
  const std::vector<Tensor> input = samples.get(0);
  EXPECT_GT(test::sqnr_db(test::run_real(golden, input)[0], test::run_real(half, input)[0]), 55);
}

TEST(EndToEnd, WorkersAndOrderDoNotShowInTheParameters) {
  const Graph golden = parse_graph(kInvertedNet);
  Dice dice(24);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 9);
  ThreadPool one(1), three(3);
  const Calibration a = calibrate(golden, samples, one), b = calibrate(golden, samples, three);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, statistics] : a) EXPECT_EQ(statistics.bytes(), b.at(name).bytes()) << name;
  const PrecisionMap precision = assign_precision(golden, test::target(), {});
  Graph first = quantize(golden, precision, a, {}), second = quantize(golden, precision, b, {});
  lower(first, test::target());
  lower(second, test::target());
  std::vector<Tensor> first_data, second_data;
  EXPECT_EQ(to_text(first, {}, &first_data), to_text(second, {}, &second_data));
  ASSERT_EQ(first_data.size(), second_data.size());
  for (size_t i = 0; i < first_data.size(); ++i) EXPECT_TRUE(identical(first_data[i], second_data[i]));
}

TEST(EndToEnd, WhatIsSearchedInParallelIsTheSame) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,4,16,16]
%w : f32[8,4,3,3] = random(1)
%a = Conv(%x, %w) {pads=[1,1,1,1]}
%s = SiLU(%a)
%v : f32[8,8,1,1] = random(2)
%b = Conv(%s, %v)
%n = Neg(%b)
%c = Concat(%s, %b, %n) {axis=1}
%u : f32[4,24,1,1] = random(3)
%d = Conv(%c, %u)
%e = Mul(%s, %b)
output %d
output %e
)");
  Dice dice(25);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 3);
  ThreadPool pool(3);
  const Calibration seen = calibrate(golden, samples, pool, {}, {}, Detail::Histograms);
  const auto text_of = [&](const PrecisionMap& precision, const QuantizeOptions& options, ThreadPool* threads) {
    Graph graph = quantize(golden, precision, seen, options, {}, nullptr, threads);
    std::vector<Tensor> data;
    std::string text = to_text(graph, {}, &data);
    for (const Tensor& tensor : data)
      text.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
    return text;
  };
  for (int algorithm = 0; algorithm < 5; ++algorithm) {
    QuantizeOptions options;
    options.activations.algorithm = static_cast<RangeAlgorithm>(algorithm);
    options.clip_weights = uses_weight_search(options.activations.algorithm);
    const PrecisionMap precision = assign_precision(golden, test::target(), {});
    EXPECT_EQ(text_of(precision, options, nullptr), text_of(precision, options, &pool)) << algorithm;
  }
  const PrecisionMap half = assign_precision(golden, test::target("rk3576"), {.scheme = Scheme::W4A16});
  EXPECT_EQ(text_of(half, options_of(Scheme::W4A16), nullptr), text_of(half, options_of(Scheme::W4A16), &pool));
}

TEST(Calibrate, SeesWhatTheGraphComputes) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,1,2,2]
%two : f32[] = {2}
%y = Mul(%x, %two)
%r = Reshape(%y) {shape=[4]}
%n = Neg(%r)
output %n
)");
  const test::MemorySamples samples(
      {{Tensor::from<float>({1, 1, 2, 2}, {1, 2, 3, 4})}, {Tensor::from<float>({1, 1, 2, 2}, {-5, 0, 0, 1})}});
  ThreadPool pool(2);
  std::vector<int64_t> progress;
  const Calibration c =
      calibrate(golden, samples, pool, [&](std::string_view, int64_t done, int64_t) { progress.push_back(done); });
  EXPECT_EQ(progress, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(c.at("x").lowest, -5.0f);
  EXPECT_EQ(c.at("x").samples, 2);
  EXPECT_EQ(c.at("y").highest, 8.0f);
  EXPECT_EQ(c.at("y").highest_sample, 0);
  EXPECT_EQ(c.at("r"), c.at("y"));
  EXPECT_EQ(c.at("n").lowest, -8.0f);
  EXPECT_EQ(c.at("n").highest, 10.0f);
  EXPECT_EQ(c.at("n").highest_sample, 1);
  EXPECT_FALSE(c.contains("two"));
}

TEST(Calibrate, NamesTheSampleWhoseInputIsNotFinite) {
  const Graph golden = parse_graph("ir 1\ninput %x : f32[2]\n%y = Relu(%x)\noutput %y\n");
  const test::MemorySamples samples(
      {{Tensor::from<float>({2}, {1, 2})}, {Tensor::from<float>({2}, {1, std::nanf("")})}});
  ThreadPool pool(1);
  try {
    calibrate(golden, samples, pool);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::DatasetNotFinite);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "x");
    EXPECT_NE(error.diagnostics[0].problem.find("memory:2"), std::string::npos) << error.what();
  }
}

TEST(Calibrate, NamesTheFirstNodeThatGivesSomethingNotFinite) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[2]
%a = Relu(%x)
%l = Log(%a)
%e = Add(%l, %l)
output %e
)");
  const test::MemorySamples samples({{Tensor::from<float>({2}, {1, 2})}, {Tensor::from<float>({2}, {1, 0})}});
  ThreadPool pool(1);
  try {
    calibrate(golden, samples, pool);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::QuantizeNotFinite);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "l");
    EXPECT_NE(error.diagnostics[0].problem.find("memory:2"), std::string::npos) << error.what();
  }
}

TEST(Calibrate, LeavesIntendedInfinitiesOutOfTheRange) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,1,2,2]
%p = Pad(%x) {pads=[0,0,1,1,0,0,1,1], mode="constant", value=-inf}
%m = MaxPool(%p) {kernel_shape=[3,3]}
output %m
)");
  const test::MemorySamples samples({{Tensor::from<float>({1, 1, 2, 2}, {1, 2, 3, 4})}});
  ThreadPool pool(1);
  const Calibration c = calibrate(golden, samples, pool);
  EXPECT_EQ(c.at("p").not_finite, 12);
  EXPECT_EQ(c.at("p").lowest, 1.0f);
  EXPECT_EQ(c.at("m").not_finite, 0);
}

TEST(Calibrate, RefusesAnEmptyDatasetAndASampleWithTheWrongCount) {
  const Graph golden = parse_graph("ir 1\ninput %x : f32[2]\n%y = Relu(%x)\noutput %y\n");
  ThreadPool pool(1);
  const std::vector<std::vector<Tensor>> none, one_without_arrays(1);
  EXPECT_THROW(calibrate(golden, test::MemorySamples(none), pool), Error);
  EXPECT_THROW(calibrate(golden, test::MemorySamples(one_without_arrays), pool), Error);
}

}  // namespace
}  // namespace openrknn
