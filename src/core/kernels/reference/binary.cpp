// Arithmetic of two operands that broadcast: Add Sub Mul Div Pow Mod Max Min PRelu.
// Float rule: one operation rounded once in float32, then the fused activation, then one rounding to the dtype. Max and
// Min return NaN if either operand is NaN, and the second operand where both are equal. Integers are exact and wrap
// around; division truncates, and dividing by 0 gives 0 (ONNX leaves it open; it must not trap).
#include <cmath>
#include <type_traits>

#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/power.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct BinaryState {
  Body<BinaryState> body = nullptr;
  Broadcast broadcast;
  UnaryFunction activation;
  Tiles tiles;
};

/// Integer arithmetic in uint64_t: overflow wraps instead of being undefined.
template <class T>
uint64_t bits_of(T x) {
  return static_cast<uint64_t>(x);
}
struct Add {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(bits_of(a) + bits_of(b));
    else
      return a + b;
  }
};
struct Sub {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(bits_of(a) - bits_of(b));
    else
      return a - b;
  }
};
struct Mul {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(bits_of(a) * bits_of(b));
    else
      return a * b;
  }
};
struct Div {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == T{0}) return T{0};
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return static_cast<T>(uint64_t{0} - bits_of(a));  // lowest / -1 overflows
      }
    }
    return static_cast<T>(a / b);
  }
};
/// Remainder with the sign of the dividend (C).
struct TruncatedMod {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == T{0}) return T{0};
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return T{0};
      }
      return static_cast<T>(a % b);
    } else {
      return std::fmod(a, b);  // exact by definition, hence the same in every C library
    }
  }
};
/// Remainder with the sign of the divisor (Python).
struct FlooredMod {
  template <class T>
  static T apply(T a, T b) {
    const T rest = TruncatedMod::apply(a, b);
    return rest != T{0} && (rest < T{0}) != (b < T{0}) ? Add::apply(rest, b) : rest;
  }
};
struct Max {
  template <class T>
  static T apply(T a, T b) {
    return (a > b) | (a != a) ? a : b;
  }
};
struct Min {
  template <class T>
  static T apply(T a, T b) {
    return (a < b) | (a != a) ? a : b;
  }
};
struct PRelu {
  template <class T>
  static T apply(T x, T slope) {
    return x < T{0} ? Mul::apply(x, slope) : x;
  }
};

/// Halves converted into `floats`; everything else stays where it is.
constexpr int64_t kChunk = 256;
template <class T>
const Wide<T>* widen(const T* values, int64_t count, Wide<T>* floats) {
  if constexpr (std::is_same_v<T, Wide<T>>) {
    return values;
  } else {
    load_floats(values, floats, count);
    return floats;
  }
}

/// A result rounds to T only after the activation, so 16-bit floats go through a short run of float32.
template <class A, class B, class Function>
void run_binary_rows(const BinaryState& s, std::span<const Buffer> buffers, int64_t tile, Function function) {
  constexpr bool kDirect = std::is_same_v<A, Wide<A>>;
  const A* a = input<A>(buffers, 0);
  const B* b = input<B>(buffers, 1);
  A* y = output<A>(buffers);
  const int64_t a_stride = s.broadcast.strides[0].back(), b_stride = s.broadcast.strides[1].back();
  const auto row = [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& offsets) {
    const A* from_a = a + offsets[0];
    const B* from_b = b + offsets[1];
    if constexpr (kDirect) {
      zip(from_a, a_stride, from_b, b_stride, y + position, count, function);
      if constexpr (std::is_same_v<A, float>) s.activation.in_place(y + position, count);
    } else {
      Wide<A> a_floats[kChunk], values[kChunk];
      Wide<B> b_floats[kChunk];
      for (int64_t i = 0; i < count; i += kChunk) {
        const int64_t part = std::min(kChunk, count - i);
        const auto* wide_a = widen(from_a + i * a_stride, a_stride == 0 ? 1 : part, a_floats);
        const auto* wide_b = widen(from_b + i * b_stride, b_stride == 0 ? 1 : part, b_floats);
        zip(wide_a, a_stride, wide_b, b_stride, values, part, function);
        s.activation.in_place(values, part);
        store_floats(values, y + position + i, part);
      }
    }
  };
  for_rows(s.broadcast, s.tiles.begin(tile), s.tiles.end(tile), row);
}

