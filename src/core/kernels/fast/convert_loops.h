// Floats to codes.
#pragma once

#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

/// x / scale + zero point in doubles, rounded half to even, saturated; NaN counts as 0 (real_to_code).
template <class Isa>
void encode_codes(const float* in, int8_t* out, int64_t count, double scale, double zero_point) {
  using V = Floats<Isa>;
  using Doubles = typename Isa::Doubles;
  typedef float Half __attribute__((vector_size(Isa::kBytes / 2)));
  const auto encode = [=](Half x) __attribute__((always_inline)) {
    const Doubles real = __builtin_convertvector(x, Doubles) / scale + zero_point;
    // Clamped first: what is far out of range would lose the trick of rounding its meaning.
    return (Isa::clamp(real, Doubles{} - 128.0, Doubles{} + 127.0) + kRound) - kRound;
  };
  for (int64_t i = 0; i < count; i += V::kLanes) {
    V x = count - i >= V::kLanes ? load<V>(in + i) : load_first<Isa>(in + i, count - i);
    x = select(x != x, V(0.0f), x);
    Half halves[2];
    __builtin_memcpy(halves, &x.raw, sizeof(halves));
    store_codes<Isa>(out + i, Ints<Isa>(Isa::join(encode(halves[0]), encode(halves[1]))), count - i);
  }
}

}  // namespace openrknn::fast
