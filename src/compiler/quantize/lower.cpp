// Computes, once, every integer the hardware would be given, from scales that no longer change (docs/arithmetic.md).
// One function a law, one table row an op.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compiler/quantize/lower_integers.h"
#include "compiler/quantize/quantize.h"
#include "core/kernels/output_stage.h"
#include "core/kernels/pool_taps.h"
#include "core/kernels/resize_coordinates.h"

namespace openrknn {
namespace {

/// One node being lowered.
struct Site {
  Graph& graph;
  NodeId id;

  const Node& node() const { return graph[id]; }
  const Value& input(size_t i) const { return graph[node().inputs[i]]; }
  const Value& output() const { return graph[node().outputs[0]]; }
  const QuantParams& params(size_t i) const {
    if (!input(i).quant) {
      fail(Code::Internal, graph.where(id),
           fmt::format("input '{}' of an integer node has no parameters", input(i).name));
    }
    return *input(i).quant;
  }
  double scale(size_t i) const { return params(i).scale[0]; }
  const QuantParams& out() const { return *output().quant; }

  /// Clamp of output codes by `curve`, no integers yet.
  FixedPoint start(const std::optional<Curve>& curve) const {
    FixedPoint fixed;
    const CodeClamp clamp = clamp_of(curve, out(), output().dtype);
    fixed.low = clamp.low;
    fixed.high = clamp.high;
    return fixed;
  }
  bool is_wide() const { return output().dtype == DType::Int16; }
  std::pair<int32_t, int> multiplier(double factor) const { return multiplier_of(factor, output().dtype); }
  void add_table(size_t index, Tensor table) const {
    graph.set_input(id, index, graph.add_constant(node().name + "_table", std::move(table)));
  }
  void finish(FixedPoint fixed) const { graph[id].fixed = std::move(fixed); }
};

constexpr double kSlopeOne = 1 << 14;
int32_t slope_of(double alpha) {
  const double slope = std::nearbyint(alpha * kSlopeOne);
  return static_cast<int32_t>(std::clamp(slope, static_cast<double>(INT32_MIN), static_cast<double>(INT32_MAX)));
}

// ---- Conv, ConvTranspose, MatMul ----

/// Int16: the table of a curve as input `index`, for inputs up to `reach` on either side; gives the multiplier to its
/// pre-activation.
std::pair<int32_t, int> wide_curve(const Site& site, const Curve& curve, double input_scale, double reach,
                                   size_t index) {
  constexpr int kFinest = 14;  // a code of the input is at most 2^14 steps of p, or its multiplier would not fit
  const double limit = std::max(pre_activation_limit(curve, site.out(), DType::Int16, reach),
                                std::ldexp(input_scale, kWidePreBits - 1 - kFinest));
  site.add_table(index, Tensor::from<int32_t>({kWideTableSize}, wide_activation_table(curve, limit, site.out())));
  return site.multiplier(input_scale / std::ldexp(limit, 1 - kWidePreBits));
}
/// Int16: the multiplier of numbers from 0 on, then those below it, one a slope. Negative slopes turn the sign.
std::vector<std::pair<int32_t, int>> two_sided(const Site& site, double input_scale,
                                               const std::vector<double>& slopes) {
  const double factor = input_scale / site.out().scale[0];
  std::vector<std::pair<int32_t, int>> scale = {site.multiplier(factor)};
  for (const double slope : slopes) {
    auto [multiplier, shift] = site.multiplier(factor * std::abs(slope));
    scale.emplace_back(slope < 0 ? -multiplier : multiplier, shift);
  }
  return scale;
}

int64_t output_channels(const Site& site) {
  const Shape& y = site.output().shape;
  return site.node().op == "MatMul" ? site.input(1).shape.back() : y[1];
}

void lower_layer(const Site& site) {
  const std::optional<Curve> curve = fused_curve(site.node());
  const QuantParams& weights = site.params(1);
  const double largest = *std::max_element(weights.scale.begin(), weights.scale.end());
  FixedPoint fixed = site.start(curve);
  if (weights.scale.size() > 1) {
    const double one = static_cast<double>(1 << fixed.channel_shift);
    const int64_t channels = output_channels(site);  // groups of a ConvTranspose share their channels' parameters
    for (int64_t c = 0; c < channels; ++c) {
      const double share = weights.scale[static_cast<size_t>(c) % weights.scale.size()] / largest;
      fixed.channel.push_back(static_cast<uint16_t>(std::nearbyint(share * one)));
    }
  }
  const double accumulator_scale = largest * site.scale(0);
  const auto leaky = [&] { return curve && curve->kind == CurveKind::LeakyRelu; };
  if (curve && is_curved(*curve) && site.is_wide()) {
    fixed.scale = {wide_curve(site, *curve, accumulator_scale, std::numeric_limits<double>::infinity(), 3)};
  } else if (leaky() && site.is_wide()) {
    fixed.scale = two_sided(site, accumulator_scale, {curve->alpha});
  } else if (curve && is_curved(*curve)) {
    const double limit = pre_activation_limit(*curve, site.out());
    fixed.scale = {site.multiplier(accumulator_scale / (limit / 32768))};
    site.add_table(3, Tensor::from<int16_t>({513}, activation_table(*curve, limit, site.out())));
  } else {
    fixed.scale = {site.multiplier(accumulator_scale / site.out().scale[0])};
    if (leaky()) fixed.slope = {slope_of(curve->alpha)};
  }
  site.finish(std::move(fixed));
}

// ---- elementwise ----

/// Operands in units of the larger scale / 2^14 (Int16: / 2^24), exact; one rounding from there to output codes.
void lower_sum(const Site& site) {
  const double units = site.is_wide() ? 1 << 24 : 1 << 14;
  const double largest = std::max(site.scale(0), site.scale(1));
  FixedPoint fixed = site.start(fused_curve(site.node()));
  for (size_t i = 0; i < 2; ++i) {
    fixed.scale.emplace_back(static_cast<int32_t>(std::nearbyint(site.scale(i) / largest * units)), 0);
  }
  fixed.scale.push_back(site.multiplier(largest / units / site.out().scale[0]));
  site.finish(std::move(fixed));
}
void lower_product(const Site& site) {
  FixedPoint fixed = site.start(fused_curve(site.node()));
  fixed.scale = {site.multiplier(site.scale(0) * site.scale(1) / site.out().scale[0])};
  site.finish(std::move(fixed));
}
/// Every operand from `first` on to output codes: Max, Min, Where, Concat, Convert.
void requantize_operands(const Site& site, size_t first) {
  FixedPoint fixed = site.start(std::nullopt);
  for (size_t i = first; i < site.node().inputs.size(); ++i) {
    fixed.scale.push_back(site.multiplier(site.scale(i) / site.out().scale[0]));
  }
  site.finish(std::move(fixed));
}
void lower_choice(const Site& site) { requantize_operands(site, 0); }
void lower_where(const Site& site) { requantize_operands(site, 1); }
void lower_concat(const Site& site) {
  const std::vector<ValueId>& inputs = site.node().inputs;
  const bool moves =
      std::all_of(inputs.begin(), inputs.end(), [&](ValueId v) { return site.graph[v].quant == site.output().quant; });
  if (!moves) requantize_operands(site, 0);
}
void lower_convert(const Site& site) {
  if (site.input(0).quant && site.output().quant) requantize_operands(site, 0);
}

// ---- one operand ----

void lower_clamp(const Site& site) { site.finish(site.start(own_curve(site.node()))); }
void lower_curve(const Site& site) {
  const Curve curve = own_curve(site.node()).value();
  if (site.is_wide()) {
    FixedPoint fixed = site.start(std::nullopt);
    if (curve.kind == CurveKind::LeakyRelu) {
      fixed.scale = two_sided(site, site.scale(0), {curve.alpha});
    } else {
      const double zero_point = site.params(0).zero_point[0];
      const double reach = site.scale(0) * std::max(32768 + zero_point, 32767 - zero_point);
      fixed.scale = {wide_curve(site, curve, site.scale(0), reach, 1)};
    }
    return site.finish(std::move(fixed));
  }
  const std::vector<int8_t> table = code_table(curve, site.params(0), site.out());
  site.add_table(1, Tensor::from<int8_t>({256}, table));
  site.finish(site.start(std::nullopt));
}
void lower_prelu(const Site& site) {
  FixedPoint fixed = site.start(std::nullopt);
  if (site.is_wide()) {
    fixed.scale = two_sided(site, site.scale(0), to_doubles(*site.input(1).constant));
    return site.finish(std::move(fixed));
  }
  fixed.scale = {site.multiplier(site.scale(0) / site.out().scale[0])};
  for (const double alpha : to_doubles(*site.input(1).constant)) fixed.slope.push_back(slope_of(alpha));
  site.finish(std::move(fixed));
}
void lower_normalization(const Site& site) {
  FixedPoint fixed = site.start(std::nullopt);
  fixed.scale = {site.multiplier(site.scale(0) * site.scale(1) / site.out().scale[0])};
  site.finish(std::move(fixed));
}
void lower_pad(const Site& site) {
  FixedPoint fixed = site.start(std::nullopt);
  const double value = float_attribute(site.node().attributes, "value", 0);
  fixed.low = fixed.high = real_to_code(value, site.out().scale[0], site.out().zero_point[0], fixed.low, fixed.high);
  site.finish(std::move(fixed));
}

// ---- means and sums ----

void lower_mean(const Site& site, double divisor) {
  FixedPoint fixed = site.start(std::nullopt);
  fixed.scale = {site.multiplier(site.scale(0) / site.out().scale[0] / divisor)};
  site.finish(std::move(fixed));
}
double elements_per_result(const Site& site) {
  const int64_t outputs = element_count(site.output().shape);
  return outputs == 0 ? 1 : static_cast<double>(element_count(site.input(0).shape)) / static_cast<double>(outputs);
}
void lower_global_mean(const Site& site) { lower_mean(site, elements_per_result(site)); }
void lower_total(const Site& site) { lower_mean(site, 1); }

/// One multiplier if all windows divide by the same count; else entry [count - 1] for every count there can be.
void lower_average_pool(const Site& site) {
  const Attributes& attributes = site.node().attributes;
  const Shape &x = site.input(0).shape, &y = site.output().shape;
  const size_t spatial = x.size() - 2;
  const std::vector<int64_t> kernel = ints_attribute(attributes, "kernel_shape"), ones(spatial, 1);
  const std::vector<int64_t> strides = ints_attribute(attributes, "strides", ones);
  const std::vector<int64_t> dilations = ints_attribute(attributes, "dilations", ones);
  const std::vector<int64_t> pads = ints_attribute(attributes, "pads", std::vector<int64_t>(2 * spatial, 0));
  const bool count_padding = int_attribute(attributes, "count_include_pad", 0) != 0;
  int64_t taps = 1, common = 1;
  bool uniform = true;
  for (size_t d = 0; d < spatial; ++d) {
    const auto count = [&](int64_t o) {
      return counted_pool_taps(x[d + 2], kernel[d], strides[d], dilations[d], pads[d], pads[spatial + d], count_padding,
                               o);
    };
    for (int64_t o = 1; o < y[d + 2]; ++o) uniform = uniform && count(o) == count(0);
    taps *= kernel[d];
    common *= y[d + 2] > 0 ? count(0) : 1;
  }
  if (uniform) return lower_mean(site, static_cast<double>(std::max<int64_t>(common, 1)));
  FixedPoint fixed = site.start(std::nullopt);
  for (int64_t count = 1; count <= taps; ++count) {
    fixed.scale.push_back(site.multiplier(site.scale(0) / site.out().scale[0] / static_cast<double>(count)));
  }
  site.finish(std::move(fixed));
}

// ---- Resize ----

/// {first neighbour, share of the second · 2^11} for every output position of every spatial dimension, in logical
/// order.
void lower_resize(const Site& site) {
  const Attributes& attributes = site.node().attributes;
  if (string_attribute(attributes, "mode", "nearest") != "linear") return;  // nearest moves codes
  const std::string mode = string_attribute(attributes, "coordinate_transformation_mode", "half_pixel");
  const Shape &x = site.input(0).shape, &y = site.output().shape;
  const std::vector<double> scales = floats_attribute(attributes, "scales");
  FixedPoint fixed = site.start(std::nullopt);
  for (size_t d = 2; d < x.size(); ++d) {
    const double scale = d < scales.size() ? scales[d] : static_cast<double>(y[d]) / static_cast<double>(x[d]);
    for (int64_t o = 0; o < y[d]; ++o) {
      const LinearTap tap = linear_tap(mode, o, x[d], y[d], scale);
      fixed.slope.push_back(static_cast<int32_t>(tap.first));
      fixed.slope.push_back(
          static_cast<int32_t>(std::nearbyint(std::ldexp(tap.share, resize_share_bits(site.output().dtype)))));
    }
  }
  site.finish(std::move(fixed));
}

struct LowerRow {
  std::string_view op;
  void (*lower)(const Site&);
};
constexpr std::array kRows = {
    LowerRow{"Conv", lower_layer},
    LowerRow{"ConvTranspose", lower_layer},
    LowerRow{"MatMul", lower_layer},
    LowerRow{"Add", lower_sum},
    LowerRow{"Sub", lower_sum},
    LowerRow{"Mul", lower_product},
    LowerRow{"Max", lower_choice},
    LowerRow{"Min", lower_choice},
    LowerRow{"Where", lower_where},
    LowerRow{"Concat", lower_concat},
    LowerRow{"Convert", lower_convert},
    LowerRow{"Relu", lower_clamp},
    LowerRow{"Clip", lower_clamp},
    LowerRow{"LeakyRelu", lower_curve},
    LowerRow{"Elu", lower_curve},
    LowerRow{"Selu", lower_curve},
    LowerRow{"Celu", lower_curve},
    LowerRow{"HardSigmoid", lower_curve},
    LowerRow{"ThresholdedRelu", lower_curve},
    LowerRow{"Sigmoid", lower_curve},
    LowerRow{"Tanh", lower_curve},
    LowerRow{"Softplus", lower_curve},
    LowerRow{"Softsign", lower_curve},
    LowerRow{"SiLU", lower_curve},
    LowerRow{"HardSwish", lower_curve},
    LowerRow{"Mish", lower_curve},
    LowerRow{"Gelu", lower_curve},
    LowerRow{"PRelu", lower_prelu},
    LowerRow{"Neg", lower_convert},
    LowerRow{"Abs", lower_convert},
    LowerRow{"BatchNormalization", lower_normalization},
    LowerRow{"Pad", lower_pad},
    LowerRow{"AveragePool", lower_average_pool},
    LowerRow{"GlobalAveragePool", lower_global_mean},
    LowerRow{"ReduceMean", lower_global_mean},
    LowerRow{"ReduceSum", lower_total},
    LowerRow{"Resize", lower_resize},
};

}  // namespace

void lower(Graph& graph, const Target&) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const Value& output = graph[node.outputs[0]];
    if ((output.dtype != DType::Int8 && output.dtype != DType::Int16) || !output.quant ||
        output.quant->scale.size() != 1)
      continue;
    for (const LowerRow& row : kRows) {
      if (row.op != node.op) continue;
      row.lower(Site{graph, id});
      break;
    }
  }
}

}  // namespace openrknn
