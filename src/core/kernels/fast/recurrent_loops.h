// One step of LSTM and GRU: few rows times a matrix that is read once a step, and the functions of the gates.
#pragma once

#include "core/kernels/fast/activation_loops.h"

namespace openrknn::fast {

/// kRows rows times a panel of four vectors: with one row that is four accumulators, enough to keep up with weights
/// that come from the second-level cache.
template <class Isa, int kRows>
OPENRKNN_INLINE void recurrent_block(const RecurrentProduct& p, const float* inputs, const float* weights,
                                     float* sums) {
  using V = Floats<Isa>;
  constexpr int kVectors = 4;
  V sum[kRows][kVectors];
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[row][v] = load<V>(sums + row * p.sum_stride + v * V::kLanes);
  }
  for (int64_t k = 0; k < p.depth; ++k, weights += kVectors * V::kLanes) {
    V w[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) w[v] = load<V>(weights + v * V::kLanes);
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) {
      const V input(inputs[row * p.input_stride + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[row][v] = fma(input, w[v], sum[row][v]);
    }
  }
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(sums + row * p.sum_stride + v * V::kLanes, sum[row][v]);
  }
}

template <class Isa>
void recurrent_product(const RecurrentProduct& p) {
  constexpr int kPanel = 4 * Floats<Isa>::kLanes, kRows = Isa::kFloatRows / 3;
  for (int64_t column = 0; column < p.columns; column += kPanel) {
    const float* weights = p.weights + column * p.depth;
    const float* inputs = p.inputs;
    float* sums = p.sums + column;
    int64_t row = 0;
    for (; row + kRows <= p.rows; row += kRows, inputs += kRows * p.input_stride, sums += kRows * p.sum_stride) {
      recurrent_block<Isa, kRows>(p, inputs, weights, sums);
    }
    for (; row < p.rows; ++row, inputs += p.input_stride, sums += p.sum_stride) {
      recurrent_block<Isa, 1>(p, inputs, weights, sums);
    }
  }
}

/// Vector i of `count` values, whole or in part.
template <class Isa>
struct VectorAt {
  int64_t i, left;
  OPENRKNN_INLINE Floats<Isa> read(const float* from) const {
    return left >= Floats<Isa>::kLanes ? load<Floats<Isa>>(from + i) : load_first<Isa>(from + i, left);
  }
  OPENRKNN_INLINE void write(float* to, Floats<Isa> v) const {
    if (left >= Floats<Isa>::kLanes) return store(to + i, v);
    store_first(to + i, v, left);
  }
};
template <class Isa, class F>
OPENRKNN_INLINE void each_vector(int64_t count, F f) {
  for (int64_t i = 0; i < count; i += Floats<Isa>::kLanes) f(VectorAt<Isa>{i, count - i});
}

template <class Isa>
void bounded(const Activation& function, float limit, float* values, int64_t count) {
  using V = Floats<Isa>;
  if (limit != __builtin_inff()) {
    map_floats<Isa>(values, values, count, [=](V x) { return clip(x, V(-limit), V(limit)); });
  }
  apply_activation<Isa>(function, values, values, count);
}

template <class Isa>
void lstm_step(const LstmStep& s) {
  using V = Floats<Isa>;
  const int64_t n = s.hidden;
  float *input = s.gates, *out = s.gates + n, *forget = s.gates + 2 * n, *candidate = s.gates + 3 * n;
  const float* peephole = s.peephole;
  float *cell = s.cell, *state = s.state;
  const auto look = [&](const float* weights, float* gate) __attribute__((always_inline)) {
    each_vector<Isa>(n, [=](VectorAt<Isa> at) { at.write(gate, fma(at.read(weights), at.read(cell), at.read(gate))); });
  };
  if (peephole != nullptr) {
    look(peephole, input);
    look(peephole + 2 * n, forget);
    bounded<Isa>(s.gate, s.clip, input, n);
    if (!s.input_forget) bounded<Isa>(s.gate, s.clip, forget, n);
  } else {
    bounded<Isa>(s.gate, s.clip, input, (s.input_forget ? 2 : 3) * n);  // the output gate lies between the two
  }
  if (s.input_forget) {
    each_vector<Isa>(n, [=](VectorAt<Isa> at) { at.write(forget, V(1.0f) - at.read(input)); });
  }
  bounded<Isa>(s.candidate, s.clip, candidate, n);
  each_vector<Isa>(n, [=](VectorAt<Isa> at) {
    at.write(cell, fma(at.read(forget), at.read(cell), at.read(input) * at.read(candidate)));
  });
  if (s.cell_clip != __builtin_inff()) {
    map_floats<Isa>(cell, cell, n, [=](V x) { return clip(x, V(-s.cell_clip), V(s.cell_clip)); });
  }
  if (peephole != nullptr) {
    look(peephole + n, out);
    bounded<Isa>(s.gate, s.clip, out, n);
  }
  apply_activation<Isa>(s.result, cell, state, n);
  each_vector<Isa>(n, [=](VectorAt<Isa> at) { at.write(state, at.read(out) * at.read(state)); });
}

template <class Isa>
void gru_reset(const GruStep& s) {
  const int64_t n = s.hidden;
  bounded<Isa>(s.gate, s.clip, s.update_reset, 2 * n);
  const float *reset = s.update_reset + n, *state = s.state, *product = s.product, *bias = s.bias;
  float *candidate = s.candidate, *to = s.reset_state;
  if (product == nullptr) {
    each_vector<Isa>(n, [=](VectorAt<Isa> at) { at.write(to, at.read(reset) * at.read(state)); });
    return;
  }
  each_vector<Isa>(n, [=](VectorAt<Isa> at) {
    Floats<Isa> sum = at.read(product);
    if (bias != nullptr) sum = sum + at.read(bias);
    at.write(candidate, fma(at.read(reset), sum, at.read(candidate)));
  });
}

template <class Isa>
void gru_update(const GruStep& s) {
  using V = Floats<Isa>;
  bounded<Isa>(s.result, s.clip, s.candidate, s.hidden);
  const float *update = s.update_reset, *candidate = s.candidate;
  float* state = s.state;
  each_vector<Isa>(s.hidden, [=](VectorAt<Isa> at) {
    const V z = at.read(update);
    at.write(state, fma(z, at.read(state), (V(1.0f) - z) * at.read(candidate)));
  });
}

}  // namespace openrknn::fast
