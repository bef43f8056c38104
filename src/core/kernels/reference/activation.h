// Functions of one float, by operator name: the unary operators and the activations fused into Conv, MatMul, Add, …
// are the same functions.
#pragma once

#include <optional>
#include <string_view>

#include "core/kernels/kernel.h"

namespace openrknn::reference {

struct UnaryFunction {
  /// out[i] = f(in[i]); in and out are the same run or do not overlap. Null: identity.
  void (*apply)(const UnaryFunction&, const float* in, float* out, int64_t count) = nullptr;
  float alpha = 0, beta = 0, gamma = 0;  ///< as in the operator's attributes, ONNX defaults filled in
  float low = 0, high = 0;               ///< Clip

  void in_place(float* values, int64_t count) const {
    if (apply) apply(*this, values, values, count);
  }
};

/// The function of unary operator `op` with the parameters in `attributes`, whose names start with `prefix` ("" or
/// "activation_"). nullopt: no such function.
std::optional<UnaryFunction> find_unary_function(std::string_view op, const Attributes&, std::string_view prefix);

/// What the node's `activation` attribute asks for: identity if absent, nullopt if it is not an activation.
std::optional<UnaryFunction> fused_activation(const Node&);

}  // namespace openrknn::reference
