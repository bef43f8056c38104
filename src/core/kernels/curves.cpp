#include "core/kernels/curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "core/kernels/math.h"

namespace openrknn {
namespace {

/// Name and ONNX's default parameters.
struct CurveRow {
  std::string_view name;
  CurveKind kind;
  double alpha = 0, beta = 0, gamma = 0;
};
constexpr std::array<CurveRow, 16> kCurves = {{
    {"Relu", CurveKind::Relu},
    {"Clip", CurveKind::Clip},
    {"LeakyRelu", CurveKind::LeakyRelu, 0.01},
    {"Elu", CurveKind::Elu, 1.0},
    {"Selu", CurveKind::Selu, 1.67326319217681884765625, 0, 1.05070102214813232421875},
    {"Celu", CurveKind::Celu, 1.0},
    {"HardSigmoid", CurveKind::HardSigmoid, 0.2, 0.5},
    {"ThresholdedRelu", CurveKind::ThresholdedRelu, 1.0},
    {"Sigmoid", CurveKind::Sigmoid},
    {"Tanh", CurveKind::Tanh},
    {"Softplus", CurveKind::Softplus},
    {"Softsign", CurveKind::Softsign},
    {"SiLU", CurveKind::SiLU},
    {"HardSwish", CurveKind::HardSwish},
    {"Mish", CurveKind::Mish},
    {"Gelu", CurveKind::Gelu},
}};

std::optional<Curve> read_curve(const Node& node, std::string_view name, const std::string& prefix) {
  const auto row = std::find_if(kCurves.begin(), kCurves.end(), [&](const CurveRow& r) { return r.name == name; });
  if (row == kCurves.end()) return std::nullopt;
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  Curve curve{row->kind, row->alpha, row->beta, row->gamma, 0, kInfinite};
  const Attributes& attributes = node.attributes;
  curve.alpha = float_attribute(attributes, prefix + "alpha", row->alpha);
  curve.beta = float_attribute(attributes, prefix + "beta", row->beta);
  if (prefix.empty()) curve.gamma = float_attribute(attributes, "gamma", row->gamma);
  if (row->kind == CurveKind::Clip) {
    curve.low = float_attribute(attributes, prefix + "min", -kInfinite);
    curve.high = float_attribute(attributes, prefix + "max", kInfinite);
  }
  if (row->kind == CurveKind::Gelu && string_attribute(attributes, prefix + "approximate", "none") == "tanh") {
    curve.kind = CurveKind::GeluTanh;
  }
  return curve;
}

double exponential_part(double x) { return static_cast<double>(math::expm1(static_cast<float>(x))); }

}  // namespace

std::optional<Curve> fused_curve(const Node& node) {
  const std::string name = string_attribute(node.attributes, "activation", "");
  if (name.empty()) return std::nullopt;
  if (std::optional<Curve> curve = read_curve(node, name, "activation_")) return curve;
  fail(Code::GraphBadAttribute, Location{.file = {}, .node = node.name, .tensor = {}},
       "unknown fused activation '" + name + "', expected one of docs/ir.md");
}

std::optional<Curve> own_curve(const Node& node) { return read_curve(node, node.op, ""); }

double apply(const Curve& curve, double x) {
  const float v = static_cast<float>(x);
  switch (curve.kind) {
    case CurveKind::Relu:
      return std::max(x, 0.0);
    case CurveKind::Clip:
      return std::min(std::max(x, curve.low), curve.high);
    case CurveKind::LeakyRelu:
      return x >= 0 ? x : x * curve.alpha;
    case CurveKind::Elu:
      return x > 0 ? x : curve.alpha * exponential_part(x);
    case CurveKind::Selu:
      return curve.gamma * (x > 0 ? x : curve.alpha * exponential_part(x));
    case CurveKind::Celu:
      return x > 0 ? x : curve.alpha * exponential_part(x / curve.alpha);
    case CurveKind::HardSigmoid:
      return std::clamp(curve.alpha * x + curve.beta, 0.0, 1.0);
    case CurveKind::ThresholdedRelu:
      return x > curve.alpha ? x : 0.0;
    case CurveKind::Sigmoid:
      return static_cast<double>(math::sigmoid(v));
    case CurveKind::Tanh:
      return static_cast<double>(math::tanh(v));
    case CurveKind::Softplus:
      return static_cast<double>(math::softplus(v));
    case CurveKind::Softsign:
      return x / (1 + std::abs(x));
    case CurveKind::SiLU:
      return static_cast<double>(math::silu(v));
    case CurveKind::HardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case CurveKind::Mish:
      return static_cast<double>(math::mish(v));
    case CurveKind::Gelu:
      return static_cast<double>(math::gelu_erf(v));
    case CurveKind::GeluTanh:
      return static_cast<double>(math::gelu_tanh(v));
  }
  return x;
}

}  // namespace openrknn
