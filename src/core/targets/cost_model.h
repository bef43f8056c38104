// How long a SoC takes for counted work (layer_work.h): a few parameters for each, fitted to published frame rates.
// An estimate, never a measurement: docs/estimates.md has the formula, the fit and its errors.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/targets/layer_work.h"

namespace openrknn {

/// One row a SoC, written by benchmarks/fit_estimates.py. Rows without public rates take those of the nearest family.
struct CostParameters {
  std::string_view target;
  bool calibrated = false;                      ///< fitted to rates published for the SoC's family
  double cycles_per_step;                       ///< of the multipliers: 1 is their peak
  double cycles_per_curve;                      ///< more for each element through a table
  double cycles_per_byte;                       ///< over the bus, of one core
  double layer_microseconds, run_microseconds;  ///< for each layer on the NPU; for each run: driver, input, output
};
std::span<const CostParameters> all_cost_parameters();
const CostParameters& cost_parameters_of(const Target&);

/// What a layer waits for.
enum class Bottleneck : uint8_t { Array, Output, Bus, Fixed, Cpu };
std::string_view name(Bottleneck);  ///< "multipliers", "output stage", "memory", "start", "CPU"

struct LayerCost {
  double array_cycles = 0, output_cycles = 0, bus_cycles = 0;
  double microseconds = 0;
  Bottleneck bottleneck = Bottleneck::Fixed;
};
/// `cores` share a layer where its family divides such layers (Conv, Add, Mul); the bus is theirs together.
LayerCost cost_of(const LayerWork&, const Graph&, const Target&, const CostParameters&, int cores = 1);

struct ModelCost {
  std::vector<LayerWork> works;
  std::vector<LayerCost> layers;                                   ///< beside the works
  double microseconds = 0;                                         ///< of a run of one item
  int64_t weight_bytes = 0, feature_bytes = 0, program_bytes = 0;  ///< memory: constants, tensors at the peak, the rest
};
ModelCost cost_of_model(const Graph&, const Target&, const ElementTypes&, int cores = 1);

}  // namespace openrknn
