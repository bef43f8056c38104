#include "core/kernels/output_stage.h"

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr size_t kTableInput = 3;

[[noreturn]] void not_lowered(const Call& call, const char* what) {
  fail(Code::Internal, Location{.file = {}, .node = call.node.name, .tensor = {}},
       std::string("the integer node has no ") + what + ", expected lower() to have stored it");
}

}  // namespace

OutputScale output_scale(const Call& call, size_t index) {
  if (!call.node.fixed || call.node.fixed->scale.size() <= index) not_lowered(call, "multiplier and shift");
  if (call.law == nullptr) not_lowered(call, "integer law");
  const FixedPoint& fixed = *call.node.fixed;
  const QuantParams* quant = call.outputs[0].quant;
  return {fixed.scale[index].first,
          fixed.scale[index].second,
          quant != nullptr ? quant->zero_point[0] : 0,
          call.law->zero_point_before_shift,
          fixed.low,
          fixed.high};
}

std::vector<int32_t> wide_table_of(const Call& call, const Operand& table) {
  if (table.constant == nullptr || table.dtype != DType::Int32 || table.constant->size() != kWideTableSize) {
    not_lowered(call, "table of 4097 entries");
  }
  const std::span<const int32_t> entries = table.constant->values<int32_t>();
  return {entries.begin(), entries.end()};
}

OutputStage output_stage(const Call& call, const Operand& data, const Operand& weights) {
  OutputStage stage;
  const QuantParams& out = *call.outputs[0].quant;
  const std::optional<Curve> curve = fused_curve(call.node);
  stage.zero_point = out.zero_point[0];
  stage.is_wide = call.outputs[0].dtype == DType::Int16;
  if (call.ideal) {
    stage.kind = OutputStage::Kind::Ideal;
    for (const double scale : weights.quant->scale) stage.ideal_factor.push_back(data.quant->scale[0] * scale);
    stage.ideal_scale = out.scale[0];
    stage.ideal_curve = curve;
    stage.low = static_cast<int32_t>(lowest_code(call.outputs[0].dtype));
    stage.high = static_cast<int32_t>(highest_code(call.outputs[0].dtype));
    return stage;
  }
  stage.scale = output_scale(call, 0);
  const FixedPoint& fixed = *call.node.fixed;
  stage.channel.assign(fixed.channel.begin(), fixed.channel.end());
  stage.channel_shift = fixed.channel_shift;
  stage.low = fixed.low;
  stage.high = fixed.high;
  if (!curve || is_clamp(*curve)) return stage;
  if (!is_curved(*curve)) {
    if (stage.is_wide) {
      stage.kind = OutputStage::Kind::Leaky;
      stage.negative = output_scale(call, 1);
      return stage;
    }
    if (fixed.slope.size() != 1) not_lowered(call, "slope");
    stage.kind = OutputStage::Kind::Leaky;
    stage.slope = fixed.slope[0];
    return stage;
  }
  const Operand* table = kTableInput < call.inputs.size() ? &call.inputs[kTableInput] : nullptr;
  if (table == nullptr || !table->present || table->constant == nullptr) not_lowered(call, "table");
  if (stage.is_wide) {
    stage.kind = OutputStage::Kind::Table;
    stage.wide_table = wide_table_of(call, *table);
    return stage;
  }
  if (table->dtype != DType::Int16 || table->constant->size() != 513) not_lowered(call, "table of 513 entries");
  const std::span<const int16_t> entries = table->constant->values<int16_t>();
  stage.kind = OutputStage::Kind::Table;
  stage.table.assign(entries.begin(), entries.end());
  return stage;
}

int32_t OutputStage::ideal_code(int64_t acc, int64_t c) const {
  const double factor = ideal_factor.size() == 1 ? ideal_factor[0] : ideal_factor[static_cast<size_t>(c)];
  const double real = static_cast<double>(acc) * factor;
  return real_to_code(ideal_curve ? apply(*ideal_curve, real) : real, ideal_scale, zero_point, low, high);
}

}  // namespace openrknn
