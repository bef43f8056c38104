#include "compiler/quantize/constants.h"

#include "support.h"

namespace openrknn {
namespace {

const Location kWhere{.file = {}, .node = "conv", .tensor = "w"};

CodedLayer channel_layer(const Tensor& w, const Tensor* bias, double sx = 0.1, bool symmetric = false) {
  return quantize_layer(w, bias, 0, sx, {.symmetric = symmetric}, kWhere);
}

double step_of(const QuantParams& p) { return *std::max_element(p.scale.begin(), p.scale.end()) / 16384; }

/// The finest step that covers a range, and what the choice of a zero point may add to it.
void expect_fine_step(double scale, double range, const QuantParams& p) {
  EXPECT_GE(scale, range / 255 * (1 - 1e-12));
  EXPECT_LE(scale, range / 255 * 1.03125 + step_of(p));
}

TEST(QuantizeLayer, GivesEveryChannelItsOwnAsymmetricScale) {
  const Tensor w = Tensor::from<float>({2, 2}, {-1.0f, 3.0f, -0.5f, 0.25f});
  const CodedLayer layer = channel_layer(w, nullptr);
  const QuantParams& p = layer.weights.quant;
  EXPECT_EQ(p.axis, 0);
  expect_fine_step(p.scale[0], 4.0, p);
  expect_fine_step(p.scale[1], 0.75, p);
  const Tensor back = dequantize_tensor(layer.weights.codes, p);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(back.values<float>()[i], w.values<float>()[i], p.scale[i / 2] * 0.5001) << i;
  }
}

// sum(e^2) + (sum e)^2 / 4 of one channel's weights with these parameters.
double expected_error(std::span<const float> row, double scale, int32_t zero_point) {
  double square = 0, sum = 0;
  for (const float v : row) {
    const double code = std::clamp(std::nearbyint(static_cast<double>(v) / scale) + zero_point, -128.0, 127.0);
    const double error = (code - zero_point) * scale - static_cast<double>(v);
    square += error * error;
    sum += error;
  }
  return square + sum * sum / 4;
}

TEST(QuantizeLayer, TakesAZeroPointThatBiasesTheResultLess) {
  test::Dice dice(11);
  const int64_t channels = 200, length = 16;
  const Tensor w = test::uniform_tensor(dice, {channels, length}, -1, 0.6f);
  const QuantParams p = channel_layer(w, nullptr).weights.quant;
  double natural_error = 0, error = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const auto row = w.values<float>().subspan(static_cast<size_t>(c * length), static_cast<size_t>(length));
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    const double lowest = std::min(0.0, static_cast<double>(*low)), highest = std::max(0.0, static_cast<double>(*high));
    const QuantParams natural = params_of_range(lowest, highest, DType::Int8, false);
    const double scale = p.scale[static_cast<size_t>(c)];
    const int32_t zero_point = p.zero_point[static_cast<size_t>(c)];
    natural_error += expected_error(row, natural.scale[0], natural.zero_point[0]);
    error += expected_error(row, scale, zero_point);
    EXPECT_GE(lowest / scale + zero_point, -128.5) << "a weight is clipped in channel " << c;
    EXPECT_LE(highest / scale + zero_point, 127.5) << "a weight is clipped in channel " << c;
  }
  EXPECT_LT(error, natural_error * 0.8);
}

// A lowest weight of less than half a step rounds to the code of 0: the zero point stands at the end of the codes,
// where dividing the range below it by its codes would divide by 0.
TEST(QuantizeLayer, KeepsItsStepWhereTheZeroPointStandsAtTheEnd) {
  for (const float sign : {1.0f, -1.0f}) {
    const Tensor w = Tensor::from<float>({2, 3}, {sign * 1.0f, sign * -1e-4f, sign * 0.5f, 0.3f, -0.2f, 0.1f});
    const QuantParams p = channel_layer(w, nullptr).weights.quant;
    expect_fine_step(p.scale[0], 1.0001, p);
    expect_fine_step(p.scale[1], 0.5, p);
  }
}

