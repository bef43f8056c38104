// Which nodes of a model that comes quantized compute on the codes it gives.
#pragma once

#include <optional>
#include <string>

#include "compiler/quantize/given_parameters.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

/// What the activations are coded in; nullopt if none is. Throws Error (QuantizeUnsupported) if they are not all alike.
std::optional<DType> given_type(const Graph& golden, const GivenParameters&);

/// Fills in what operators that move numbers, and functions of a known range, take from their neighbours.
void inherit_parameters(const Graph& golden, DType codes, GivenParameters&);

/// Why the node cannot compute on the codes the model gives, as a sentence; nullopt if it can.
std::optional<std::string> given_refusal(const Graph& golden, const Target&, const GivenParameters&, NodeId,
                                         DType codes);

}  // namespace openrknn
