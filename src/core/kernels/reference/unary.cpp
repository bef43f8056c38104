// Functions of one operand: float ones by activation.h, integer ones exactly, Not on bools.
// Float rule: evaluated in float32, one rounding on store (activation.cpp says how each is computed).
#include <cmath>
#include <limits>

#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct UnaryState {
  Body<UnaryState> body = nullptr;
  UnaryFunction function;
  int64_t low = 0, high = 0;  // Clip of integers
  Tiles tiles;
};

template <class T>
void run_float(const UnaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const int64_t begin = s.tiles.begin(tile), end = s.tiles.end(tile);
  if constexpr (std::is_same_v<T, float>) {
    s.function.apply(s.function, x + begin, y + begin, end - begin);
  } else {
    constexpr int64_t kChunk = 256;
    float values[kChunk];
    for (int64_t i = begin; i < end; i += kChunk) {
      const int64_t count = std::min(kChunk, end - i);
      load_floats(x + i, values, count);
      s.function.in_place(values, count);
      store_floats(values, y + i, count);
    }
  }
}

/// Integers: wrap around like two's complement.
struct NegInteger {
  template <class T>
  static T apply(const UnaryState&, T x) {
    return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
  }
};
struct AbsInteger {
  template <class T>
  static T apply(const UnaryState& s, T x) {
    return x < T{0} ? NegInteger::apply(s, x) : x;
  }
};
struct SignInteger {
  template <class T>
  static T apply(const UnaryState&, T x) {
    return static_cast<T>((x > T{0}) - (x < T{0}));
  }
};
struct ReluInteger {
  template <class T>
  static T apply(const UnaryState&, T x) {
    return x < T{0} ? T{0} : x;
  }
};
struct ClipInteger {
  template <class T>
  static T apply(const UnaryState& s, T x) {
    const T low = static_cast<T>(s.low), high = static_cast<T>(s.high);
    const T raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
};
template <class T, class Op>
void run_integer(const UnaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const UnaryState parameters = s;  // local copies: stores of bytes cannot change them
  const int64_t end = s.tiles.end(tile);
  for (int64_t i = s.tiles.begin(tile); i < end; ++i) y[i] = Op::apply(parameters, x[i]);
}

void run_not(const UnaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const uint8_t* x = input<uint8_t>(buffers, 0);
  uint8_t* y = output<uint8_t>(buffers);
  const int64_t end = s.tiles.end(tile);
  for (int64_t i = s.tiles.begin(tile); i < end; ++i) y[i] = x[i] == 0;
}

bool accepts_unary_float(const Call& call) {
  return is_float(call.inputs[0]) && same_dtype(call.inputs[0], call.outputs[0]) && !present(call.inputs, 1);
}
bool accepts_integer(const Call& call) {
  return is_plain_integer(call.inputs[0]) && is_plain_integer(call.outputs[0]) &&
         same_dtype(call.inputs[0], call.outputs[0]);
}
bool accepts_not(const Call& call) {
  return call.inputs[0].dtype == DType::Bool && call.outputs[0].dtype == DType::Bool;
}

Prepared finish(const Call& call, UnaryState s) {
  s.tiles = {element_count(call.outputs[0].shape)};
  return make_tiled(std::move(s), 0, 0);
}
Prepared prepare_unary_float(const Call& call, Weights&) {
  UnaryState s;
  s.function = *find_unary_function(call.node.op, call.node.attributes, "");
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_float<T>; });
  return finish(call, std::move(s));
}
template <class Op>
Prepared prepare_integer(const Call& call, Weights&) {
  UnaryState s;
  visit(IntegerTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) {
    s.body = run_integer<T, Op>;
    // Bounds between integers are tightened inwards; bounds beyond the type are no bounds.
    using Limits = std::numeric_limits<T>;
    const auto bound = [](double wanted, bool upper) {
      const double whole = upper ? std::floor(wanted) : std::ceil(wanted);
      if (whole <= static_cast<double>(Limits::lowest())) return Limits::lowest();
      if (whole >= static_cast<double>(Limits::max())) return Limits::max();
      return static_cast<T>(whole);
    };
    const double infinity = std::numeric_limits<double>::infinity();
    s.low = static_cast<int64_t>(bound(float_attribute(call.node.attributes, "min", -infinity), false));
    s.high = static_cast<int64_t>(bound(float_attribute(call.node.attributes, "max", infinity), true));
  });
  return finish(call, std::move(s));
}
Prepared prepare_not(const Call& call, Weights&) {
  UnaryState s;
  s.body = run_not;
  return finish(call, std::move(s));
}

