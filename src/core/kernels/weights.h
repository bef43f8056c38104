// Weights kept as codes by layers that compute in floats (docs/arithmetic.md, "Weights alone").
#pragma once

#include "core/graph/graph.h"

namespace openrknn {

/// (code - zero point) · scale in double, rounded to float32 and then to `dtype` (Float32 or Float16): the numbers the
/// layer's float rule is applied to. Codes are Int8 or Int4. Throws Error (GraphInvalid) where parameters do not fit.
Tensor decode_weights(const Tensor& codes, const QuantParams&, DType dtype);

}  // namespace openrknn
