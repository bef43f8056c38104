// Bias, activation and integer output stage of a node, in the form the inner loops take.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "core/kernels/fast/product.h"
#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/codes.h"

namespace openrknn::fast {
namespace {

struct FunctionRow {
  std::string_view op;
  Function function;
};
constexpr FunctionRow kFunctions[] = {
    {"Relu", Function::Relu},
    {"Clip", Function::Clip},
    {"LeakyRelu", Function::LeakyRelu},
    {"Elu", Function::Elu},
    {"Selu", Function::Selu},
    {"Celu", Function::Celu},
    {"HardSigmoid", Function::HardSigmoid},
    {"HardSwish", Function::HardSwish},
    {"Sigmoid", Function::Sigmoid},
    {"Tanh", Function::Tanh},
    {"Softplus", Function::Softplus},
    {"Softsign", Function::Softsign},
    {"SiLU", Function::SiLU},
    {"Mish", Function::Mish},
    {"Erf", Function::Erf},
    {"Exp", Function::Exp},
    {"Log", Function::Log},
    {"Sqrt", Function::Sqrt},
    {"Gelu", Function::GeluErf},
};

std::optional<Activation> find(std::string_view op, const Attributes& attributes, std::string_view prefix) {
  for (const FunctionRow& row : kFunctions) {
    if (row.op != op) continue;
    // The reference knows the defaults.
    const auto definition = reference::find_unary_function(op, attributes, prefix);
    if (!definition) return std::nullopt;
    Activation activation{row.function,      definition->alpha, definition->beta,
                          definition->gamma, definition->low,   definition->high};
    const std::string approximate = std::string(prefix) + "approximate";
    if (op == "Gelu" && string_attribute(attributes, approximate, "none") == "tanh") {
      activation.function = Function::GeluTanh;
    }
    return activation;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Activation> loop_activation(const Node& node) {
  const std::string name = string_attribute(node.attributes, "activation", "");
  if (name.empty()) return Activation{};
  if (!reference::fused_activation(node)) return std::nullopt;
  return find(name, node.attributes, "activation_");
}
std::optional<Activation> loop_function(const Node& node) { return find(node.op, node.attributes, ""); }

std::vector<float> padded_bias(const Product& p, const Tensor* bias) {
  if (bias == nullptr) return {};
  const std::vector<double> values = to_doubles(*bias);
  std::vector<float> padded(static_cast<size_t>(p.groups * p.padded_columns()));
  for (int64_t c = 0; c < p.out_channels; ++c) {
    const int64_t at = c / p.group_columns() * p.padded_columns() + c % p.group_columns();
    padded[static_cast<size_t>(at)] = static_cast<float>(values[static_cast<size_t>(c) % values.size()]);
  }
  return padded;
}

Requantize requantize_of(const OutputStage& stage) {
  Requantize q;
  const bool table = stage.kind == OutputStage::Kind::Table;
  q.leaky = stage.kind == OutputStage::Kind::Leaky;
  q.saturates = false;
  for (const int32_t channel : stage.channel) q.saturates = q.saturates || channel > 1 << stage.channel_shift;
  q.slope = std::ldexp(stage.slope, -14);
  q.multiplier = std::ldexp(stage.scale.multiplier, -stage.scale.shift);
  q.low = table ? -32768 : stage.low;
  q.high = table ? 32767 : stage.high;
  if (!table) (stage.scale.zero_point_before_shift ? q.zero_point_before : q.zero_point_after) = stage.zero_point;
  q.curve = {nullptr, stage.zero_point, stage.low, stage.high};
  constexpr int32_t kBits = std::bit_cast<int32_t>(kFloatRound);
  q.floats.slope = static_cast<float>(q.slope);
  q.floats.multiplier = static_cast<float>(q.multiplier);
  q.floats.start = kFloatRound + static_cast<float>(q.zero_point_before);
  q.floats.low = kBits + static_cast<int32_t>(q.low - q.zero_point_after);
  q.floats.high = kBits + static_cast<int32_t>(q.high - q.zero_point_after);
  q.floats.zero_point = static_cast<int32_t>(q.zero_point_after) - kBits;
  return q;
}
Weights::Packed lookup_of(const OutputStage& stage, const Call& call, Weights& cache) {
  if (stage.kind != OutputStage::Kind::Table) return nullptr;
  std::string key = "fast_lookup " + Weights::identity(*call.inputs[3].constant);
  for (const int32_t number : {stage.zero_point, stage.low, stage.high}) key += ' ' + std::to_string(number);
  return cache.get(key, [&] {
    std::vector<std::byte> codes(1 << 16);
    for (int32_t p = INT16_MIN; p <= INT16_MAX; ++p) {
      const int32_t code = interpolate_table(stage.table.data(), p, stage.zero_point, stage.low, stage.high);
      codes[static_cast<size_t>(p - INT16_MIN)] = static_cast<std::byte>(code);
    }
    return codes;
  });
}
const int8_t* lookup_at_zero(const Weights::Packed& lookup) {
  return lookup ? reinterpret_cast<const int8_t*>(lookup->data()) - INT16_MIN : nullptr;
}
bool floats_fit_stage(const Requantize& q, double channel, int64_t largest) {
  // What floats hold exactly, and what 1.5 * 2^23 rounds to a whole number.
  constexpr double kExact = 0x1p24, kRounded = 0x1p22 - 2, kMostLimit = 0x1p20, kMargin = 1.01;
  const double most = static_cast<double>(largest);
  const double zero_points = std::abs(q.zero_point_before) + std::abs(q.zero_point_after);
  const double limit = kMargin * (std::max(std::abs(q.low), std::abs(q.high)) + zero_points + 2);
  if (q.multiplier < 0 || channel < 0 || limit > kMostLimit) return false;
  const bool exact = most <= kExact, rounded = most * channel <= kRounded;
  if (q.leaky) return exact && rounded && q.slope >= 0 && q.slope <= 1;
  // Every step is monotonic: sums that are not exact need only lie where everything saturates.
  return (exact || kExact * channel * q.multiplier >= limit) && (rounded || kRounded * q.multiplier >= limit);
}
bool stage_fits(const OutputStage& stage, std::span<const int32_t> bias, int64_t count) {
  constexpr int32_t kMost = 1 << 18;  // round_half_even() is exact below 2^51; values reach 2^31 times these
  if (stage.kind == OutputStage::Kind::Ideal || std::abs(stage.slope) > kMost) return false;
  if (std::abs(stage.scale.multiplier) > kMost || stage.channel_shift < 0 || stage.scale.shift < 0) return false;
  int64_t largest = 0;
  for (const int64_t b : bias) largest = std::max(largest, std::abs(b));
  return count * 255 * 255 + largest <= INT32_MAX;
}

bool floats_fit(const Call& call) {
  return reference::is_float(call.inputs[0]) && reference::is_float(call.inputs[1]) &&
         reference::same_dtype(call.inputs[0], call.outputs[0]) &&
         (!reference::present(call.inputs, 2) || reference::is_float(call.inputs[2])) &&
         loop_activation(call.node).has_value();
}
bool codes_fit(const Call& call, int64_t count) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  if (call.ideal || !reference::is_codes(x) || !reference::is_codes(call.outputs[0])) return false;
  if (w.dtype != DType::Int8 || w.quant == nullptr || !reference::is_lowered(call)) return false;
  if (reference::present(call.inputs, 2) && call.inputs[2].dtype != DType::Int32) return false;
  return stage_fits(output_stage(call, x, w), code_bias(call), count);
}
std::span<const int32_t> code_bias(const Call& call) {
  if (!reference::present(call.inputs, 2)) return {};
  return call.inputs[2].constant->values<int32_t>();
}

void fill_output_stage(Product& p, const Call& call, Weights& cache, const WeightSum& weight_sum,
                       const WeightMagnitude& weight_magnitude) {
  const OutputStage stage = output_stage(call, call.inputs[0], call.inputs[1]);
  const int64_t zx = call.inputs[0].quant->zero_point[0];
  const int64_t stored_zx = zx + p.gemm->code_offset;  // activations are stored with the offset as well
  const std::vector<int32_t>& weight_zero_point = call.inputs[1].quant->zero_point;
  const std::span<const int32_t> bias = code_bias(call);
  p.requantize = requantize_of(stage);
  p.lookup = lookup_of(stage, call, cache);
  p.curve = stage.table;
  p.padding = static_cast<int32_t>(stored_zx);
  const size_t padded = static_cast<size_t>(p.groups * p.padded_columns());
  p.channel.assign(padded, 1.0);
  p.sum_factor.assign(padded, 0);
  for (ProductPart& part : p.parts) part.offset.assign(padded, 0);
  bool any_factor = false, floats_fit = true;
  int64_t all_products = 0;
  for (const ProductPart& part : p.parts) {
    all_products += static_cast<int64_t>(part.taps.size()) * p.group_channels();
  }
  for (int64_t c = 0; c < p.out_channels; ++c) {
    // Parameters are one, one per channel, or (transposed convolution) one per channel of a group or per channel of a
    // tap.
    const auto parameter = [&](const auto& values) { return values[static_cast<size_t>(c) % values.size()]; };
    const int64_t b = bias.empty() ? 0 : parameter(bias), zw = parameter(weight_zero_point);
    const size_t at = static_cast<size_t>(c / p.group_columns() * p.padded_columns() + c % p.group_columns());
    for (ProductPart& part : p.parts) {
      // Σ (x-zx)(w-zw) + b = Σ xw - zw Σx + [b - zx Σw + n zx zw], all modulo 2^32: the true sum fits.
      const int64_t count = static_cast<int64_t>(part.taps.size()) * p.group_channels();
      part.offset[at] = static_cast<int32_t>(b - stored_zx * weight_sum(c, part) + count * stored_zx * zw);
    }
    p.sum_factor[at] = static_cast<int32_t>(-zw);
    any_factor = any_factor || p.sum_factor[at] != 0;
    const int32_t channel = stage.channel.empty() ? 1 << stage.channel_shift : parameter(stage.channel);
    p.channel[at] = std::ldexp(channel, -stage.channel_shift);
    if (!floats_fit) continue;
    // The weights are asked only where any weights would be too many.
    const int64_t code = std::max(zx + 128, 127 - zx);
    floats_fit = floats_fit_stage(p.requantize, p.channel[at], all_products * code * 255 + std::abs(b)) ||
                 (weight_magnitude &&
                  floats_fit_stage(p.requantize, p.channel[at], weight_magnitude(c, zw) * code + std::abs(b)));
  }
  if (!any_factor) p.sum_factor.clear();
  if (floats_fit) {
    p.float_channel.assign(p.channel.begin(), p.channel.end());
    p.channel.clear();
  }
}

}  // namespace openrknn::fast
