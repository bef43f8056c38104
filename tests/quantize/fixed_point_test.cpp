// The stored integers against real arithmetic: whatever the shape and the parameters, the law is at most one code away
// from one rounding of the real result (more only where the op says so).
#include <fmt/format.h>

#include "support.h"

namespace openrknn {
namespace {

using test::Dice;

struct Difference {
  double worst = 0;  // codes
  double mean = 0;
  int64_t count = 0;
};

/// Builds, runs by the stored integers and ideally, and compares output codes.
Difference compare(std::string_view text, uint32_t seed, const Target& soc, Scheme scheme) {
  Graph golden = parse_graph(text);
  Dice dice(seed);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 2, -1, 1);
  const test::Built b = test::build(std::move(golden), samples, options_of(scheme), soc, scheme);
  const std::vector<Tensor> input = samples.get(0);
  const auto fixed = test::run_real(b.quantized, input, false, soc);
  const auto ideal = test::run_real(b.quantized, input, true, soc);
  EXPECT_EQ(test::run_real(b.quantized, input, false, soc, false), fixed) << "a fast kernel has other bits\n" << text;
  Difference difference;
  for (size_t o = 0; o < fixed.size(); ++o) {
    const double scale = b.quantized[b.quantized.outputs[o]].quant->scale[0];
    for (size_t i = 0; i < fixed[o].size(); ++i) {
      const double codes = std::abs(fixed[o][i] - ideal[o][i]) / scale;
      difference.worst = std::max(difference.worst, codes);
      difference.mean += codes;
      ++difference.count;
    }
  }
  difference.mean /= static_cast<double>(std::max<int64_t>(difference.count, 1));
  return difference;
}

struct SchemeSlack {
  Scheme scheme;
  double more;  // codes: see docs/arithmetic.md, Int16
};
constexpr SchemeSlack kSchemeSlacks[] = {{Scheme::W8A8, 0}, {Scheme::W16A16I, 2}, {Scheme::W16A16I_DFP, 1}};

/// Both laws, all integer schemes, many random shapes.
template <class Text>
void expect_close(Text text, int rounds, double worst = 1.001, double mean = 0.05) {
  for (const auto& [scheme, more] : kSchemeSlacks) {
    for (const std::string_view soc : {"rk3588", "rv1106"}) {
      for (int round = 0; round < rounds; ++round) {
        const uint32_t seed = 1000u + static_cast<uint32_t>(round);
        Dice dice(seed);
        const std::string graph = text(dice);
        const Difference d = compare(graph, seed, test::target(soc), scheme);
        SCOPED_TRACE(fmt::format("{} seed {} on {}\n{}", name(scheme), seed, soc, graph));
        ASSERT_LE(d.worst, worst + more);
        ASSERT_TRUE(d.mean <= mean + more / 2 || d.count < 64) << d.mean;
      }
    }
  }
}

constexpr std::string_view kActivations[] = {"",
                                             "activation=\"Relu\"",
                                             "activation=\"Clip\", activation_min=-0.2, activation_max=0.6",
                                             "activation=\"LeakyRelu\", activation_alpha=0.1",
                                             "activation=\"SiLU\"",
                                             "activation=\"Sigmoid\"",
                                             "activation=\"Gelu\"",
                                             "activation=\"HardSwish\"",
                                             "activation=\"Elu\"",
                                             "activation=\"Tanh\""};

std::string_view any_activation(Dice& dice) {
  return kActivations[dice.up_to(static_cast<int64_t>(std::size(kActivations)) - 1)];
}

/// As a further attribute behind others.
std::string also(std::string_view attributes) { return attributes.empty() ? "" : ", " + std::string(attributes); }

TEST(FixedPoint, ConvIsWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        const int64_t group = dice.between(1, 3), in = group * dice.between(1, 4), out = group * dice.between(1, 4);
        const int64_t k = dice.between(1, 3), size = dice.between(3, 9);
        return fmt::format(R"(ir 1
input %x : f32[1,{0},{1},{2}]
%w : f32[{3},{4},{5},{5}] = random(1)
%b : f32[{3}] = random(2)
%y = Conv(%x, %w, %b) {{group={7}, strides=[{8},{8}], pads=[{9},0,{9},1]{6}}}
output %y
)",
                           in, size, dice.between(3, 9), out, in / group, k, also(any_activation(dice)), group,
                           dice.between(1, 2), dice.up_to(1));
      },
      60);
}

TEST(FixedPoint, ConvTransposeIsWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        const int64_t group = dice.between(1, 3), in = group * dice.between(1, 3), out = dice.between(1, 3);
        const int64_t k = dice.between(2, 4), stride = dice.between(1, 2);
        return fmt::format(R"(ir 1
input %x : f32[1,{0},5,4]
%w : f32[{0},{1},{2},{2}] = random(1)
%b : f32[{3}] = random(2)
%y = ConvTranspose(%x, %w, %b) {{group={5}, strides=[{6},{6}], pads=[1,0,1,0]{4}}}
output %y
)",
                           in, out, k, out * group, also(any_activation(dice)), group, stride);
      },
      40);
}

TEST(FixedPoint, MatMulIsWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        const int64_t k = dice.between(1, 40), n = dice.between(1, 20);
        return fmt::format(R"(ir 1
input %x : f32[2,{0},{1}]
input %z : f32[1,{1},{2}]
%w : f32[{1},{2}] = random(1)
%b : f32[{2}] = random(2)
%y = MatMul(%x, %w, %b) {{{3}}}
%d = MatMul(%x, %z)
output %y
output %d
)",
                           dice.between(1, 6), k, n, any_activation(dice));
      },
      40);
}

