// `openrknn estimate`: how long SoCs would take for a model and how much memory, from counted work (docs/estimates.md).
#pragma once

#include <string>
#include <vector>

#include "core/targets/roofline.h"
#include "toolkit/target_view.h"

namespace openrknn {

struct Estimate {
  const Target* target;
  std::string build;
  int cores = 1;            ///< that share a run
  bool calibrated = false;  ///< the SoC's parameters are fitted to published rates of its own
  ModelCost cost;
  std::shared_ptr<const Graph> graph;  ///< the cost's nodes are of it

  double milliseconds() const { return cost.microseconds / 1e3; }
  double frames_per_second() const { return 1e6 / cost.microseconds; }
  int64_t memory_bytes() const { return cost.weight_bytes + cost.feature_bytes + cost.program_bytes; }
};
/// `cores`: that share each run; 0: one. More than a SoC has are as many as it has.
std::vector<Estimate> estimate(const TargetRequest&, int cores = 0);

/// One line a SoC; for a single one the layers that take longest follow.
std::string estimate_text(const std::vector<Estimate>&, size_t layers = 20);
/// With every layer's counted work.
std::string estimate_json(const std::vector<Estimate>&);
/// An HTML file with a roofline for each SoC (docs/report.md).
std::string estimate_html(const std::string& model, const std::vector<Estimate>&);
Roofline roofline_of(const Estimate&);

}  // namespace openrknn
