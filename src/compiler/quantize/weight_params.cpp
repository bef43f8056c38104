// The manual says "asymmetric, minimum to maximum". That leaves a choice: the zero point is an integer, so the code
// range never fits the weights exactly, and plain rounding shifts both extremes (the weights that matter most) by the
// same part of a step. So every zero point near the natural one is tried, each with the least scale that clips nothing,
// and the one with the least expected error of the layer's result is taken.
//
// For inputs of mean m and variance v, E[(sum e·x)^2] = v·sum(e^2) + m^2·(sum e)^2. What leaves a Relu is mostly zero,
// so m^2 is a part of v; docs/quantization.md has what was measured for other parts.
#include "compiler/quantize/weight_params.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/graph/quant_runs.h"

namespace openrknn {
namespace {

/// Bits of the channel multiplier (FixedPoint::channel_shift): cm = sw / max(sw) · 2^14.
constexpr double kChannelSteps = 1 << 14;
/// How far from the natural zero point is tried, and how much wider than the natural scale a step may become.
constexpr int kZeroPointReach = 4;
constexpr double kMostWidening = 1.03125;
constexpr double kUnboundedError = std::numeric_limits<double>::infinity();
/// Adding and taking away 1.5·2^52 rounds to the nearest integer, half to even, in any vector unit.
constexpr double kRounder = 6755399441055744.0;
/// m^2 / v of the inputs, see above.
constexpr double kSquaredMean = 0.25;

/// The weights with equal parameters: rows of one output channel each.
struct Group {
  std::span<const float> values;
  int64_t row = 0;
  Range range;
  double room = 0;  ///< least scale with which the bias fits
};

struct Choice {
  double scale = 0;
  int32_t zero_point = 0;
};

/// Weights of one output channel after another.
std::vector<float> by_channel(const Tensor& t, int axis) {
  const Shape& shape = t.shape();
  const auto at = shape.begin() + axis;
  const int64_t outer = element_count(Shape(shape.begin(), at)), inner = element_count(Shape(at + 1, shape.end()));
  std::vector<float> out(static_cast<size_t>(element_count(shape)));
  const float* const in = t.values<float>().data();
  float* to = out.data();
  for (int64_t c = 0; c < *at; ++c) {
    for (int64_t o = 0; o < outer; ++o, to += inner) {
      std::copy_n(in + (o * *at + c) * inner, inner, to);
    }
  }
  return out;
}

/// sum(e^2) + m^2/v·(sum e)^2 of one output channel, e in real numbers.
double expected_error(std::span<const float> row, double scale) {
  constexpr size_t kLanes = 4;
  std::array<double, kLanes> square{}, sum{};
  const double inverse = 1 / scale;
  const auto add = [&](size_t lane, float v) {
    const double code = static_cast<double>(v) * inverse, error = ((code + kRounder) - kRounder) - code;
    square[lane] += error * error;
    sum[lane] += error;
  };
  size_t i = 0;
  for (; i + kLanes <= row.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) add(lane, row[i + lane]);
  }
  for (; i < row.size(); ++i) add(0, row[i]);
  const double bias = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  return ((square[0] + square[1]) + (square[2] + square[3]) + kSquaredMean * bias * bias) * scale * scale;
}

double expected_error(const Group& group, double scale) {
  double error = 0;
  for (size_t at = 0; at < group.values.size(); at += static_cast<size_t>(group.row)) {
    error += expected_error(group.values.subspan(at, static_cast<size_t>(group.row)), scale);
  }
  return error;
}

/// The least scale with which this zero point gives both ends of the range a code; infinite if none does.
double scale_for(const Range& range, int zero_point) {
  const double below = range.lowest < 0 ? -range.lowest / (128 + zero_point) : 0;
  const double above = range.highest > 0 ? range.highest / (127 - zero_point) : 0;
  return std::max(below, above);
}

double natural_scale(const Group& group, bool symmetric) {
  const double whole = symmetric ? std::max(-group.range.lowest, group.range.highest) / 127
                                 : (group.range.highest - group.range.lowest) / 255;
  return whole == 0 ? 0 : std::max(whole, group.room);
}

/// With grid > 0 scales are multiples of it (rounded up) and at most `most`.
Choice choose(const Group& group, bool symmetric, double grid, double most) {
  const double natural = natural_scale(group, symmetric);
  const auto on_grid = [&](double scale) { return grid > 0 ? std::ceil(scale / grid) * grid : scale; };
  // The natural pair comes first: its rounded zero point moves both ends by less than half a step, which clips nothing.
  Choice best{std::min(on_grid(natural), most), 0};
  if (symmetric) return best;
  best.zero_point =
      static_cast<int32_t>(std::clamp(std::nearbyint(-128 - group.range.lowest / best.scale), -128.0, 127.0));
  const int centre = best.zero_point;
  double least = expected_error(group, best.scale);
  for (int step = 1; step <= kZeroPointReach; ++step) {
    for (const int zero_point : {centre - step, centre + step}) {
      if (zero_point < -128 || zero_point > 127) continue;
      const double scale = on_grid(std::max(scale_for(group.range, zero_point), group.room));
      if (!(scale <= most) || scale > natural * kMostWidening + grid) continue;
      const double error = expected_error(group, scale);
      if (error < least) {
        least = error;
        best = {scale, zero_point};
      }
    }
  }
  return best;
}

/// expected_error() of codes that may clip.
double clipped_error(const Group& group, const Choice& choice) {
  constexpr size_t kLanes = 4;
  double error = 0;
  const double inverse = 1 / choice.scale;
  const double low = -128 - choice.zero_point, high = 127 - choice.zero_point;
  for (size_t at = 0; at < group.values.size(); at += static_cast<size_t>(group.row)) {
    const std::span<const float> row = group.values.subspan(at, static_cast<size_t>(group.row));
    std::array<double, kLanes> square{}, sum{};
    const auto add = [&](size_t lane, float v) {
      const double exact = static_cast<double>(v) * inverse, whole = (exact + kRounder) - kRounder;
      const double above = whole < low ? low : whole, code = above > high ? high : above;
      square[lane] += (code - exact) * (code - exact);
      sum[lane] += code - exact;
    };
    size_t i = 0;
    for (; i + kLanes <= row.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) add(lane, row[i + lane]);
    }
    for (; i < row.size(); ++i) add(0, row[i]);
    const double bias = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    error += (square[0] + square[1]) + (square[2] + square[3]) + kSquaredMean * bias * bias;
  }
  return error * choice.scale * choice.scale;
}

