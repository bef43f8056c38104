// Fast Conv, ConvTranspose and depthwise rows against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Bound;
using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct ConvShape {
  int64_t n, h, w, c, oc, kh, kw, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0, bottom = 0, right = 0, groups = 1;
};
std::ostream& operator<<(std::ostream& out, const ConvShape& s) {
  return out << "x[" << s.n << ',' << s.h << ',' << s.w << ',' << s.c << "] oc " << s.oc << " k " << s.kh << 'x' << s.kw
             << " s " << s.sh << 'x' << s.sw << " d " << s.dh << 'x' << s.dw << " pads " << s.top << ',' << s.left
             << ',' << s.bottom << ',' << s.right << " g " << s.groups;
}

// Tails in every direction: rows (pixels), columns (output channels), depth (input channels, taps).
const ConvShape kConvShapes[] = {
    {1, 9, 11, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 7, 7, 32, 48, 1, 1},
    {1, 13, 9, 24, 17, 1, 1, 2, 2},
    {1, 23, 21, 3, 16, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3},
    {2, 10, 12, 3, 33, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1},
    {1, 8, 8, 1, 5, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2},
    {1, 12, 10, 5, 1, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2},
    {1, 6, 30, 19, 70, 3, 1, 1, 1, 1, 1, 2, 0, 1, 0},
    {1, 5, 40, 8, 31, 1, 5, 1, 3, 1, 2, 0, 4, 0, 3},
    {1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 20, 1, 7, 9, 3, 1, 1, 1, 1, 1, 1, 0, 1, 0},
    {3, 4, 4, 130, 129, 2, 2},
    {1, 9, 9, 12, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {2, 9, 7, 64, 32, 3, 3, 2, 1, 1, 1, 1, 1, 0, 2, 2},
    {1, 6, 6, 6, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6},  // channel multiplier 3
    {1, 3, 3, 4, 4, 5, 5, 1, 1, 1, 1, 4, 4, 4, 4},      // whole windows in the padding
    {1, 40, 41, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},    // more rows than a tile
};
const ConvShape kDepthwise[] = {
    {1, 12, 15, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32},   {2, 9, 20, 17, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 17},
    {1, 7, 7, 144, 144, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 144},  {1, 11, 30, 5, 5, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3, 5},
    {1, 1, 50, 24, 24, 1, 7, 1, 1, 1, 1, 0, 6, 0, 0, 24},    {1, 2, 2, 40, 40, 3, 3, 1, 1, 1, 1, 2, 2, 2, 2, 40},
    {1, 30, 40, 64, 64, 3, 3, 2, 1, 1, 1, 0, 1, 1, 0, 64},   {1, 5, 3, 2, 2, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 2},
    {1, 6, 60, 130, 130, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 130},  // lines in parts, channels in blocks
    {1, 9, 103, 70, 70, 5, 5, 2, 2, 1, 1, 2, 1, 1, 2, 70},
};
const char* const kActivations[] = {"",     "Relu", "Clip", "LeakyRelu", "SiLU",     "HardSwish",  "Sigmoid",
                                    "Tanh", "Gelu", "Mish", "Elu",       "Softplus", "HardSigmoid"};

Shape output_of(const ConvShape& s) {
  const int64_t oh = (s.h + s.top + s.bottom - (s.kh - 1) * s.dh - 1) / s.sh + 1;
  const int64_t ow = (s.w + s.left + s.right - (s.kw - 1) * s.dw - 1) / s.sw + 1;
  return {s.n, oh, ow, s.oc};
}

Node conv_node(const ConvShape& s, const std::string& activation, const char* op = "Conv") {
  Node node;
  node.name = node.op = op;
  node.attributes["strides"] = std::vector<int64_t>{s.sh, s.sw};
  node.attributes["dilations"] = std::vector<int64_t>{s.dh, s.dw};
  node.attributes["pads"] = std::vector<int64_t>{s.top, s.left, s.bottom, s.right};
  node.attributes["kernel_shape"] = std::vector<int64_t>{s.kh, s.kw};
  node.attributes["group"] = s.groups;
  if (!activation.empty()) node.attributes["activation"] = activation;
  if (activation == "Clip") {
    node.attributes["activation_min"] = -0.5;
    node.attributes["activation_max"] = 0.75;
  }
  return node;
}

std::string describe(const ConvShape& s, const std::string& rest) {
  std::ostringstream text;
  text << s << ' ' << rest;
  return text.str();
}

Case float_case(const ConvShape& s, DType dtype, const std::string& activation, bool bias, uint32_t seed) {
  Random random(seed);
  Case c;
  c.text = describe(s, std::string(name(dtype)) + " " + activation + " seed " + std::to_string(seed));
  c.node = conv_node(s, activation);
  c.inputs = {random.reals(dtype, {s.n, s.h, s.w, s.c}), random.reals(dtype, {s.oc, s.c / s.groups, s.kh, s.kw}, 0.5f)};
  if (bias) c.inputs.push_back(random.reals(DType::Float32, {s.oc}));
  c.constant = {false, true, true};
  c.layout = Layout::ChannelsLast;
  c.output = dtype;
  c.output_shape = output_of(s);
  return c;
}

enum class ZeroPoints { None, Layer, Channel };

/// Scales are chosen so that outputs fill the range and some saturate.
Case conv_code_case(const ConvShape& s, const std::string& activation, ZeroPoints zero_points, const Law& law,
                    uint32_t seed) {
  Random random(seed);
  Case c;
  c.text = describe(s, "i8 " + activation + " law " + std::string(law.family) + " seed " + std::to_string(seed));
  c.node = conv_node(s, activation);
  const int64_t depth = s.kh * s.kw * s.c / s.groups;
  const double factor = 60.0 / (std::sqrt(static_cast<double>(depth)) * 74 * 74);
  FixedPoint fixed;
  QuantParams w;
  for (int64_t i = 0; i < s.oc; ++i) {
    fixed.channel.push_back(static_cast<uint16_t>(i % 7 == 3 ? random.integer(1, 32767) : random.integer(6000, 16384)));
    w.scale.push_back(0.01);
    w.zero_point.push_back(zero_points == ZeroPoints::None ? 0 : static_cast<int32_t>(random.integer(-128, 127)));
  }
  w.axis = 0;
  if (zero_points != ZeroPoints::Channel) {
    w.scale.resize(1);
    w.zero_point.resize(1);
    w.axis = -1;
  }
  const bool curved = !activation.empty() && activation != "Relu" && activation != "Clip" && activation != "LeakyRelu";
  int exponent = 0;
  const double mantissa = std::frexp(curved ? factor * 200 : factor, &exponent);
  fixed.scale.push_back({static_cast<int32_t>(mantissa * 32767), 15 - exponent});
  fixed.slope = {1638};
  fixed.low = activation == "Relu" ? -20 : -128;
  fixed.high = activation == "Clip" ? 100 : 127;
  c.node.fixed = fixed;
  Tensor bias(DType::Int32, {s.oc});
  for (int32_t& v : bias.mutable_values<int32_t>()) v = static_cast<int32_t>(random.integer(-200000, 200000));
  c.inputs = {random.codes({s.n, s.h, s.w, s.c}), random.codes({s.oc, s.c / s.groups, s.kh, s.kw}), bias};
  c.constant = {false, true, true, true};
  c.quants = {{{0.02}, {static_cast<int32_t>(random.integer(-128, 127))}}, w, {}};
  if (curved) {
    Tensor table(DType::Int16, {513});
    int32_t value = -16000;
    for (int16_t& v : table.mutable_values<int16_t>()) {
      value += static_cast<int32_t>(random.integer(-20, 90));
      v = static_cast<int16_t>(std::clamp(value, -32768, 32767));
    }
    c.inputs.push_back(table);
    c.quants.push_back({});
  }
  c.quants.push_back({{0.05}, {static_cast<int32_t>(random.integer(-128, 127))}});
  c.layout = Layout::ChannelsLast;
  c.output = DType::Int8;
  c.output_shape = output_of(s);
  c.law = &law;
  return c;
}

TEST(FastConv, Float32EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const ConvShape& s : kConvShapes) {
    EXPECT_GE(judge(float_case(s, DType::Float32, "", false, seed++)), 1);
    EXPECT_GE(judge(float_case(s, DType::Float32, "Relu", true, seed++)), 1);
  }
}
TEST(FastConv, Float16EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 100;
  for (const ConvShape& s : kConvShapes) {
    EXPECT_GE(judge(float_case(s, DType::Float16, seed % 2 ? "" : "SiLU", true, seed)), 1);
    ++seed;
  }
}
TEST(FastConv, EveryFusedActivationEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 200;
  for (const char* activation : kActivations) {
    EXPECT_GE(judge(float_case(kConvShapes[0], DType::Float32, activation, true, seed++)), 1);
    EXPECT_GE(judge(float_case(kConvShapes[2], DType::Float16, activation, true, seed++)), 1);
    EXPECT_GE(judge(float_case(kDepthwise[1], DType::Float32, activation, true, seed++)), 1);
    EXPECT_GE(judge(float_case(kDepthwise[1], DType::Float16, activation, true, seed++)), 1);
  }
}
TEST(FastConv, DepthwiseEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 300;
  for (const ConvShape& s : kDepthwise) {
    EXPECT_GE(judge(float_case(s, DType::Float32, "", false, seed++)), 1);
    EXPECT_GE(judge(float_case(s, DType::Float16, "Clip", true, seed++)), 1);
    for (const Law& law : all_laws()) {
      EXPECT_GE(judge(conv_code_case(s, "", ZeroPoints::Channel, law, seed++)), 1);  // centered weights of nine bits
      EXPECT_GE(judge(conv_code_case(s, "", ZeroPoints::None, law, seed++)), 1);     // of eight
    }
  }
}
TEST(FastConv, Int8EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 400;
  for (const ConvShape& s : kConvShapes) {
    for (const Law& law : all_laws()) {
      for (const ZeroPoints zero_points : {ZeroPoints::None, ZeroPoints::Layer, ZeroPoints::Channel}) {
        EXPECT_GE(judge(conv_code_case(s, "", zero_points, law, seed++)), 1);
      }
    }
  }
}
TEST(FastConv, EveryInt8ActivationEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 600;
  for (const char* activation : kActivations) {
    for (const Law& law : all_laws()) {
      EXPECT_GE(judge(conv_code_case(kConvShapes[0], activation, ZeroPoints::Channel, law, seed++)), 1);
      EXPECT_GE(judge(conv_code_case(kConvShapes[5], activation, ZeroPoints::Channel, law, seed++)), 1);  // few columns
      EXPECT_GE(judge(conv_code_case(kConvShapes[2], activation, ZeroPoints::Channel, law, seed++)), 1);  // 17 columns
      EXPECT_GE(judge(conv_code_case(kConvShapes[3], activation, ZeroPoints::Channel, law, seed++)),
                1);  // one vector of them
      EXPECT_GE(judge(conv_code_case(kDepthwise[0], activation, ZeroPoints::Channel, law, seed++)), 1);
      EXPECT_GE(judge(conv_code_case(kDepthwise[1], activation, ZeroPoints::Channel, law, seed++)), 1);
    }
  }
}
// The output stage runs in floats where every step is exact or saturates, in doubles elsewhere: sums of every size meet
// scales of every size, so that both happen, and so do ties.
TEST(FastConv, SumsOfEverySizeEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  const ConvShape pixels{1, 5, 7, 2, 64, 1, 1}, depthwise{1, 4, 6, 64, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 64};
  for (uint32_t seed = 2000; seed < 2400; ++seed) {
    Random random(seed);
    const char* const activation = kActivations[random.integer(0, 4)];
    Case c = conv_code_case(
        seed % 3 == 0 ? depthwise : pixels, activation, ZeroPoints::Channel,
        all_laws()[static_cast<size_t>(random.integer(0, static_cast<int64_t>(all_laws().size()) - 1))], seed);
    const int64_t largest = (int64_t{1} << random.integer(4, 31)) - 200000;
    for (int32_t& bias : c.inputs[2].mutable_values<int32_t>()) {
      const int64_t size = largest <= 0 ? 1000 : largest >> random.integer(0, 12);
      bias = static_cast<int32_t>(random.integer(-size, size));
    }
    c.node.fixed->scale[0] = {static_cast<int32_t>(random.integer(1 << 14, (1 << 15) - 1)),
                              static_cast<int32_t>(random.integer(8, 31))};
    for (auto& channel : c.node.fixed->channel) {
      if (random.integer(0, 3) == 0) channel = static_cast<uint16_t>(1 << random.integer(0, 14));
    }
    EXPECT_GE(judge(c), 1) << "seed " << seed;
  }
}
TEST(FastConv, LongSumsWithSmallScalesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  for (const int shift : {20, 26, 31}) {
    Case c = conv_code_case({1, 4, 4, 500, 40, 3, 3}, "", ZeroPoints::Channel, all_laws()[0], 2500);
    c.quants[0].zero_point = {-128};
    c.node.fixed->scale[0] = {20000, shift};
    EXPECT_GE(judge(c), 1) << shift;
  }
}
TEST(FastConv, LeavesAccumulatorsThatCouldOverflowToTheReference) {
  const ConvShape large{1, 1, 1, 40000, 1, 1, 1};
  EXPECT_EQ(judge(conv_code_case(large, "", ZeroPoints::Channel, all_laws()[0], 1)), 0);
}
// Kernels shorter than, equal to and longer than the stride, phases of different lengths, dilations, groups, tails.
const ConvShape kTransposed[] = {{1, 5, 6, 16, 24, 2, 2, 2, 2},
                                 {1, 7, 5, 9, 17, 4, 4, 2, 2, 1, 1, 1, 1, 1, 1},
                                 {2, 4, 4, 8, 6, 3, 3, 2, 1, 1, 2, 1, 0, 0, 1, 2},
                                 {1, 4, 3, 5, 4, 1, 1, 3, 3},
                                 {1, 6, 6, 12, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 12},
                                 {2, 21, 19, 24, 1, 2, 2, 2, 2},
                                 {1, 9, 40, 33, 40, 2, 3, 2, 3},
                                 {1, 6, 11, 10, 7, 3, 4, 1, 4, 1, 1, 1, 0, 1, 0},
                                 {1, 5, 7, 6, 4, 5, 2, 3, 4, 2, 1, 2, 1, 3, 0},
                                 {1, 1, 30, 40, 35, 1, 4, 1, 2, 1, 1, 0, 1, 0, 1}};

