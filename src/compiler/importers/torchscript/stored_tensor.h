// A tensor of an archive: a view of its entry's bytes where it can be, else a copy in order.
#pragma once

#include <functional>
#include <string>

#include "compiler/importers/torchscript/archive.h"
#include "core/base/error.h"
#include "core/base/tensor.h"

namespace openrknn::torchscript {

/// Where a tensor's numbers are: elements of an entry from `offset` on.
struct StoredTensor {
  std::string entry;
  DType dtype = DType::Float32;
  Shape dims, strides;  ///< of elements
  int64_t offset = 0;
};

/// Floats of every width come in float32, as they are computed. `refuse` throws with the place that asked.
Tensor read_tensor(const Archive&, const StoredTensor&, const std::function<void(std::string, Code)>& refuse);

}  // namespace openrknn::torchscript