TEST(FixedPoint, SumsAndProductsAreWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        const char* shape = dice.coin() ? "1,3,5,4" : "1,3,1,1";
        return fmt::format(
            R"(ir 1
input %x : f32[1,3,5,4]
input %z : f32[{0}]
%k : f32[] = {{{1}}}
%zk = Mul(%z, %k)
%a = Add(%x, %zk) {{{2}}}
%s = Sub(%zk, %x)
%m = Mul(%x, %zk)
%h = Max(%x, %zk)
%l = Min(%x, %zk)
output %a
output %s
output %m
output %h
output %l
)",
            shape, std::ldexp(1.0 + static_cast<double>(dice.up_to(100)) / 100, static_cast<int>(dice.between(-6, 6))),
            dice.coin() ? "activation=\"Relu\"" : "");
      },
      40);
}

TEST(FixedPoint, AveragesAreWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        return fmt::format(R"(ir 1
input %x : f32[2,3,{0},{1}]
%a = AveragePool(%x) {{kernel_shape=[3,3], strides=[{2},{2}], pads=[1,1,1,1], count_include_pad={3}, ceil_mode={4}}}
%g = GlobalAveragePool(%x)
%m = ReduceMean(%x) {{axes=[1,3], keepdims=1}}
%s = ReduceSum(%x) {{axes=[2], keepdims=0}}
output %a
output %g
output %m
output %s
)",
                           dice.between(3, 9), dice.between(3, 9), dice.between(1, 2), dice.up_to(1), dice.up_to(1));
      },
      40);
}

TEST(FixedPoint, FunctionsOfOneOperandAreWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        return fmt::format(R"(ir 1
input %x : f32[2,3,4,5]
%slope : f32[3,1,1] = {{0.1, -0.5, 1.75}}
%alpha : f32[1] = {{{0}}}
%p = PRelu(%x, %slope)
%q = PRelu(%x, %alpha)
%n = Neg(%x)
%a = Abs(%x)
%l = LeakyRelu(%x) {{alpha=0.2}}
%s = Sigmoid(%x)
%i = SiLU(%x)
%h = HardSwish(%x)
%e = Selu(%x)
output %p
output %q
output %n
output %a
output %l
output %s
output %i
output %h
output %e
)",
                           static_cast<double>(dice.between(-100, 100)) / 64);
      },
      20);
}

TEST(FixedPoint, LinearResizeIsWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        const std::vector<std::string> modes = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
        const int64_t h = dice.between(1, 7), w = dice.between(1, 7), oh = dice.between(1, 15),
                      ow = dice.between(1, 15);
        return fmt::format(R"(ir 1
input %x : f32[2,3,{0},{1}]
%y = Resize(%x) {{sizes=[2,3,{2},{3}], scales=[1.0,1.0,{4},{5}], mode="linear", coordinate_transformation_mode="{6}"}}
output %y
)",
                           h, w, oh, ow, static_cast<double>(oh) / static_cast<double>(h) + 1e-9,
                           static_cast<double>(ow) / static_cast<double>(w) + 1e-9, dice.pick(modes));
      },
      60, 1.001, 0.4);  // coordinates halfway between two pixels are ties
}

TEST(FixedPoint, BatchNormalizationIsWithinOneCodeOfRealArithmetic) {
  expect_close(
      [](Dice& dice) {
        return fmt::format(R"(ir 1
input %x : f32[1,3,{},4]
%scale : f32[3] = random({})
%bias : f32[3] = random(2)
%mean : f32[3] = random(3)
%variance : f32[3] = {{0.01, 1, 30}}
%y = BatchNormalization(%x, %scale, %bias, %mean, %variance) {{epsilon=0.001}}
output %y
)",
                           dice.between(1, 9), dice.between(5, 50));
      },
      20);
}

// Against the float graph, not only against `ideal`: a wrong weight scale would fool both integer paths alike.
TEST(FixedPoint, LayersStayCloseToTheFloatGraph) {
  for (const QuantizedMethod method : {QuantizedMethod::Channel, QuantizedMethod::Layer}) {
    for (const bool symmetric : {false, true}) {
      const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,8,12,12]
%w : f32[16,8,3,3] = random(1)
%b : f32[16] = random(2)
%c = Conv(%x, %w, %b) {activation="SiLU", pads=[1,1,1,1]}
%dw : f32[16,1,3,3] = random(3)
%d = Conv(%c, %dw) {group=16, activation="Relu"}
%t : f32[16,4,2,2] = random(4)
%u = ConvTranspose(%d, %t) {strides=[2,2]}
output %u
)");
      Dice dice(8);
      const test::MemorySamples samples = test::uniform_samples(golden, dice, 4);
      const test::Built b =
          test::build(golden, samples, {.method = method, .activations = {}, .symmetric_weights = symmetric});
      const std::vector<Tensor> input = samples.get(1);
      const double db = test::sqnr_db(test::run_real(golden, input)[0], test::run_real(b.quantized, input)[0]);
      EXPECT_GT(db, 35) << static_cast<int>(method) << symmetric;
    }
  }
}

}  // namespace
}  // namespace openrknn
