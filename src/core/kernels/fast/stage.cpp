// Bias, activation and integer output stage of a node, in the form the inner loops take.
#include <algorithm>
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
  q.table_zero_point = stage.zero_point;
  q.table_low = stage.low;
  q.table_high = stage.high;
  return q;
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

void fill_output_stage(Product& p, const Call& call, const WeightSum& weight_sum) {
  const OutputStage stage = output_stage(call, call.inputs[0], call.inputs[1]);
  const int64_t zx = call.inputs[0].quant->zero_point[0];
  const std::vector<int32_t>& weight_zero_point = call.inputs[1].quant->zero_point;
  const std::span<const int32_t> bias = code_bias(call);
  p.requantize = requantize_of(stage);
  p.table = stage.table;
  p.padding = static_cast<int32_t>(zx);
  const size_t padded = static_cast<size_t>(p.groups * p.padded_columns());
  p.channel.assign(padded, 1.0);
  p.sum_factor.assign(padded, 0);
  for (ProductPart& part : p.parts) part.offset.assign(padded, 0);
  bool any_factor = false;
  for (int64_t c = 0; c < p.out_channels; ++c) {
    // Parameters are one, one per channel, or (transposed convolution) one per channel of a group or per channel of a
    // tap.
    const auto parameter = [&](const auto& values) { return values[static_cast<size_t>(c) % values.size()]; };
    const int64_t b = bias.empty() ? 0 : parameter(bias), zw = parameter(weight_zero_point);
    const size_t at = static_cast<size_t>(c / p.group_columns() * p.padded_columns() + c % p.group_columns());
    for (ProductPart& part : p.parts) {
      // Σ (x-zx)(w-zw) + b = Σ x(w+o) - (zw+o) Σx + [b - zx Σw + n zx zw], all modulo 2^32: the true sum fits.
      const int64_t count = static_cast<int64_t>(part.taps.size()) * p.group_channels();
      part.offset[at] = static_cast<int32_t>(b - zx * weight_sum(c, part) + count * zx * zw);
    }
    p.sum_factor[at] = static_cast<int32_t>(-(zw + p.gemm->weight_offset));
    any_factor = any_factor || p.sum_factor[at] != 0;
    const int32_t channel = stage.channel.empty() ? 1 << stage.channel_shift : parameter(stage.channel);
    p.channel[at] = std::ldexp(channel, -stage.channel_shift);
  }
  if (!any_factor) p.sum_factor.clear();
}

}  // namespace openrknn::fast
