// Products with and factors of the symmetric matrices that corrections solve with, in float32. The order of all sums
// is fixed: threads and CPU cannot show.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/thread_pool.h"

namespace openrknn::corrections {

/// Row-major, both triangles filled.
struct SymmetricMatrix {
  int64_t size = 0;
  std::vector<float> values;
  float* row(int64_t i) { return values.data() + i * size; }
  const float* row(int64_t i) const { return values.data() + i * size; }
};

/// results = rows · matrix; both `count` rows of matrix.size numbers.
void multiply(const SymmetricMatrix&, const float* rows, int64_t count, float* results, ThreadPool&);

/// matrix = L D Lᵀ with a unit lower triangle L, which takes the place of the lower triangle; the upper one is lost.
/// Pivots below `least` are raised to it.
void factorize(SymmetricMatrix&, float least, ThreadPool&);

}  // namespace openrknn::corrections