/// mmse: from the best range that clips nothing down, both ends together, then each by itself.
Choice choose_clipping(const Group& group, bool symmetric) {
  constexpr double kStep = 0.96875;
  constexpr int kPatience = 6;  // steps without a gain
  Choice best = choose(group, symmetric, 0, kUnboundedError);
  double least = clipped_error(group, best);
  Range kept = group.range;
  const auto shrink = [&](double lower, double upper) {
    Range range = kept;
    for (int idle = 0; idle < kPatience; ++idle) {
      range = {range.lowest * lower, range.highest * upper};
      Choice choice{natural_scale({.values = {}, .range = range, .room = group.room}, symmetric), 0};
      if (choice.scale == group.room) return;  // no finer: the bias needs it
      if (!symmetric) {
        choice.zero_point =
            static_cast<int32_t>(std::clamp(std::nearbyint(-128 - range.lowest / choice.scale), -128.0, 127.0));
      }
      const double error = clipped_error(group, choice);
      if (!(error < least)) continue;
      least = error;
      best = choice;
      kept = range;
      idle = -1;
    }
  };
  shrink(kStep, kStep);
  if (symmetric) return best;
  if (group.range.lowest < 0) shrink(kStep, 1);
  if (group.range.highest > 0) shrink(1, kStep);
  return best;
}

/// The choice on a coarser grid of scales.
Choice on_grid(const Group& group, const Choice& free, bool symmetric, double grid, double most) {
  Choice best{std::min(std::ceil(free.scale / grid) * grid, most), free.zero_point};
  if (symmetric) return best;
  double least = clipped_error(group, best);
  for (const int32_t zero_point : {free.zero_point - 1, free.zero_point + 1}) {
    const Choice choice{best.scale, zero_point};
    const double error = zero_point < -128 || zero_point > 127 ? kUnboundedError : clipped_error(group, choice);
    if (error < least) {
      least = error;
      best = choice;
    }
  }
  return best;
}

