// `openrknn check`: which layers of a model SoCs compute on the NPU, which on the CPU, which not at all, and why.
#pragma once

#include <string>
#include <vector>

#include "core/targets/placement.h"
#include "toolkit/target_view.h"

namespace openrknn {

struct CheckedLayer {
  std::string node, op;  ///< as the graph after the passes has them
  DType dtype;           ///< it computes in
  NodePlacement placement;
};
struct TargetCheck {
  const Target* target;
  std::string build;
  int64_t npu = 0, cpu = 0, impossible = 0;
  std::vector<CheckedLayer> layers;  ///< those that are not on the NPU
};
std::vector<TargetCheck> check_targets(const TargetRequest&);
/// A layer that is nowhere: a build for the SoC would not run on it.
bool has_impossible(const std::vector<TargetCheck>&);

/// One line a SoC, then what is not on its NPU, layers with one reason together. With `shown` layers a reason at most.
std::string check_text(const std::vector<TargetCheck>&, size_t shown = 3);
std::string check_json(const std::vector<TargetCheck>&);

}  // namespace openrknn
