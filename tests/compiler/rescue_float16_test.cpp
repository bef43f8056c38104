// Float16 rescue: everything fits afterwards, the function stays to the bit, and what cannot be mended is named.
#include "compiler/correction_support.h"

namespace openrknn {
namespace {

using corrections::rescue_float16;
using test::Observed;
using test::samples_for;

/// A residual stream that grows beyond 65504, as deep networks without a normalisation in it have them.
constexpr std::string_view kResidual = R"(ir 1
input %x : f32[1,8,6,6]
%w0 : f32[8,8,1,1] = random(1)
%b0 : f32[8] = fill(90000.0)
%s = Conv(%x, %w0, %b0) {activation="Relu"}
%w1 : f32[8,8,3,3] = random(2)
%c = Conv(%s, %w1) {pads=[1,1,1,1], activation="Relu"}
%a = Add(%s, %c)
%p = MaxPool(%a) {kernel_shape=[2,2], strides=[2,2]}
%f = Reshape(%p) {shape=[1,72]}
%k : f32[72] = random(4)
%m = Mul(%f, %k)
%w2 : f32[72,5] = random(3)
%t : f32[72,5] = fill(0.000001)
%e = MatMul(%m, %t)
%l : f32[1,72] = random(9)
%n = Add(%m, %l)
%z = MatMul(%n, %t)
output %e
output %z
)";

/// The float16 build of the graph, over samples; the worst SQNR in dB of any output.
double float16_sqnr(const Graph& golden, const Graph& reference, const test::MemorySamples& samples) {
  const PrecisionMap precision = assign_precision(golden, test::target(), {.quantize = false});
  Graph half = quantize(golden, precision, {}, {});
  lower(half, test::target());
  double worst = 200;
  for (int64_t s = 0; s < samples.count(); ++s) {
    const auto expected = test::run_real(reference, samples.get(s)), got = test::run_real(half, samples.get(s));
    for (size_t o = 0; o < got.size(); ++o) {
      const double one = test::sqnr_db(expected[o], got[o]);
      worst = std::isfinite(one) ? std::min(worst, one) : -std::numeric_limits<double>::infinity();
    }
  }
  return worst;
}

TEST(RescueFloat16, BringsAnOverflowingStreamIntoRange) {
  const Graph before = parse_graph(kResidual);
  Graph after = before;
  Observed seen(samples_for(before, 1));
  EXPECT_TRUE(rescue_float16(after, seen.context));
  verify(after);
  EXPECT_LT(float16_sqnr(before, before, seen.samples), 0) << "infinite before";
  EXPECT_GT(float16_sqnr(after, before, samples_for(before, 2)), 50);
  std::string notes;
  for (const std::string& line : seen.notes) notes += line + "\n";
  EXPECT_NE(notes.find("rescue_float16: a reached"), std::string::npos) << notes;
}

TEST(RescueFloat16, KeepsEveryBitOfTheFloatFunction) {
  const Graph before = parse_graph(kResidual);
  Graph after = before;
  Observed seen(samples_for(before, 1));
  rescue_float16(after, seen.context);
  test::expect_same_function(before, after, samples_for(before, 3), 0);
}

TEST(RescueFloat16, ReportsNothingWhereEverythingFits) {
  Graph graph =
      parse_graph("ir 1\ninput %x : f32[1,4,4,4]\n%w : f32[4,4,1,1] = random(1)\n%y = Conv(%x, %w)\noutput %y\n");
  const std::string text = to_text(graph);
  Observed seen(samples_for(graph, 1));
  EXPECT_FALSE(rescue_float16(graph, seen.context));
  EXPECT_EQ(to_text(graph), text);
  EXPECT_TRUE(seen.notes.empty());
}

TEST(RescueFloat16, MovesLargeWeightsWithoutSamples) {
  const Graph before = parse_graph(
      "ir 1\ninput %x : f32[1,2,4,4]\n%w : f32[2,2,1,1] = {400000.0, 1.0, -3.0, 5.0}\n%a = Conv(%x, %w) "
      "{activation=\"Relu\"}\n%v : f32[1,2,1,1] = {0.001, 0.002}\n%y = Conv(%a, %v)\noutput %y\n");
  Graph after = before;
  std::vector<std::string> warnings;
  const CorrectionContext context{.warn = [&](std::string_view line) { warnings.emplace_back(line); }};
  EXPECT_TRUE(rescue_float16(after, context));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("without a dataset"), std::string::npos);
  for (const NodeId id : after.order()) {
    for (const double w : to_doubles(*after[after[id].inputs[1]].constant)) EXPECT_LE(std::abs(w), 65504);
  }
  test::expect_same_function(before, after, samples_for(before, 4, 0, 0.001), 0);
}

