// What eval_perf and eval_memory print and give: the vendor's texts, from estimates where there is no device.
#pragma once

#include <string>

#include "core/model/model.h"
#include "toolkit/estimate.h"

namespace openrknn {

/// `by_layer`: the table of layers and the ranking of operators; else total time and frames a second. Says that it is
/// an estimate, of which SoC, and whether its parameters are calibrated.
std::string perf_text(const Estimate&, bool by_layer);

/// The vendor's text of a total time.
std::string performance_text(double microseconds);

struct MemoryReport {
  int64_t weight = 0, internal = 0, other = 0;  ///< bytes
  int64_t model = 0;                            ///< size of the .rknn
  bool is_estimate = false;
  int64_t total() const { return weight + internal + other; }
};
MemoryReport memory_report(const Estimate&, int64_t model_bytes);
std::string memory_text(const MemoryReport&);

/// The estimate of a built model on its own target, its largest shapes, one item.
Estimate estimate_model(const Model&, int cores = 1);

}  // namespace openrknn