#define FLOAT_ROW(op, name) \
  { op, name "_reference", 0, accepts_unary_float, prepare_unary_float, run_body<UnaryState> }
#define INTEGER_ROW(op, name, Op) \
  { op, name "_integer_reference", 0, accepts_integer, prepare_integer<Op>, run_body<UnaryState> }
constexpr Kernel kUnaryKernels[] = {
    FLOAT_ROW("Relu", "relu"),
    FLOAT_ROW("Clip", "clip"),
    FLOAT_ROW("LeakyRelu", "leaky_relu"),
    FLOAT_ROW("Elu", "elu"),
    FLOAT_ROW("Selu", "selu"),
    FLOAT_ROW("Celu", "celu"),
    FLOAT_ROW("HardSigmoid", "hard_sigmoid"),
    FLOAT_ROW("ThresholdedRelu", "thresholded_relu"),
    FLOAT_ROW("Sigmoid", "sigmoid"),
    FLOAT_ROW("Tanh", "tanh"),
    FLOAT_ROW("Softplus", "softplus"),
    FLOAT_ROW("Softsign", "softsign"),
    FLOAT_ROW("SiLU", "silu"),
    FLOAT_ROW("HardSwish", "hard_swish"),
    FLOAT_ROW("Mish", "mish"),
    FLOAT_ROW("Gelu", "gelu"),
    FLOAT_ROW("Erf", "erf"),
    FLOAT_ROW("Exp", "exp"),
    FLOAT_ROW("Log", "log"),
    FLOAT_ROW("Sqrt", "sqrt"),
    FLOAT_ROW("Reciprocal", "reciprocal"),
    FLOAT_ROW("Neg", "neg"),
    FLOAT_ROW("Abs", "abs"),
    FLOAT_ROW("Floor", "floor"),
    FLOAT_ROW("Ceil", "ceil"),
    FLOAT_ROW("Round", "round"),
    FLOAT_ROW("Sign", "sign"),
    FLOAT_ROW("Sin", "sin"),
    FLOAT_ROW("Cos", "cos"),
    FLOAT_ROW("Tan", "tan"),
    FLOAT_ROW("Asin", "asin"),
    FLOAT_ROW("Acos", "acos"),
    FLOAT_ROW("Atan", "atan"),
    FLOAT_ROW("Sinh", "sinh"),
    FLOAT_ROW("Cosh", "cosh"),
    FLOAT_ROW("Asinh", "asinh"),
    FLOAT_ROW("Acosh", "acosh"),
    FLOAT_ROW("Atanh", "atanh"),
    INTEGER_ROW("Neg", "neg", NegInteger),
    INTEGER_ROW("Abs", "abs", AbsInteger),
    INTEGER_ROW("Sign", "sign", SignInteger),
    INTEGER_ROW("Relu", "relu", ReluInteger),
    INTEGER_ROW("Clip", "clip", ClipInteger),
    {"Not", "not_reference", 0, accepts_not, prepare_not, run_body<UnaryState>},
};
#undef FLOAT_ROW
#undef INTEGER_ROW

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_unary_kernels() { return reference::kUnaryKernels; }

}  // namespace openrknn