// The multiplier of a channel has 14 bits below the largest one: scales sit on that grid, so it is exact.
TEST(QuantizeLayer, PutsScalesWhereTheChannelMultiplierIsExact) {
  test::Dice dice(2);
  const int64_t channels = 64;
  Tensor w = test::uniform_tensor(dice, {channels, 9}, -1, 1);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < 9; ++k) {
      w.mutable_values<float>()[static_cast<size_t>(c * 9 + k)] *= std::ldexp(1.0f, static_cast<int>(-c / 3));
    }
  }
  const QuantParams p = channel_layer(w, nullptr).weights.quant;
  for (const double scale : p.scale) {
    const double steps = scale / step_of(p);
    EXPECT_NEAR(steps, std::nearbyint(steps), 1e-9);
    EXPECT_GE(steps, 1);
  }
}

TEST(QuantizeLayer, GivesAnAllZeroChannelTheLargestScale) {
  const Tensor w = Tensor::from<float>({3, 1}, {0.5f, 0.0f, -2.0f});
  const Tensor bias = Tensor::from<float>({3}, {1.0f, 0.7f, -1.0f});
  const CodedLayer layer = channel_layer(w, &bias);
  EXPECT_EQ(layer.weights.quant.scale[1], layer.weights.quant.scale[2]);
  EXPECT_EQ(layer.weights.codes.values<int8_t>()[1], layer.weights.quant.zero_point[1]);
  const double real = layer.bias->codes.values<int32_t>()[1] * layer.bias->quant.scale[1];
  EXPECT_NEAR(real, 0.7, layer.bias->quant.scale[1] / 2);
}

TEST(QuantizeLayer, ServesTheBiasWhereThereAreNoWeightsAtAll) {
  const Tensor w = Tensor::zeros(DType::Float32, {2, 4});
  const Tensor bias = Tensor::from<float>({2}, {3.0f, -1e-3f});
  const CodedLayer layer = channel_layer(w, &bias);
  for (size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(layer.bias->codes.values<int32_t>()[c] * layer.bias->quant.scale[c],
                static_cast<double>(bias.values<float>()[c]), 1e-6);
  }
  const CodedLayer nothing = channel_layer(w, nullptr);
  EXPECT_GT(nothing.weights.quant.scale[0], 0);
}

TEST(QuantizeLayer, WidensTheScaleOfAChannelWhoseBiasWouldNotFit) {
  const Tensor w = Tensor::from<float>({2, 1}, {1.0f, 1e-6f});
  const Tensor bias = Tensor::from<float>({2}, {0.0f, 2000.0f});
  const double sx = 1e-4;
  const CodedLayer layer = channel_layer(w, &bias, sx);
  const int64_t code = layer.bias->codes.values<int32_t>()[1];
  EXPECT_LE(code, int64_t{1} << 30);
  EXPECT_NEAR(static_cast<double>(code) * layer.bias->quant.scale[1], 2000.0, 1e-3);
  EXPECT_GT(layer.weights.quant.scale[1], 1e-6 / 255) << "wider than the weights alone would ask for";
}

TEST(QuantizeLayer, LayerMethodHasOneScale) {
  const Tensor w = Tensor::from<float>({2, 2}, {-1.0f, 3.0f, -0.5f, 0.25f});
  const CodedLayer layer = quantize_layer(w, nullptr, 0, 0.1, {.method = QuantizedMethod::Layer}, kWhere);
  ASSERT_EQ(layer.weights.quant.scale.size(), 1U);
  EXPECT_EQ(layer.weights.quant.axis, params_of_range(-1, 3, DType::Int8, false).axis);
  expect_fine_step(layer.weights.quant.scale[0], 4.0, layer.weights.quant);
}

