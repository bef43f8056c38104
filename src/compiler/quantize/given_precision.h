// Precision of models that come quantized.
#pragma once

#include "compiler/quantize/given_parameters.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

/// What the activations are coded in; nullopt if none is. Throws Error (QuantizeUnsupported) if they are not all alike.
std::optional<DType> given_type(const Graph& golden, const GivenParameters&);

/// Nodes whose tensors all have parameters compute on codes, everything else in float16. Fills in what nodes take from
/// their neighbours. Throws as given_type().
PrecisionMap assign_given_precision(const Graph& golden, const Target&, GivenParameters&);

/// DequantizeLinear that stays an operator gives float32 where its result has given parameters.
void keep_codes_of_ports_exact(const Graph& golden, const GivenParameters&, PrecisionMap&);

}  // namespace openrknn
