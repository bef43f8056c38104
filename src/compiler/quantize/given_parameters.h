// Models that come quantized (ONNX: QuantizeLinear and DequantizeLinear around float operators, or operators on codes).
// What they say of their tensors is taken out of the graph before any pass, so that passes see the plain network, and
// comes back where tensors get their parameters (docs/quantized_models.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// A tensor's codes as the model gives them, brought to signed types: uint8 less 128, uint16 less 32768, 4 bits in 8.
struct GivenCodes {
  DType dtype = DType::Int8;  ///< Int8, Int16; biases Int32
  QuantParams quant;
  std::optional<Tensor> codes = {};  ///< of constants
  bool same_parameters(const GivenCodes& other) const { return dtype == other.dtype && quant == other.quant; }
};

/// While passes run: tensors by name, which passes carry along. Constants carry Value::quant meanwhile, which no pass
/// changes the content of; one that is replaced loses its codes with it.
struct KeptParameters {
  std::map<std::string, GivenCodes> tensors;
  std::map<ValueId, GivenCodes> constants;
  std::vector<std::string> notes;  ///< what stays an operator between codes and numbers although it is constant
  bool empty() const { return tensors.empty() && constants.empty(); }
};

/// Takes quantize-dequantize pairs on tensors and dequantized constants out of the graph. Scales that are computed at
/// run time stay operators. Throws Error (QuantizeBadParameters) naming everything that is no scale.
KeptParameters keep_parameters(Graph&);
/// The imported model says something of the kind.
bool brings_parameters(const Graph&);

/// By value of the golden graph.
using GivenParameters = std::map<ValueId, GivenCodes>;
/// What is left of them once passes are done; constants are plain float constants again.
GivenParameters settle(const KeptParameters&, Graph& golden);

/// keep_products.cpp: exact products of codes with a factor behind them (QLinearMatMul) become a product of real
/// numbers between codes.
void unfold_code_products(Graph&);

}  // namespace openrknn
