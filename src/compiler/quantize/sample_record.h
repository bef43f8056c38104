// What calibration notes of each sample by itself, for the check of the set (analysis/calibration_set.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace openrknn {

struct SampleExtent {
  float lowest = 0, highest = 0;  ///< of finite elements; 0, 0 where there are none
};

struct SampleRecord {
  /// Extremes of that many values of that many samples are kept at most: 64 MB.
  static constexpr int64_t kMostExtents = int64_t{8} << 20;

  struct Facts {
    uint64_t hash = 0;         ///< of all inputs' bytes, mean and std applied
    bool is_constant = false;  ///< every image or tensor among the inputs is of one colour, or one number
  };
  std::vector<std::string> values;                 ///< the float values watched
  std::vector<Facts> facts;                        ///< by sample
  std::vector<std::vector<SampleExtent>> extents;  ///< [sample][value]; the first samples only, if there are too many
};

/// The facts of one sample.
SampleRecord::Facts facts_of(const std::vector<Tensor>& inputs);

}  // namespace openrknn
