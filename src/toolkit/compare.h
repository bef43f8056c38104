// How far two sets of outputs are apart.
#pragma once

#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace openrknn {

struct OutputError {
  std::string name;
  double cosine = 0;     ///< 1 for two zero tensors
  double sqnr_db = 0;    ///< 10 log10(sum wanted^2 / sum (wanted - got)^2); infinity when equal
  double euclidean = 0;  ///< |wanted - got|
  double max_absolute = 0;
  bool identical = false;  ///< same bits
};

/// Tensors are compared as doubles, element by element. Throws Error (InvalidShape) if counts or sizes differ.
std::vector<OutputError> compare_outputs(const std::vector<Tensor>& wanted, const std::vector<Tensor>& got,
                                         const std::vector<std::string>& names);

}  // namespace openrknn