/// expected_error() with codes of four bits, which may clip.
double narrow_error(const Group& group, const Choice& choice) {
  double error = 0;
  const double inverse = 1 / choice.scale;
  for (size_t at = 0; at < group.values.size(); at += static_cast<size_t>(group.row)) {
    double square = 0, sum = 0;
    for (const float v : group.values.subspan(at, static_cast<size_t>(group.row))) {
      const double exact = static_cast<double>(v) * inverse;
      const double code = std::clamp(((exact + choice.zero_point + kRounder) - kRounder), -8.0, 7.0);
      const double e = code - choice.zero_point - exact;
      square += e * e;
      sum += e;
    }
    error += square + kSquaredMean * sum * sum;
  }
  return error * choice.scale * choice.scale;
}

/// Int4: of sixteen codes every zero point is tried, and clipping a little: a finer step for all against the error of
/// the few largest weights (docs/quantization.md).
Choice choose_narrow(const Group& group, bool symmetric, bool clip) {
  constexpr double kShares[] = {1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65};
  const std::span shares = std::span(kShares).first(clip ? std::size(kShares) : 4);
  const auto& [lowest, highest] = group.range;
  Choice best;
  double least = kUnboundedError;
  for (int zero_point = symmetric ? 0 : -8; zero_point <= (symmetric ? 0 : 7); ++zero_point) {
    const double below = lowest < 0 ? -lowest / (8 + zero_point) : 0,
                 above = highest > 0 ? highest / (7 - zero_point) : 0;
    const double whole = std::max(below, above);  // clips nothing
    if (!(whole < kUnboundedError)) continue;
    for (const double share : shares) {
      const Choice choice{whole * share, zero_point};
      const double error = narrow_error(group, choice);
      if (error < least) {
        least = error;
        best = choice;
      }
    }
  }
  return best;
}

/// All channels zero: a scale that serves the bias.
double scale_without_weights(std::span<const float> bias, double input_scale) {
  double most = 0;
  for (const float b : bias) most = std::max(most, std::abs(static_cast<double>(b)));
  return most > 0 ? most / (input_scale * (1 << 24)) : 1;
}

/// Int16: 65536 codes leave nothing to search for. Minimum to maximum, on the multiplier's grid like Int8.
QuantParams wide_params(std::span<const Group> groups, int axis, std::span<const float> bias, double input_scale,
                        const WeightSpec& spec) {
  std::vector<double> natural;
  for (const Group& group : groups) {
    const double width = spec.symmetric ? 2 * std::max(-group.range.lowest, group.range.highest)
                                        : group.range.highest - group.range.lowest;
    natural.push_back(width == 0 ? 0 : std::max(width / (spec.symmetric ? 65534 : 65535), group.room));
  }
  double largest = *std::max_element(natural.begin(), natural.end());
  if (largest == 0) largest = scale_without_weights(bias, input_scale);
  for (size_t g = 0; g < groups.size(); ++g) {
    if (natural[g] == 0) largest = std::max(largest, groups[g].room);
  }
  QuantParams params;
  if (spec.power_of_two) {
    double scale = power_of_two_params(groups[0].range.lowest, groups[0].range.highest, DType::Int16).scale[0];
    if (natural[0] == 0) scale = largest;
    scale = std::max(scale, groups[0].room);
    return power_of_two_params(-scale * 32767, scale * 32767, DType::Int16);
  }
  const double grid = largest / kChannelSteps;
  for (size_t g = 0; g < groups.size(); ++g) {
    const double scale = natural[g] == 0 ? largest : std::min(std::ceil(natural[g] / grid) * grid, largest);
    params.scale.push_back(scale);
    const double zero_point = spec.symmetric ? 0 : std::nearbyint(-32768 - groups[g].range.lowest / scale);
    params.zero_point.push_back(static_cast<int32_t>(std::clamp(zero_point, -32768.0, 32767.0)));
  }
  if (spec.method == QuantizedMethod::Channel) params.axis = axis;
  return params;
}

}  // namespace

Range range_of(std::span<const float> values) {
  Range range;
  for (const float v : values) {
    range.lowest = std::min(range.lowest, static_cast<double>(v));
    range.highest = std::max(range.highest, static_cast<double>(v));
  }
  return range;
}

