// How many taps an average divides by: lower() stores a multiplier for each such count, the Int8 kernel picks it.
#pragma once

#include <cstdint>

namespace openrknn {

/// Taps of output position `o` along one dimension that count: those inside the input or, with `count_padding`, also
/// those on declared padding. What ceil_mode lets a window reach beyond the padding never counts.
inline int64_t counted_pool_taps(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad,
                                 int64_t pad_end, bool count_padding, int64_t o) {
  int64_t count = 0;
  for (int64_t k = 0; k < kernel; ++k) {
    const int64_t i = o * stride - pad + k * dilation;
    count += count_padding ? i < in + pad_end : i >= 0 && i < in;
  }
  return count;
}

}  // namespace openrknn
