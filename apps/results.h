// Outputs of a run, as lines, JSON and files.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/tensor.h"

namespace openrknn {

struct Range {
  double low = 0, high = 0, mean = 0;
};
Range range_of(const Tensor&);

/// "scores  float32  [1, 10]  min … max … mean …"
void print_output(const std::string& name, const Tensor&);
/// FOLDER/NAME.npy. Makes the folder; '/' and ':' of the name become '_'.
void save_output(const std::filesystem::path& folder, std::string name, const Tensor&);

}  // namespace openrknn
