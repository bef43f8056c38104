// Rows of contiguous values as a whole: softmax, layer normalization, two operands of codes.
#pragma once

#include "core/kernels/fast/activation_loops.h"
#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

/// The sum of docs/arithmetic.md: element i goes to accumulator i mod 16, which are then folded in halves. As vectors:
/// 16 accumulators are one to four of them. Adding the zeros behind the last element changes nothing, because an
/// accumulator that starts at +0 is never -0.
template <class Isa, class F>
OPENRKNN_INLINE float interleaved_sum(const float* x, int64_t count, F f) {
  using V = Floats<Isa>;
  constexpr int kVectors = 16 / V::kLanes;
  V sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = V(0.0f);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int v = 0; v < kVectors; ++v) sums[v] = sums[v] + f(load<V>(x + i + v * V::kLanes));
  }
  for (int v = 0; v < kVectors && i < count; ++v, i += V::kLanes) {
    const int64_t left = count - i;
    sums[v] = sums[v] + (left >= V::kLanes ? f(load<V>(x + i)) : f(load_first<Isa>(x + i, left)));
  }
  float lanes[16];
  for (int v = 0; v < kVectors; ++v) store(lanes + v * V::kLanes, sums[v]);
  for (int half = 8; half >= 1; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// The order of a maximum does not matter; NaN is skipped, as in the reference.
template <class Isa>
OPENRKNN_INLINE float largest(const float* in, int64_t count) {
  using V = Floats<Isa>;
  V most(-__builtin_inff());
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    const V x = load<V>(in + i);
    most = select(x > most, x, most);
  }
  float lanes[V::kLanes];
  store(lanes, most);
  float max = lanes[0];
  for (int lane = 1; lane < V::kLanes; ++lane) max = lanes[lane] > max ? lanes[lane] : max;
  for (; i < count; ++i) max = in[i] > max ? in[i] : max;
  return max;
}

template <class Isa>
void softmax(const float* in, float* out, int64_t count) {
  using V = Floats<Isa>;
  const float max = largest<Isa>(in, count);
  map_floats<Isa>(in, out, count, [=](V x) { return math::exp(x - V(max)); });
  const float sum = interleaved_sum<Isa>(out, count, [](V x) { return x; });
  map_floats<Isa>(out, out, count, [=](V x) { return x / V(sum); });
}

/// `terms`: room for the exponentials.
template <class Isa>
void log_softmax(const float* in, float* out, float* terms, int64_t count) {
  using V = Floats<Isa>;
  const float max = largest<Isa>(in, count);
  map_floats<Isa>(in, out, count, [=](V x) { return x - V(max); });
  map_floats<Isa>(out, terms, count, [](V x) { return math::exp(x); });
  float lanes[V::kLanes];
  store(lanes, math::log(V(interleaved_sum<Isa>(terms, count, [](V x) { return x; }))));
  const float logarithm = lanes[0];
  map_floats<Isa>(out, out, count, [=](V x) { return x - V(logarithm); });
}

/// Rows of up to kMostShort values: neighbouring rows are done together, one a lane. The sum is that of 16 accumulators
/// folded in halves, of which those beyond the row are +0.
template <class Isa>
void softmax_short(const float* in, float* out, int64_t rows, int64_t length) {
  using V = Floats<Isa>;
  float columns[kMostShort][V::kLanes] = {};
  for (int64_t row = 0; row < rows; row += V::kLanes, in += V::kLanes * length, out += V::kLanes * length) {
    const int64_t count = rows - row < V::kLanes ? rows - row : V::kLanes;
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t i = 0; i < length; ++i) columns[i][lane] = in[lane * length + i];
    }
    V most(-__builtin_inff()), sums[kMostShort];
    for (int64_t i = 0; i < length; ++i) {
      const V x = load<V>(columns[i]);
      most = select(x > most, x, most);
    }
    for (int64_t i = 0; i < length; ++i) {
      sums[i] = math::exp(load<V>(columns[i]) - most);
      store(columns[i], sums[i]);
    }
    for (int64_t half = kMostShort / 2; half >= 1; half /= 2) {
      for (int64_t i = 0; i < half && i + half < length; ++i) sums[i] = sums[i] + sums[i + half];
    }
    for (int64_t i = 0; i < length; ++i) store(columns[i], load<V>(columns[i]) / sums[0]);
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t i = 0; i < length; ++i) out[lane * length + i] = columns[i][lane];
    }
  }
}

/// The same along the other dimension: each of `columns` columns of `extent` values, rows `stride` floats apart. One
/// accumulator a column, ascending (docs/arithmetic.md).
template <class Isa>
void softmax_columns(const float* in, float* out, int64_t extent, int64_t stride, int64_t columns) {
  using V = Floats<Isa>;
  for (int64_t c = 0; c < columns; c += V::kLanes, in += V::kLanes, out += V::kLanes) {
    const int64_t count = columns - c;
    const auto read = [&](const float* from) __attribute__((always_inline)) {
      return count >= V::kLanes ? load<V>(from) : load_first<Isa>(from, count);
    };
    const auto write = [&](float* to, V v) __attribute__((always_inline)) {
      if (count >= V::kLanes) return store(to, v);
      store_first(to, v, count);
    };
    V most(-__builtin_inff()), sum(0.0f);
    for (int64_t i = 0; i < extent; ++i) {
      const V x = read(in + i * stride);
      most = select(x > most, x, most);
    }
    for (int64_t i = 0; i < extent; ++i) {
      const V term = math::exp(read(in + i * stride) - most);
      sum = sum + term;
      write(out + i * stride, term);
    }
    for (int64_t i = 0; i < extent; ++i) write(out + i * stride, read(out + i * stride) / sum);
  }
}

template <class Isa>
void layer_norm(float* x, int64_t count, const float* scale, const float* bias, float epsilon) {
  using V = Floats<Isa>;
  const float n = static_cast<float>(count);
  const float mean = interleaved_sum<Isa>(x, count, [](V v) { return v; }) / n;
  map_floats<Isa>(x, x, count, [=](V v) { return v - V(mean); });
  const float variance = interleaved_sum<Isa>(x, count, [](V v) { return v * v; }) / n;
  const float inverse = 1.0f / __builtin_sqrtf(variance + epsilon);
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    V y = load<V>(x + i) * V(inverse) * load<V>(scale + i);
    if (bias) y = y + load<V>(bias + i);
    store(x + i, y);
  }
  if (i == count) return;
  V y = load_first<Isa>(x + i, count - i) * V(inverse) * load_first<Isa>(scale + i, count - i);
  if (bias) y = y + load_first<Isa>(bias + i, count - i);
  store_first(x + i, y, count - i);
}

}  // namespace openrknn::fast