TEST(QuantizeLayer, SymmetricHasNoZeroPoints) {
  const Tensor w = Tensor::from<float>({2, 2}, {-1.0f, 3.0f, -0.5f, 0.25f});
  const QuantParams p = channel_layer(w, nullptr, 0.1, true).weights.quant;
  EXPECT_EQ(p.zero_point, (std::vector<int32_t>{0, 0}));
  EXPECT_DOUBLE_EQ(p.scale[0], 3.0 / 127);
}

TEST(QuantizeLayer, RefusesWhatIsNotFinite) {
  const Tensor w = Tensor::from<float>({1, 2}, {1.0f, std::nanf("")});
  try {
    channel_layer(w, nullptr);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::QuantizeNotFinite);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "w");
  }
}

TEST(QuantizeNormalization, IsTheSameFunction) {
  const std::vector<Tensor> p = {Tensor::from<float>({2}, {2.0f, -0.5f}), Tensor::from<float>({2}, {0.25f, 1.0f}),
                                 Tensor::from<float>({2}, {1.0f, -3.0f}), Tensor::from<float>({2}, {0.25f, 4.0f})};
  const CodedNormalization coded = quantize_normalization(p, 0, 0.01, {}, kWhere);
  const double step = coded.slope.quant.scale[0];
  EXPECT_NEAR(coded.slope.codes.values<int16_t>()[0] * step, 4.0, step);
  EXPECT_NEAR(coded.slope.codes.values<int16_t>()[1] * step, -0.25, step);
  const double unit = coded.bias.quant.scale[0];
  EXPECT_DOUBLE_EQ(unit, step * 0.01);
  EXPECT_NEAR(coded.bias.codes.values<int32_t>()[0] * unit, 0.25 - 4.0, unit);
  EXPECT_NEAR(coded.bias.codes.values<int32_t>()[1] * unit, 1.0 - 0.75, unit);
}

TEST(ToHalf, CountsWhatFloat16CannotHold) {
  const Tensor t =
      Tensor::from<float>({5}, {65504.0f, 65519.0f, 65520.0f, -1e9f, std::numeric_limits<float>::infinity()});
  const HalfConstant half = to_half(t, false);
  EXPECT_EQ(half.overflowing, 2);
  EXPECT_EQ(half.worst, -1e9);
  const HalfConstant saturated = to_half(t, true);
  EXPECT_EQ(static_cast<float>(saturated.values.values<Float16>()[2]), 65504.0f);
  EXPECT_EQ(static_cast<float>(saturated.values.values<Float16>()[3]), -65504.0f);
  EXPECT_TRUE(std::isinf(static_cast<float>(saturated.values.values<Float16>()[4]))) << "an infinity stays one";
}

// ---- mmse

/// Laplace: most weights small, a few far out.
Tensor far_out_weights(int64_t channels, int64_t length) {
  test::Dice dice(23);
  Tensor w(DType::Float32, {channels, length});
  const std::span<float> values = w.mutable_values<float>();
  for (int64_t i = 0; i < channels * length; ++i) {
    const double u = (1 + static_cast<double>(dice.up_to(1 << 20))) / (1 << 20);
    const double size = (1 + static_cast<double>(i / length)) * std::log(u);
    values[static_cast<size_t>(i)] = static_cast<float>(dice.up_to(2) == 0 ? size : -size);
  }
  return w;
}

