// Functions of one float over contiguous values: the vector side of reference/activation.cpp, same formulas.
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"
#include "core/kernels/math.h"

namespace openrknn::fast {

template <class Isa>
OPENRKNN_INLINE Floats<Isa> clip(Floats<Isa> x, Floats<Isa> low, Floats<Isa> high) {
  const Floats<Isa> raised = select(x < low, low, x);
  return select(raised > high, high, raised);
}

/// f over in[0 … count): whole vectors, then one partial. in == out is fine.
template <class Isa, class F>
OPENRKNN_INLINE void map_floats(const float* in, float* out, int64_t count, F f) {
  using V = Floats<Isa>;
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) store(out + i, f(load<V>(in + i)));
  if (i < count) store_first(out + i, f(load_first<Isa>(in + i, count - i)), count - i);
}

template <class Isa>
[[gnu::noinline]] void apply_activation(const Activation& a, const float* in, float* out, int64_t count) {
  using V = Floats<Isa>;
  const float alpha = a.alpha, beta = a.beta, gamma = a.gamma, low = a.low, high = a.high;
  const auto each = [&](auto f) __attribute__((always_inline)) { map_floats<Isa>(in, out, count, f); };
  switch (a.function) {
    case Function::Identity:
      if (in != out) each([](V x) { return x; });
      return;
    case Function::Relu:
      return each([](V x) { return select(x < V(0.0f), V(0.0f), x); });
    case Function::Clip:
      return each([=](V x) { return clip(x, V(low), V(high)); });
    case Function::LeakyRelu:
      return each([=](V x) { return select(x < V(0.0f), x * V(alpha), x); });
    case Function::Elu:
      return each([=](V x) { return math::elu(x, alpha); });
    case Function::Selu:
      return each([=](V x) { return V(gamma) * math::elu(x, alpha); });
    case Function::Celu:
      return each([=](V x) { return select(x > V(0.0f), x, math::expm1(x / V(alpha)) * V(alpha)); });
    case Function::HardSigmoid:
      return each([=](V x) { return math::hard_sigmoid(x, alpha, beta); });
    case Function::HardSwish:
      return each([](V x) { return math::hard_swish(x); });
    case Function::Sigmoid:
      return each([](V x) { return math::sigmoid(x); });
    case Function::Tanh:
      return each([](V x) { return math::tanh(x); });
    case Function::Softplus:
      return each([](V x) { return math::softplus(x); });
    case Function::Softsign:
      return each([](V x) { return x / (V(1.0f) + math::absolute(x)); });
    case Function::SiLU:
      return each([](V x) { return math::silu(x); });
    case Function::Mish:
      return each([](V x) { return math::mish(x); });
    case Function::GeluErf:
      return each([](V x) { return math::gelu_erf(x); });
    case Function::GeluTanh:
      return each([](V x) { return math::gelu_tanh(x); });
    case Function::Erf:
      return each([](V x) { return math::erf(x); });
    case Function::Exp:
      return each([](V x) { return math::exp(x); });
    case Function::Log:
      return each([](V x) { return math::log(x); });
    case Function::Sqrt:
      return each([](V x) { return square_root(x); });
  }
}

template <class Isa>
void half_to_float(const uint16_t* in, float* out, int64_t count) {
  constexpr int kLanes = Floats<Isa>::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(out + i, Floats<Isa>(Isa::load_half(in + i)));
  }
  if (i == count) return;
  uint16_t rest[kLanes] = {};
  for (int64_t j = i; j < count; ++j) rest[j - i] = in[j];
  store_first(out + i, Floats<Isa>(Isa::load_half(rest)), count - i);
}

template <class Isa>
void float_to_half(const float* in, uint16_t* out, int64_t count) {
  constexpr int kLanes = Floats<Isa>::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Isa::store_half(out + i, load<Floats<Isa>>(in + i).raw);
  if (i == count) return;
  uint16_t rest[kLanes];
  Isa::store_half(rest, load_first<Isa>(in + i, count - i).raw);
  for (int64_t j = i; j < count; ++j) out[j] = rest[j - i];
}

/// Codes to what the CPU's products multiply: int16, or bytes with an offset.
template <class Isa>
inline constexpr bool converts_codes = sizeof(typename Isa::Code) > 1 || Isa::kCodeOffset != 0;
template <class Isa>
void convert_codes(const int8_t* in, void* to, int64_t count) {
  using Code = typename Isa::Code;
  constexpr int kLanes = Isa::kBytes / static_cast<int>(sizeof(Code));
  Code* out = static_cast<Code*>(to);
  int64_t i = 0;
  if constexpr (sizeof(Code) == 1) {
    using Bytes = typename Registers<Isa::kBytes>::Bytes;
    for (; i + kLanes <= count; i += kLanes) {
      Bytes codes;
      __builtin_memcpy(&codes, in + i, sizeof(codes));
      codes ^= static_cast<int8_t>(-128);  // what adding 128 does to a byte
      __builtin_memcpy(out + i, &codes, sizeof(codes));
    }
    static_assert(Isa::kCodeOffset == 0 || Isa::kCodeOffset == 128);
  } else {
    for (; i + kLanes <= count; i += kLanes) Isa::widen(in + i, out + i);
  }
  for (; i < count; ++i) out[i] = static_cast<Code>(in[i] + Isa::kCodeOffset);
}

}  // namespace openrknn::fast
