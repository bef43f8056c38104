#include "compiler/corrections/concat_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// Of its codes, an operand keeps log2 of how many it can reach. Six bits are 36 dB below the largest number.
constexpr double kLeastBits = 6;

struct OperandRange {
  double lowest = 0, highest = 0;  // with 0, as scales have it
  double width() const { return highest - lowest; }
};

OperandRange range_of(const Graph& golden, ValueId id, const Calibration& calibration) {
  OperandRange range;
  const auto extend = [&](double value) {
    range.lowest = std::min(range.lowest, value);
    range.highest = std::max(range.highest, value);
  };
  if (golden[id].constant && golden[id].producer == NodeId::None) {
    for (const double value : to_doubles(*golden[id].constant)) extend(value);
    return range;
  }
  const auto seen = calibration.find(golden[id].name);
  if (seen != calibration.end() && seen->second.has_range()) {
    extend(static_cast<double>(seen->second.lowest));
    extend(static_cast<double>(seen->second.highest));
  }
  return range;
}

/// The value is an output, or moves alone lead from it to one.
bool reaches_output(const Graph& golden, ValueId id) {
  if (golden.is_output(id)) return true;
  const std::span<const NodeId> users = golden.users(id);
  return std::any_of(users.begin(), users.end(), [&](NodeId user) {
    const Node& node = golden[user];
    const QuantRule rule = schema_of(node).quant;
    if (rule != QuantRule::Same && node.op != "Concat") return false;
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId output) { return output != ValueId::None && reaches_output(golden, output); });
  });
}

}  // namespace

std::vector<CollapsedConcat> collapsed_concats(const Graph& golden, const Calibration& calibration, DType codes) {
  const double bits = std::log2(static_cast<double>(highest_code(codes)) - static_cast<double>(lowest_code(codes)) + 1);
  std::vector<CollapsedConcat> found;
  for (const NodeId id : golden.order()) {
    const Node& node = golden[id];
    if (node.op != "Concat" || !is_floating(golden[node.outputs[0]].dtype)) continue;
    OperandRange all;
    for (const ValueId operand : node.inputs) {
      const OperandRange range = range_of(golden, operand, calibration);
      all = {std::min(all.lowest, range.lowest), std::max(all.highest, range.highest)};
    }
    double least = bits;
    ValueId narrowest = ValueId::None;
    std::string operands;
    for (const ValueId operand : node.inputs) {
      const OperandRange range = range_of(golden, operand, calibration);
      operands += fmt::format("{}'{}' ({:.4g} to {:.4g})", operands.empty() ? "" : ", ", golden[operand].name,
                              range.lowest, range.highest);
      if (range.width() == 0) continue;  // zeros are exact in every scale
      const double kept = bits - std::log2(all.width() / range.width());
      if (kept >= least) continue;
      least = kept;
      narrowest = operand;
    }
    if (narrowest == ValueId::None || least >= kLeastBits || !reaches_output(golden, node.outputs[0])) continue;
    found.push_back(
        {id, fmt::format("Concat '{}' joins {}: with one scale for all, '{}' keeps {:.1f} of its {:.0f} bits",
                         golden[node.outputs[0]].name, operands, golden[narrowest].name, std::max(least, 0.0), bits)});
  }
  return found;
}

std::vector<PrecisionRule> rules_for(const Graph& golden, const std::vector<CollapsedConcat>& concats) {
  std::vector<PrecisionRule> rules;
  for (const CollapsedConcat& concat : concats) {
    rules.push_back({.kind = PrecisionRule::Kind::Tensor,
                     .pattern = golden[golden[concat.node].outputs[0]].name,
                     .dtype = DType::Float16,
                     .source = "split_concat"});
  }
  return rules;
}

}  // namespace openrknn
