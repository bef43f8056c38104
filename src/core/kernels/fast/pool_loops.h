// Pools of one output pixel: vectors run along the channels. Reads may run past the last channel, writes never do.
#pragma once

#include "core/kernels/fast/pair_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

/// A vector of Float32 or Float16 values as floats, and the first `count` of one back.
template <class Isa>
OPENRKNN_INLINE Floats<Isa> load_wide(const float* from) {
  return load<Floats<Isa>>(from);
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> load_wide(const uint16_t* from) {
  return Floats<Isa>(Isa::load_half(from));
}
template <class Isa>
OPENRKNN_INLINE void store_wide(float* to, Floats<Isa> v, int64_t count) {
  if (count >= Floats<Isa>::kLanes) return store(to, v);
  store_first(to, v, count);
}
template <class Isa>
OPENRKNN_INLINE void store_wide(uint16_t* to, Floats<Isa> v, int64_t count) {
  constexpr int kLanes = Floats<Isa>::kLanes;
  if (count >= kLanes) return Isa::store_half(to, v.raw);
  uint16_t rest[kLanes];
  Isa::store_half(rest, v.raw);
  for (int64_t i = 0; i < count; ++i) to[i] = rest[i];
}

/// Vectors that pass over the taps together: each waits for its own sum only.
inline constexpr int kPoolVectors = 4;

/// Calls block<number of vectors>(first channel) until all channels are done.
template <int kLanes, class Block>
OPENRKNN_INLINE void for_channel_blocks(int64_t channels, Block block) {
  int64_t c = 0;
  for (; c + kPoolVectors * kLanes <= channels; c += kPoolVectors * kLanes) {
    block.template operator()<kPoolVectors>(c);
  }
  for (; c < channels; c += kLanes) block.template operator()<1>(c);
}

template <class Isa, class T, class Combine, class Finish>
OPENRKNN_INLINE void pool_floats(const PoolPixel& pixel, float start, Combine combine, Finish finish) {
  using V = Floats<Isa>;
  for_channel_blocks<V::kLanes>(
      pixel.channels, [&]<int kVectors>(int64_t c) __attribute__((always_inline)) {
        V v[kVectors];
        for (V& each : v) each = V(start);
        for (int64_t tap = 0; tap < pixel.count; ++tap) {
          const T* from = static_cast<const T*>(pixel.taps[tap]) + c;
#pragma GCC unroll 4
          for (int i = 0; i < kVectors; ++i) v[i] = combine(v[i], load_wide<Isa>(from + i * V::kLanes));
        }
        T* out = static_cast<T*>(pixel.out) + c;
        for (int i = 0; i < kVectors; ++i) {
          const int64_t at = i * V::kLanes;
          store_wide(out + at, finish(v[i]), pixel.channels - c - at);
        }
      });
}

/// NaN wins, as in the reference.
template <class Isa, class T>
void max_floats(const PoolPixel& pixel) {
  using V = Floats<Isa>;
  pool_floats<Isa, T>(
      pixel, -__builtin_inff(), [](V best, V x) { return select((x > best) | (x != x), x, best); },
      [](V v) { return v; });
}
template <class Isa, class T>
void average_floats(const PoolPixel& pixel) {
  using V = Floats<Isa>;
  const float divisor = pixel.divisor;
  pool_floats<Isa, T>(
      pixel, 0.0f, [](V sum, V x) { return sum + x; }, [=](V v) { return v / V(divisor); });
}

/// The largest code of all taps, kBytes channels from `c` on.
template <class Isa, int kBytes>
OPENRKNN_INLINE typename Registers<kBytes>::Bytes largest_codes(const PoolPixel& pixel, int64_t c) {
  using Bytes = typename Registers<kBytes>::Bytes;
  Bytes best = Bytes{} + static_cast<int8_t>(-128);
  for (int64_t tap = 0; tap < pixel.count; ++tap) {
    Bytes x;
    __builtin_memcpy(&x, static_cast<const int8_t*>(pixel.taps[tap]) + c, sizeof(x));
    best = x > best ? x : best;
  }
  return best;
}
template <class Isa>
void max_codes(const PoolPixel& pixel) {
  constexpr int kShort = 16;  // a whole vector is too much for the few channels of small networks
  int8_t* out = static_cast<int8_t*>(pixel.out);
  int64_t c = 0;
  for (; c + Isa::kBytes <= pixel.channels; c += Isa::kBytes) {
    const auto best = largest_codes<Isa, Isa::kBytes>(pixel, c);
    __builtin_memcpy(out + c, &best, sizeof(best));
  }
  for (; c + kShort <= pixel.channels; c += kShort) {
    const auto best = largest_codes<Isa, kShort>(pixel, c);
    __builtin_memcpy(out + c, &best, sizeof(best));
  }
  if (c == pixel.channels) return;
  const auto best = largest_codes<Isa, kShort>(pixel, c);
  for (int64_t i = 0; c + i < pixel.channels; ++i) out[c + i] = best[i];
}
template <class Isa>
void average_codes(const PoolPixel& pixel) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const CodeScale scale = pixel.scale;
  for_channel_blocks<kLanes>(
      pixel.channels, [&]<int kVectors>(int64_t c) __attribute__((always_inline)) {
        V sums[kVectors];
        for (V& each : sums) each = V(pixel.start);
        for (int64_t tap = 0; tap < pixel.count; ++tap) {
          const int8_t* from = static_cast<const int8_t*>(pixel.taps[tap]) + c;
#pragma GCC unroll 4
          for (int i = 0; i < kVectors; ++i) sums[i] = sums[i] + V(Isa::load_codes(from + i * kLanes));
        }
        int8_t* out = static_cast<int8_t*>(pixel.out) + c;
        for (int i = 0; i < kVectors; ++i) {
          store_codes<Isa>(out + i * kLanes, scale_codes(scale, sums[i]), pixel.channels - c - i * kLanes);
        }
      });
}

/// Adds `rows` rows of codes, `row_bytes` apart, to one sum per column.
template <class Isa>
void sum_codes(const int8_t* from, int64_t rows, int64_t row_bytes, int64_t columns, int32_t* sums) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  for_channel_blocks<kLanes>(
      columns, [&]<int kVectors>(int64_t c) __attribute__((always_inline)) {
        V v[kVectors];
        for (V& each : v) each = V(0);
        const int8_t* row = from + c;
        for (int64_t i = 0; i < rows; ++i, row += row_bytes) {
#pragma GCC unroll 4
          for (int j = 0; j < kVectors; ++j) v[j] = v[j] + V(Isa::load_codes(row + j * kLanes));
        }
        for (int j = 0; j < kVectors; ++j) {
          int32_t* to = sums + c + j * kLanes;
          for (int64_t lane = 0; lane < kLanes && c + j * kLanes + lane < columns; ++lane) to[lane] += v[j].raw[lane];
        }
      });
}

}  // namespace openrknn::fast