template <class T, class Op>
void run_binary(const BinaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  run_binary_rows<T, T>(s, buffers, tile, [](Wide<T> a, Wide<T> b) { return Op::apply(a, b); });
}
template <class T, class Exponent>
void run_power(const BinaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  run_binary_rows<T, Exponent>(s, buffers, tile, [](Wide<T> x, Wide<Exponent> y) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<Exponent>)
      return integer_power(x, whole_exponent(y));
    else if constexpr (std::is_integral_v<T>)
      return integer_power(x, static_cast<float>(y));
    else
      return power(x, static_cast<float>(y));
  });
}

bool accepts_binary(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  if (!same_dtype(a, y)) return false;
  if (call.node.op != "Pow" && !same_dtype(a, b)) return false;
  if (is_float(a)) return (is_float(b) || is_plain_integer(b)) && fused_activation(call.node).has_value();
  return is_plain_integer(a) && is_plain_integer(b) && is_plain_integer(y) && !fused_activation(call.node)->apply;
}

Prepared finish(const Call& call, BinaryState s) {
  s.broadcast = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  s.activation = *fused_activation(call.node);
  s.tiles = {s.broadcast.total};
  const bool second = same_dtype(call.inputs[1], call.outputs[0]) && s.broadcast.dense(1);
  const int in_place = s.broadcast.dense(0) ? 0 : second ? 1 : -1;
  return make_tiled(std::move(s), 0, in_place);
}
template <class Op>
Prepared prepare_binary(const Call& call, Weights&) {
  BinaryState s;
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_binary<T, Op>; });
  return finish(call, std::move(s));
}
Prepared prepare_mod(const Call& call, Weights& weights) {
  const bool truncated = int_attribute(call.node.attributes, "fmod", 0) != 0;
  return truncated ? prepare_binary<TruncatedMod>(call, weights) : prepare_binary<FlooredMod>(call, weights);
}

using PowerTypes = NumberTypes;
bool accepts_power(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  if (!same_dtype(a, y) || a.quant || b.quant || y.quant || !fused_activation(call.node)) return false;
  return one_of(PowerTypes{}, a.dtype) && one_of(PowerTypes{}, b.dtype) &&
         (is_float(a) || !fused_activation(call.node)->apply);
}
Prepared prepare_power(const Call& call, Weights&) {
  BinaryState s;
  visit(PowerTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) {
    visit(PowerTypes{}, call.inputs[1].dtype, [&]<class U>(Tag<U>) { s.body = run_power<T, U>; });
  });
  return finish(call, std::move(s));
}

constexpr Kernel kBinaryKernels[] = {
    {"Add", "add_reference", 0, accepts_binary, prepare_binary<Add>, run_body<BinaryState>},
    {"Sub", "sub_reference", 0, accepts_binary, prepare_binary<Sub>, run_body<BinaryState>},
    {"Mul", "mul_reference", 0, accepts_binary, prepare_binary<Mul>, run_body<BinaryState>},
    {"Div", "div_reference", 0, accepts_binary, prepare_binary<Div>, run_body<BinaryState>},
    {"Max", "max_reference", 0, accepts_binary, prepare_binary<Max>, run_body<BinaryState>},
    {"Min", "min_reference", 0, accepts_binary, prepare_binary<Min>, run_body<BinaryState>},
    {"PRelu", "prelu_reference", 0, accepts_binary, prepare_binary<PRelu>, run_body<BinaryState>},
    {"Mod", "mod_reference", 0, accepts_binary, prepare_mod, run_body<BinaryState>},
    {"Pow", "pow_reference", 0, accepts_power, prepare_power, run_body<BinaryState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_binary_kernels() { return reference::kBinaryKernels; }

}  // namespace openrknn
