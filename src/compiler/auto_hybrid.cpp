#include "compiler/auto_hybrid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/analysis/analyze.h"
#include "compiler/quantize/precision_rules.h"

namespace openrknn {
namespace {

constexpr double kLargestHalf = 65504;

std::vector<PrecisionRule> lift_inaccurate(const PreparedBuild& prepared, const CompileOptions& options,
                                           const Samples& samples, ThreadPool& pool, const Progress& progress) {
  const Graph& golden = prepared.goldens.front();
  const Target& target = *find_target(options.target);
  const Graph built = build_graph(prepared, options, pool);
  const DType lift = target.float16 ? DType::Float16 : DType::Int16;
  const Analysis analysis =
      analyze(golden, built, arithmetic_of(target), layer_rows(golden, built),
              first_samples(samples, kAutoHybridSamples), pool, progress, {}, options.custom_code);
  std::vector<PrecisionRule> rules;
  for (const AnalyzedLayer& layer : analysis.layers) {
    if (layer.row.is_blank()) continue;
    const ValueId value = golden.find(layer.row.reference);
    const NodeId node = value == ValueId::None ? NodeId::None : golden[value].producer;
    // Inputs, conversions, and what is float already.
    if (node == NodeId::None || !is_code_type(built[value].dtype) || built[value].dtype == lift) continue;
    if (built[value].name != layer.row.layer) continue;
    const bool parallel = layer.single.cosine >= options.auto_hybrid_cosine;  // false for NaN
    const bool far = options.auto_hybrid_euclidean && !(layer.single.euclidean <= *options.auto_hybrid_euclidean);
    if (parallel && !far) continue;
    rules.push_back({.kind = PrecisionRule::Kind::Tensor,
                     .pattern = golden[value].name,
                     .dtype = lift,
                     .source = fmt::format("auto_hybrid: {} (cosine {:.5f}, euclidean {:.5f})", golden[value].name,
                                           layer.single.cosine, layer.single.euclidean)});
  }
  return rules;
}

bool exceeds_half(const Calibration& calibration, const Graph& golden, ValueId id) {
  if (!is_real(golden, id)) return false;
  const auto seen = calibration.find(golden[id].name);
  if (seen == calibration.end() || !seen->second.has_range()) return false;
  return std::max(std::abs(static_cast<double>(seen->second.lowest)),
                  std::abs(static_cast<double>(seen->second.highest))) > kLargestHalf;
}

std::vector<PrecisionRule> lift_overflowing(PreparedBuild& prepared, const CompileOptions& options) {
  const Graph& golden = prepared.goldens.front();
  const Target& target = *find_target(options.target);
  const PrecisionMap precision = assign_precision(golden, target, rules_of(prepared, options));
  std::vector<PrecisionRule> rules;
  for (const NodeId id : golden.order()) {
    if (!gives_reals(golden, id) || precision.at(id).dtype != DType::Float16) continue;
    const Node& node = golden[id];
    const auto exceeds = [&](ValueId value) { return exceeds_half(prepared.calibration, golden, value); };
    const auto found_out = std::find_if(node.outputs.begin(), node.outputs.end(), exceeds);
    const auto found_in = std::find_if(node.inputs.begin(), node.inputs.end(), exceeds);
    if (found_out == node.outputs.end() && found_in == node.inputs.end()) continue;
    const ValueId worst = found_out != node.outputs.end() ? *found_out : *found_in;
    const Statistics& seen = prepared.calibration.at(golden[worst].name);
    const std::string range = fmt::format("'{}' reaches from {} to {}", golden[worst].name, seen.lowest, seen.highest);
    if (const auto reason = precision_refusal(golden, id, DType::Int16, target, {.quantize = false})) {
      prepared.report.warnings.push_back(
          fmt::format("auto_hybrid: layer '{}' ({}) overflows float16 ({}) and cannot compute in int16: {}", node.name,
                      node.op, range, *reason));
      continue;
    }
    const auto real =
        std::find_if(node.outputs.begin(), node.outputs.end(), [&](ValueId value) { return is_real(golden, value); });
    rules.push_back({.kind = PrecisionRule::Kind::Tensor,
                     .pattern = golden[*real].name,
                     .dtype = DType::Int16,
                     .source = fmt::format("auto_hybrid: {} ({}, beyond float16)", golden[*real].name, range)});
  }
  return rules;
}

}  // namespace

std::vector<PrecisionRule> auto_hybrid_rules(PreparedBuild& prepared, const CompileOptions& options,
                                             const Samples& samples, ThreadPool& pool, const Progress& progress) {
  if (options.quantize) return lift_inaccurate(prepared, options, samples, pool, progress);
  return lift_overflowing(prepared, options);
}

}  // namespace openrknn