TEST(RescueFloat16, MakesRoomBeforeAnOutputByLargerActivations) {
  const Graph before = parse_graph(
      "ir 1\ninput %x : f32[1,2,4,4]\n%w : f32[2,2,1,1] = {0.001, 0.002, 0.003, 0.001}\n%a = Conv(%x, %w) "
      "{activation=\"Relu\"}\n%v : f32[1,2,1,1] = {200000.0, 90000.0}\n%y = Conv(%a, %v)\noutput %y\n");
  Graph after = before;
  Observed seen(samples_for(before, 5));
  EXPECT_TRUE(rescue_float16(after, seen.context));
  for (const NodeId id : after.order()) {
    for (const double w : to_doubles(*after[after[id].inputs[1]].constant)) EXPECT_LE(std::abs(w), 65504);
  }
  test::expect_same_function(before, after, seen.samples, 0);
}

TEST(RescueFloat16, PassesNormalisationsByTheirEpsilon) {
  const Graph before = parse_graph(R"(ir 1
input %x : f32[1,6,16]
%k : f32[16] = fill(200000.0)
%m = Mul(%x, %k)
%g : f32[16] = random(1)
%n = LayerNormalization(%m, %g) {axis=2, epsilon=5000000000.0}
%w : f32[16,4] = random(2)
%y = MatMul(%n, %w)
output %y
)");
  Graph after = before;
  Observed seen(samples_for(before, 6));
  EXPECT_TRUE(rescue_float16(after, seen.context));
  verify(after);
  test::expect_same_function(before, after, seen.samples, 1e-6);
  EXPECT_GT(float16_sqnr(after, before, seen.samples), 50);
}

TEST(RescueFloat16, ScalesBoundsAlong) {
  const Graph before = parse_graph(
      "ir 1\ninput %x : f32[1,2,4,4]\n%w : f32[2,2,1,1] = {200000.0, 1.0, -3.0, 5.0}\n%a = Conv(%x, %w) "
      "{activation=\"Clip\", activation_min=0.0, activation_max=100000.0}\n%c = Clip(%a) {max=90000.0}\n"
      "%v : f32[1,2,1,1] = {0.001, 0.002}\n%y = Conv(%c, %v)\noutput %y\n");
  Graph after = before;
  Observed seen(samples_for(before, 7));
  EXPECT_TRUE(rescue_float16(after, seen.context));
  test::expect_same_function(before, after, seen.samples, 0);
}

TEST(RescueFloat16, NamesWhatCannotBeMended) {
  const std::string start =
      "ir 1\ninput %x : f32[1,2,4,4]\n%w : f32[2,2,1,1] = {300000.0, 1.0, 2.0, 3.0}\n%big = Conv(%x, %w)\n"
      "%v : f32[2,2,1,1] = random(1)\n";
  const struct {
    std::string text, tensor, reason;
  } cases[] = {
      {start + "output %big\n", "big", "'big' is an output of the model"},
      {start + "%s = Sigmoid(%big)\n%y = Conv(%s, %v)\noutput %y\n", "big", "(Sigmoid) reads 'big'"},
      {start + "%s = Mul(%big, %big)\n%y = Conv(%s, %v)\noutput %y\n", "s", "(Mul)"},
  };
  for (const auto& [text, tensor, reason] : cases) {
    Graph graph = parse_graph(text);
    Observed seen(samples_for(graph, 8));
    try {
      rescue_float16(graph, seen.context);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.diagnostics[0].code, Code::QuantizeHalfOverflow);
      std::string all;
      for (const Diagnostic& one : error.diagnostics) all += to_string(one) + "\n";
      EXPECT_NE(all.find(reason), std::string::npos) << all;
      EXPECT_NE(all.find("'" + tensor + "'"), std::string::npos) << all;
      EXPECT_NE(all.find("do_quantization=True"), std::string::npos) << all;
    }
  }
}

TEST(RescueFloat16, TakesMasksForInfinitelyFar) {
  Graph graph = parse_graph(
      "ir 1\ninput %x : f32[1,4,4]\n%mask : f32[4] = {0.0, -1000000000.0, 0.0, 0.0}\n%m = Add(%x, %mask)\n"
      "%y = Softmax(%m) {axis=2}\noutput %y\n");
  Observed seen(samples_for(graph, 9));
  EXPECT_FALSE(rescue_float16(graph, seen.context));
}

}  // namespace
}  // namespace openrknn