QuantParams choose_weight_params(const Tensor& real, int axis, std::span<const float> bias, double input_scale,
                                 const WeightSpec& spec) {
  const auto [method, dtype, symmetric, power_of_two, clip] = spec;
  const int64_t channels = real.shape()[static_cast<size_t>(axis)];
  if (channels == 0) return {{1.0}, {0}};
  const std::vector<float> values = by_channel(real, axis);
  const int64_t row = static_cast<int64_t>(values.size()) / channels;
  const int64_t count = method == QuantizedMethod::Channel && !power_of_two ? channels : 1;

  std::vector<Group> groups(static_cast<size_t>(count));
  for (size_t g = 0; g < groups.size(); ++g) {
    const size_t size = values.size() / groups.size();
    groups[g].values = std::span(values).subspan(g * size, size);
    groups[g].row = std::max<int64_t>(row, 1);
    groups[g].range = range_of(groups[g].values);
  }
  for (size_t i = 0; i < bias.size(); ++i) {
    double& room = groups[i % groups.size()].room;
    room = std::max(room, std::abs(static_cast<double>(bias[i])) / (input_scale * largest_bias(spec.dtype)));
  }

  if (dtype == DType::Int16) return wide_params(groups, axis, bias, input_scale, spec);

  // The largest scale first: the others stand on its grid. Only channels near the top can hold it, unless they clip.
  std::vector<Choice> clipping(clip ? groups.size() : 0);
  double widest = 0, largest = 0;
  for (const Group& group : groups) widest = std::max(widest, natural_scale(group, symmetric));
  for (size_t g = 0; g < groups.size(); ++g) {
    const double natural = natural_scale(groups[g], symmetric);
    if (natural == 0 || (!clip && natural * kMostWidening < widest)) continue;
    const Choice free = clip ? choose_clipping(groups[g], symmetric) : choose(groups[g], symmetric, 0, kUnboundedError);
    if (clip) clipping[g] = free;
    largest = std::max(largest, free.scale);
  }
  if (largest == 0) largest = scale_without_weights(bias, input_scale);
  for (const Group& group : groups) {
    if (natural_scale(group, symmetric) == 0) largest = std::max(largest, group.room);
  }

  // The NPU multiplies each channel by round(sw / max · 2^14) / 2^14. Rounding the scale up to that grid before the
  // weights are quantized makes the multiplier exact: a channel at a thousandth of the largest would else be 2 % off.
  QuantParams params;
  const double grid = largest / kChannelSteps;
  for (size_t g = 0; g < groups.size(); ++g) {
    const Group& group = groups[g];
    const Choice chosen = natural_scale(group, symmetric) == 0 ? Choice{largest, symmetric ? 0 : -128}
                          : clip                               ? on_grid(group, clipping[g], symmetric, grid, largest)
                                                               : choose(group, symmetric, grid, largest);
    params.scale.push_back(chosen.scale);
    params.zero_point.push_back(chosen.zero_point);
  }
  if (method == QuantizedMethod::Channel) params.axis = axis;
  return params;
}

QuantParams choose_weight_only_params(const Tensor& real, int axis, const WeightOnlySpec& spec) {
  QuantParams params;
  const bool layer = spec.method == QuantizedMethod::Layer && spec.group == 0;
  if (!layer) params.axis = axis;
  if (real.rank() >= 2) params.group = spec.group;
  const Shape& shape = real.shape();
  std::vector<std::vector<float>> values(static_cast<size_t>(expected_scales(shape, params)));
  const std::span<const float> all = real.values<float>();
  if (layer) {
    values[0] = by_channel(real, axis);
  } else {
    for_quant_runs(shape, params, [&](int64_t begin, int64_t count, size_t index) {
      const auto run = all.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
      values[index].insert(values[index].end(), run.begin(), run.end());
    });
  }
  for (const std::vector<float>& weights : values) {
    const int64_t rows = layer ? std::max<int64_t>(1, shape[static_cast<size_t>(axis)]) : 1;
    Group group{.values = weights, .range = range_of(weights)};
    group.row = std::max<int64_t>(1, static_cast<int64_t>(weights.size()) / rows);
    const bool empty = natural_scale(group, spec.symmetric) == 0;
    const Choice choice = empty                       ? Choice{1, 0}
                          : spec.dtype == DType::Int4 ? choose_narrow(group, spec.symmetric, spec.clip)
                          : spec.clip                 ? choose_clipping(group, spec.symmetric)
                                                      : choose(group, spec.symmetric, 0, kUnboundedError);
    params.scale.push_back(choice.scale);
    params.zero_point.push_back(choice.zero_point);
  }
  return params;
}

}  // namespace openrknn
