// Float rules: every function is evaluated in float32. Curved ones are core/kernels/math.h and trigonometry.h; the
// others below use compare, select, +, -, *, / and sqrt, each rounded once, never fused. Functions that pick one of
// several values keep NaN: a comparison with NaN is false, so the tests are written such that false leaves x.
#include "core/kernels/reference/activation.h"

#include <cmath>
#include <limits>
#include <string>

#include "core/kernels/math.h"
#include "core/kernels/reference/trigonometry.h"

namespace openrknn::reference {
namespace {

using F = UnaryFunction;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <float (*function)(const F&, float)>
void map(const F& f, const float* in, float* out, int64_t count) {
  const F parameters = f;  // a local copy: the compiler need not fear that out overwrites it
  if (in == out) {         // two loops: each vectorises, one for both would not where they overlap
    for (int64_t i = 0; i < count; ++i) out[i] = function(parameters, out[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = function(parameters, in[i]);
  }
}

float relu(const F&, float x) { return x < 0.0f ? 0.0f : x; }
float clip(const F& f, float x) {
  const float raised = x < f.low ? f.low : x;
  return raised > f.high ? f.high : raised;
}
float leaky_relu(const F& f, float x) { return x < 0.0f ? x * f.alpha : x; }
float thresholded_relu(const F& f, float x) { return x <= f.alpha ? 0.0f : x; }
float elu(const F& f, float x) { return math::elu(x, f.alpha); }
float affine(const F& f, float x) { return x * f.alpha + f.beta; }
float scaled_tanh(const F& f, float x) { return f.alpha * math::tanh(f.beta * x); }
float selu(const F& f, float x) { return f.gamma * math::elu(x, f.alpha); }
float celu(const F& f, float x) { return x <= 0.0f ? math::expm1(x / f.alpha) * f.alpha : x; }
float hard_sigmoid(const F& f, float x) { return math::hard_sigmoid(x, f.alpha, f.beta); }
float hard_swish(const F&, float x) { return math::hard_swish(x); }
float sigmoid(const F&, float x) { return math::sigmoid(x); }
float tanh(const F&, float x) { return math::tanh(x); }
float softplus(const F&, float x) { return math::softplus(x); }
float softsign(const F&, float x) { return x / (1.0f + std::fabs(x)); }
float silu(const F&, float x) { return math::silu(x); }
float mish(const F&, float x) { return math::mish(x); }
float gelu_erf(const F&, float x) { return math::gelu_erf(x); }
float gelu_tanh(const F&, float x) { return math::gelu_tanh(x); }
float erf(const F&, float x) { return math::erf(x); }
float exp(const F&, float x) { return math::exp(x); }
float log(const F&, float x) { return math::log(x); }
float sin(const F&, float x) { return math::sin(x); }
float cos(const F&, float x) { return math::cos(x); }
float tan(const F&, float x) { return reference::tan(x); }
float asin(const F&, float x) { return reference::asin(x); }
float acos(const F&, float x) { return reference::acos(x); }
float atan(const F&, float x) { return reference::atan(x); }
float sinh(const F&, float x) { return reference::sinh(x); }
float cosh(const F&, float x) { return reference::cosh(x); }
float asinh(const F&, float x) { return reference::asinh(x); }
float acosh(const F&, float x) { return reference::acosh(x); }
float atanh(const F&, float x) { return reference::atanh(x); }
float sqrt(const F&, float x) { return std::sqrt(x); }
float reciprocal(const F&, float x) { return 1.0f / x; }
float neg(const F&, float x) { return -x; }
float abs(const F&, float x) { return std::fabs(x); }
/// Adding 2^23 leaves no bits below the integers; what is as large has none. std's functions are calls on x86-64.
float round(const F&, float x) {
  const float size = std::fabs(x), large = size < 0x1p23f ? 0x1p23f : 0.0f;
  return std::copysign((size + large) - large, x);
}
float floor(const F& f, float x) {
  const float whole = round(f, x);
  return std::copysign(whole + (whole > x ? -1.0f : 0.0f), x);  // the sign is that of 0
}
float ceil(const F& f, float x) {
  const float whole = round(f, x);
  return std::copysign(whole + (whole < x ? 1.0f : 0.0f), x);
}
float sign(const F&, float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? 0.0f : x; }

struct Row {
  std::string_view op;
  void (*apply)(const F&, const float*, float*, int64_t);
  float alpha = 0, beta = 0, gamma = 0;  // defaults
  bool fusible = false;                  // may stand in an `activation` attribute
};
constexpr Row kRows[] = {
    {"Relu", map<relu>, 0, 0, 0, true},
    {"Clip", map<clip>, 0, 0, 0, true},
    {"LeakyRelu", map<leaky_relu>, 0.01f, 0, 0, true},
    {"ThresholdedRelu", map<thresholded_relu>, 1.0f},
    {"Elu", map<elu>, 1.0f, 0, 0, true},
    {"Selu", map<selu>, 1.67326319217681884765625f, 0, 1.05070102214813232421875f},
    {"Celu", map<celu>, 1.0f},
    {"HardSigmoid", map<hard_sigmoid>, 0.2f, 0.5f, 0, true},
    {"HardSwish", map<hard_swish>, 0, 0, 0, true},
    {"Sigmoid", map<sigmoid>, 0, 0, 0, true},
    {"Tanh", map<tanh>, 0, 0, 0, true},
    {"Softplus", map<softplus>, 0, 0, 0, true},
    {"Softsign", map<softsign>},
    {"SiLU", map<silu>, 0, 0, 0, true},
    {"Mish", map<mish>, 0, 0, 0, true},
    {"Gelu", map<gelu_erf>, 0, 0, 0, true},
    {"Affine", map<affine>, 1.0f},  // this and the next: of recurrent layers
    {"ScaledTanh", map<scaled_tanh>, 1.0f, 1.0f},
    {"Erf", map<erf>},
    {"Exp", map<exp>},
    {"Log", map<log>},
    {"Sin", map<sin>},
    {"Cos", map<cos>},
    {"Tan", map<tan>},
    {"Asin", map<asin>},
    {"Acos", map<acos>},
    {"Atan", map<atan>},
    {"Sinh", map<sinh>},
    {"Cosh", map<cosh>},
    {"Asinh", map<asinh>},
    {"Acosh", map<acosh>},
    {"Atanh", map<atanh>},
    {"Sqrt", map<sqrt>},
    {"Reciprocal", map<reciprocal>},
    {"Neg", map<neg>},
    {"Abs", map<abs>},
    {"Floor", map<floor>},
    {"Ceil", map<ceil>},
    {"Round", map<round>},
    {"Sign", map<sign>},
};

const Row* find_row(std::string_view op) {
  for (const Row& row : kRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

}  // namespace

std::optional<UnaryFunction> find_unary_function(std::string_view op, const Attributes& attributes,
                                                 std::string_view prefix) {
  const Row* row = find_row(op);
  if (!row) return std::nullopt;
  const auto number = [&](std::string_view name, float fallback) {
    return static_cast<float>(float_attribute(attributes, std::string(prefix) + std::string(name), fallback));
  };
  UnaryFunction function;
  function.apply = row->apply;
  function.alpha = number("alpha", row->alpha);
  function.beta = number("beta", row->beta);
  function.gamma = number("gamma", row->gamma);
  function.low = number("min", -kInfinity);
  function.high = number("max", kInfinity);
  if (op == "Gelu" && string_attribute(attributes, std::string(prefix) + "approximate", "none") == "tanh") {
    function.apply = map<gelu_tanh>;
  }
  return function;
}

std::optional<UnaryFunction> fused_activation(const Node& node) {
  const std::string name = string_attribute(node.attributes, "activation", "");
  if (name.empty()) return UnaryFunction{};
  const Row* row = find_row(name);
  if (!row || !row->fusible) return std::nullopt;
  return find_unary_function(name, node.attributes, "activation_");
}

}  // namespace openrknn::reference
