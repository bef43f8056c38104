// An estimated run as a roofline: how many multiplications a second each layer reaches, beside what the SoC's
// multipliers and its bus would allow for as many bytes. docs/estimates.md says how to read it.
#pragma once

#include <string>
#include <vector>

#include "core/targets/cost_model.h"

namespace openrknn {

/// What multipliers do at most: every lane busy, and nothing that is waited for.
struct ComputeRoof {
  DType dtype;
  bool sparse;  ///< products with zeros, which are skipped over, count too
  double products_per_second;
};

struct RooflineLayer {
  std::string name, op;
  DType dtype;
  bool sparse;
  Place place;
  int64_t products, bytes;
  double microseconds;
  Bottleneck bottleneck;
  std::string limit;  ///< what it waits for, in words

  double intensity() const { return bytes == 0 ? 0 : static_cast<double>(products) / static_cast<double>(bytes); }
  double products_per_second() const { return static_cast<double>(products) / microseconds * 1e6; }
};

struct Roofline {
  const Target* target;
  std::string build;  ///< "w8a8"
  int cores;
  bool calibrated;
  double microseconds, run_microseconds;  ///< of a run; of that, beside all layers
  double bytes_per_second;
  std::vector<ComputeRoof> roofs;     ///< of what NPU layers compute in, lowest first; none: nothing is on the NPU
  std::vector<RooflineLayer> layers;  ///< in execution order, without those that take no time (views)

  /// The most products a second that a layer could reach: what bus and multipliers would do if both never waited.
  double roof_over(const RooflineLayer&) const;
};
Roofline roofline_of(const ModelCost&, const Graph&, const Target&, std::string build, int cores = 1);

}  // namespace openrknn