TEST(QuantizeLayer, ClipsWeightsWhereThatLessensTheError) {
  const int64_t channels = 3, length = 20000;
  const Tensor w = far_out_weights(channels, length);
  for (const bool symmetric : {false, true}) {
    const QuantParams plain = quantize_layer(w, nullptr, 0, 0.1, {.symmetric = symmetric}, kWhere).weights.quant;
    const QuantParams p =
        quantize_layer(w, nullptr, 0, 0.1, {.symmetric = symmetric, .clip = true}, kWhere).weights.quant;
    const double step = step_of(p);
    bool gained = false;
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = static_cast<size_t>(c);
      const auto row = w.values<float>().subspan(at * static_cast<size_t>(length), static_cast<size_t>(length));
      const double error = expected_error(row, p.scale[at], p.zero_point[at]);
      const double unclipped = expected_error(row, plain.scale[at], plain.zero_point[at]);
      EXPECT_LE(error, unclipped * 1.01) << c;
      gained = gained || error < 0.95 * unclipped;
      EXPECT_NEAR(std::round(p.scale[at] / step), p.scale[at] / step, 1e-6) << "on the multiplier's grid";
      // Brute force: every range that shrinks in steps of 4 %, each end by itself.
      const auto [low, high] = std::minmax_element(row.begin(), row.end());
      double best = error;
      for (double lower = 1; lower > 0.2; lower *= 0.96) {
        for (double upper = 1; upper > 0.2; upper *= 0.96) {
          if (symmetric && lower != upper) continue;
          const QuantParams tried = params_of_range(lower * static_cast<double>(*low),
                                                    upper * static_cast<double>(*high), DType::Int8, symmetric);
          best = std::min(best, expected_error(row, tried.scale[0], tried.zero_point[0]));
        }
      }
      EXPECT_LE(error, 1.06 * best) << c;
    }
    EXPECT_TRUE(gained);
  }
}

TEST(QuantizeWeights, ClipWhereThatLessensTheError) {
  const Tensor w = far_out_weights(4, 20000);
  for (const DType dtype : {DType::Int8, DType::Int4}) {
    double errors[2] = {};
    for (const bool clip : {false, true}) {
      const Coded coded = quantize_weights(w, 0, {.dtype = dtype, .clip = clip}, kWhere);
      const Tensor back = dequantize_tensor(coded.codes, coded.quant);
      for (int64_t i = 0; i < w.size(); ++i) {
        const auto at = static_cast<size_t>(i);
        const double e = static_cast<double>(back.values<float>()[at]) - static_cast<double>(w.values<float>()[at]);
        errors[clip ? 1 : 0] += e * e;
      }
    }
    EXPECT_LT(errors[1], 0.98 * errors[0]) << name(dtype);
  }
}

TEST(QuantizeLayer, ClippingLeavesRoomForTheBias) {
  const Tensor w = far_out_weights(2, 500);
  const Tensor bias = Tensor::from<float>({2}, {3e8f, 0.0f});
  const double input_scale = 1.0;
  const CodedLayer layer = quantize_layer(w, &bias, 0, input_scale, {.clip = true}, kWhere);
  EXPECT_GE(layer.weights.quant.scale[0], 3e8 / largest_bias(DType::Int8) * (1 - 1e-12));
  EXPECT_NEAR(to_doubles(layer.bias->codes)[0] * layer.bias->quant.scale[0], 3e8, 1);
}

TEST(QuantizeLayer, ClippingChangesNothingWhereThereIsNothingToGain) {
  test::Dice dice(6);
  const Tensor w = test::uniform_tensor(dice, {4, 200}, -1, 1);
  const QuantParams p = quantize_layer(w, nullptr, 0, 0.1, {.clip = true}, kWhere).weights.quant;
  const QuantParams plain = quantize_layer(w, nullptr, 0, 0.1, {}, kWhere).weights.quant;
  for (size_t c = 0; c < 4; ++c) EXPECT_NEAR(p.scale[c], plain.scale[c], plain.scale[c] * 0.04);
  const Tensor zeros = Tensor::from<float>({2, 2}, {0, 0, 0, 0});
  EXPECT_EQ(quantize_layer(zeros, nullptr, 0, 0.1, {.clip = true}, kWhere).weights.quant,
            quantize_layer(zeros, nullptr, 0, 0.1, {}, kWhere).weights.quant);
}

}  // namespace
}  // namespace openrknn
