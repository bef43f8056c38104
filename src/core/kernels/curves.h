// Activations in real numbers: what tables are made of and what `ideal` results apply. Same bits on every machine.
#pragma once

#include <optional>
#include <string_view>

#include "core/graph/graph.h"

namespace openrknn {

enum class CurveKind : uint8_t {
  Relu,
  Clip,
  LeakyRelu,
  Elu,
  Selu,
  Celu,
  HardSigmoid,
  ThresholdedRelu,
  Sigmoid,
  Tanh,
  Softplus,
  Softsign,
  SiLU,
  HardSwish,
  Mish,
  Gelu,
  GeluTanh,
};

/// One activation with its parameters; unused ones keep their default.
struct Curve {
  CurveKind kind = CurveKind::Relu;
  double alpha = 0, beta = 0, gamma = 0;  ///< as in ONNX
  double low = 0, high = 0;               ///< Clip, infinite where absent; Relu: 0 and infinity
};

/// The curve of a node's `activation` attribute; nullopt without one. Throws Error (GraphBadAttribute) if unknown.
std::optional<Curve> fused_curve(const Node&);
/// The curve a node is by itself (op Relu, Sigmoid, …); nullopt for other ops.
std::optional<Curve> own_curve(const Node&);
/// Relu and Clip: a clamp of codes does them. LeakyRelu: two slopes. The others need a table.
inline bool is_clamp(const Curve& curve) { return curve.kind == CurveKind::Relu || curve.kind == CurveKind::Clip; }
inline bool is_curved(const Curve& curve) { return !is_clamp(curve) && curve.kind != CurveKind::LeakyRelu; }

/// The curve at x. Exponentials go through core/kernels/math.h in float32 (error under 1e-6 of the result's size),
/// so the same on every machine; Relu, Clip, LeakyRelu are exact in double.
double apply(const Curve&, double x);

}  // namespace openrknn