/// The same operands, read backwards.
Case transposed(Case c, const ConvShape& s, uint32_t seed) {
  Random random(seed);
  c.node.op = "ConvTranspose";
  const Shape weights{s.c, s.oc / s.groups, s.kh, s.kw};
  const DType dtype = c.inputs[1].dtype();
  c.inputs[1] = dtype == DType::Int8 ? random.codes(weights) : random.reals(dtype, weights);
  if (dtype == DType::Int8 && c.quants[1].axis == 0) {  // per channel of a group
    c.quants[1].axis = 1;
    c.quants[1].scale.resize(static_cast<size_t>(s.oc / s.groups));
    c.quants[1].zero_point.resize(static_cast<size_t>(s.oc / s.groups));
  }
  const int64_t oh = (s.h - 1) * s.sh + (s.kh - 1) * s.dh + 1 - s.top - s.bottom;
  const int64_t ow = (s.w - 1) * s.sw + (s.kw - 1) * s.dw + 1 - s.left - s.right;
  c.output_shape = {s.n, oh, ow, s.oc};
  return c;
}

TEST(FastConv, TransposedEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 700;
  for (const ConvShape& s : kTransposed) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      EXPECT_GE(judge(transposed(float_case(s, dtype, "Relu", true, seed), s, seed + 1)), 1);
      seed += 2;
    }
  }
}
TEST(FastConv, TransposedInt8EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 900;
  for (const ConvShape& s : kTransposed) {
    for (const Law& law : all_laws()) {
      for (const ZeroPoints zero_points : {ZeroPoints::None, ZeroPoints::Layer, ZeroPoints::Channel}) {
        const char* activation = seed % 2 ? "" : "Relu";
        EXPECT_GE(judge(transposed(conv_code_case(s, activation, zero_points, law, seed), s, seed + 1)), 1);
        seed += 2;
      }
    }
  }
}
TEST(FastConv, TransposedWithSharedWeightsPacksForEachGeometry) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  const ConvShape wide{1, 4, 4, 8, 8, 4, 4, 1, 4}, high{1, 4, 4, 8, 8, 4, 4, 4, 1};
  const Case first = transposed(float_case(wide, DType::Float32, "", false, 1), wide, 1);
  Case second = transposed(float_case(high, DType::Float32, "", false, 1), high, 1);
  Weights shared;
  const auto run = [&](const Case& c, const Tensor& weights, std::span<const Kernel> kernels) {
    Bound bound(c);
    bound.inputs[1].constant = &weights;
    return run_kernel(*choose_kernel(kernels, bound.call, detect_cpu()), bound.call, c.inputs, shared)[0];
  };
  run(first, first.inputs[1], builtin_kernels());
  EXPECT_TRUE(
      identical(run(second, first.inputs[1], builtin_kernels()), run(second, first.inputs[1], reference_kernels())));
}
TEST(FastConv, OneDimensionalEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(800);
  Case c;
  c.text = "1-D, seed 800";
  c.node.name = c.node.op = "Conv";
  c.node.attributes["strides"] = std::vector<int64_t>{2};
  c.node.attributes["pads"] = std::vector<int64_t>{2, 1};
  c.inputs = {random.reals(DType::Float32, {2, 1000, 6}), random.reals(DType::Float32, {13, 6, 5})};
  c.constant = {false, true};
  c.layout = Layout::ChannelsLast;
  c.output_shape = {2, (1000 + 3 - 5) / 2 + 1, 13};
  EXPECT_GE(judge(c), 1);
}
TEST(FastConv, OneDimensionalTransposedEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  for (const int64_t stride : {1, 2, 3, 5, 7}) {  // a kernel of 5: longer than, equal to, shorter than the stride
    for (const int64_t pad : {0, 1}) {
      Random random(static_cast<uint32_t>(810 + stride));
      Case c;
      c.text = "1-D transposed, stride " + std::to_string(stride) + ", pad " + std::to_string(pad);
      c.node.name = c.node.op = "ConvTranspose";
      c.node.attributes["strides"] = std::vector<int64_t>{stride};
      c.node.attributes["pads"] = std::vector<int64_t>{pad, 2 * pad};
      c.inputs = {random.reals(DType::Float32, {2, 90, 6}), random.reals(DType::Float32, {6, 13, 5})};
      c.constant = {false, true};
      c.layout = Layout::ChannelsLast;
      c.output_shape = {2, 89 * stride + 5 - 3 * pad, 13};
      EXPECT_GE(judge(c), 1);
    }
  }
}

}  // namespace
}  // namespace openrknn
