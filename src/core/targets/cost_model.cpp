#include "core/targets/cost_model.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/base/error.h"

namespace openrknn {
namespace {

// What an ARM core of these SoCs does for the runtime's CPU kernels: not fitted, there are no public rates. A memory
// copy there runs at some gigabytes a second; a kernel reads, converts to float and writes.
constexpr double kCpuBytesPerMicrosecond = 1000, kCpuProductsPerMicrosecond = 4000, kCpuLayerMicroseconds = 50;
// Of the output stage and the pooling unit, elements of 16 lanes; and what each further piece of a layer costs. The
// rates do not tell these apart from the fitted ones.
constexpr double kResultsPerCycle = 16, kPooledPerCycle = 16, kTileMicroseconds = 1;
/// Register words and task descriptors of a layer.
constexpr int64_t kProgramBytesPerTile = 1024;
/// Cores that share a layer meet at its end.
constexpr double kMeetingMicroseconds = 10;

/// Layers the compiler divides among cores (docs/estimates.md): RK3588 and RK3576.
bool is_divided(const Graph& graph, const LayerWork& work, const Target& target) {
  if (!target.core_mask) return false;
  const std::string& op = graph[work.node].op;
  return op == "Conv" || op == "Add" || op == "Mul" || op == "MatMul";
}

}  // namespace

const CostParameters& cost_parameters_of(const Target& target) {
  for (const CostParameters& row : all_cost_parameters()) {
    if (row.target == target.name) return row;
  }
  fail(Code::Internal, "target '" + std::string(target.name) + "' has no cost parameters");
}

std::string_view name(Bottleneck bottleneck) {
  constexpr std::array<std::string_view, 5> kNames = {"multipliers", "output stage", "memory", "start", "CPU"};
  return kNames[static_cast<size_t>(bottleneck)];
}

LayerCost cost_of(const LayerWork& work, const Graph& graph, const Target& target, const CostParameters& parameters,
                  int cores) {
  LayerCost cost;
  if (work.placement.place != Place::Npu) {
    cost.bottleneck = Bottleneck::Cpu;
    cost.microseconds = kCpuLayerMicroseconds + static_cast<double>(work.bytes()) / kCpuBytesPerMicrosecond +
                        static_cast<double>(work.products) / kCpuProductsPerMicrosecond;
    return cost;
  }
  cost.array_cycles = work.array_steps * parameters.cycles_per_step;
  cost.output_cycles = static_cast<double>(work.results) / kResultsPerCycle +
                       static_cast<double>(work.curve_results) * parameters.cycles_per_curve +
                       static_cast<double>(work.pooled) / kPooledPerCycle;
  cost.bus_cycles = static_cast<double>(work.bytes()) * parameters.cycles_per_byte;
  const double sharers = is_divided(graph, work, target) ? cores : 1;
  // The output stage works while the multipliers do; reading and writing hardly overlap with either.
  const double computing = std::max(cost.array_cycles, cost.output_cycles) / sharers;
  const double busy = (computing + cost.bus_cycles) / target.clock_mhz;
  const bool is_free = work.bytes() == 0 || work.fused_into != NodeId::None;  // views, and what rides on another layer
  const double fixed = (is_free ? 0 : parameters.layer_microseconds) +
                       kTileMicroseconds * static_cast<double>(work.tiles - 1) +
                       (sharers > 1 ? kMeetingMicroseconds : 0);
  cost.microseconds = busy + fixed;
  cost.bottleneck = fixed > busy                             ? Bottleneck::Fixed
                    : cost.bus_cycles > computing            ? Bottleneck::Bus
                    : cost.output_cycles > cost.array_cycles ? Bottleneck::Output
                                                             : Bottleneck::Array;
  return cost;
}

ModelCost cost_of_model(const Graph& graph, const Target& target, const ElementTypes& types, int cores) {
  const CostParameters& parameters = cost_parameters_of(target);
  ModelCost cost{.works = work_of(graph, target, types)};
  cost.microseconds = parameters.run_microseconds;
  for (const LayerWork& work : cost.works) {
    cost.layers.push_back(cost_of(work, graph, target, parameters, cores));
    cost.microseconds += cost.layers.back().microseconds;
    if (work.placement.place == Place::Npu) cost.program_bytes += kProgramBytesPerTile * work.tiles;
  }
  cost.weight_bytes = constant_bytes(graph, types);
  cost.feature_bytes = peak_feature_bytes(graph, target, types);
  return cost;
}

}  // namespace openrknn
