// Pools of one output pixel: vectors run along the channels. Reads may run past the last channel, writes never do.
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

template <class Isa, class Combine, class Finish>
OPENRKNN_INLINE void pool_floats(const PoolPixel& pixel, float start, Combine combine, Finish finish) {
  using V = Floats<Isa>;
  for (int64_t c = 0; c < pixel.channels; c += V::kLanes) {
    V v(start);
    for (int64_t tap = 0; tap < pixel.count; ++tap) {
      v = combine(v, load<V>(static_cast<const float*>(pixel.taps[tap]) + c));
    }
    float* out = static_cast<float*>(pixel.out) + c;
    if (pixel.channels - c >= V::kLanes)
      store(out, finish(v));
    else
      store_first(out, finish(v), pixel.channels - c);
  }
}

/// NaN wins, as in the reference.
template <class Isa>
void max_floats(const PoolPixel& pixel) {
  using V = Floats<Isa>;
  pool_floats<Isa>(
      pixel, -__builtin_inff(), [](V best, V x) { return select((x > best) | (x != x), x, best); },
      [](V v) { return v; });
}
template <class Isa>
void average_floats(const PoolPixel& pixel) {
  using V = Floats<Isa>;
  const float divisor = pixel.divisor;
  pool_floats<Isa>(
      pixel, 0.0f, [](V sum, V x) { return sum + x; }, [=](V v) { return v / V(divisor); });
}

template <class Isa>
void max_codes(const PoolPixel& pixel) {
  using Bytes = typename Registers<Isa::kBytes>::Bytes;
  for (int64_t c = 0; c < pixel.channels; c += Isa::kBytes) {
    Bytes best = Bytes{} + static_cast<int8_t>(-128);
    for (int64_t tap = 0; tap < pixel.count; ++tap) {
      Bytes x;
      __builtin_memcpy(&x, static_cast<const int8_t*>(pixel.taps[tap]) + c, sizeof(x));
      best = x > best ? x : best;
    }
    int8_t* out = static_cast<int8_t*>(pixel.out) + c;
    if (pixel.channels - c >= Isa::kBytes) {
      __builtin_memcpy(out, &best, sizeof(best));
      continue;
    }
    int8_t rest[Isa::kBytes];
    __builtin_memcpy(rest, &best, sizeof(best));
    for (int64_t i = 0; i < pixel.channels - c; ++i) out[i] = rest[i];
  }
}

}  // namespace openrknn::fast
