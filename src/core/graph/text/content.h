// Contents of constants that a test can name instead of listing.
#pragma once

#include "core/base/tensor.h"

namespace openrknn {

/// 0, 1, 2, …
Tensor iota_tensor(DType, const Shape&);
Tensor filled_tensor(DType, const Shape&, double value);
/// The same numbers on every machine: floats uniform in [-1, 1), Bool 0 or 1, integers of up to 16 bits any code, wider
/// ones -100..100 (unsigned: 0..100).
Tensor random_tensor(DType, const Shape&, uint64_t seed);

}  // namespace openrknn
