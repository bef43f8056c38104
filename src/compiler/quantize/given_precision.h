// Which nodes of a model that comes quantized compute on the codes it gives.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compiler/quantize/given_parameters.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

/// What activations are coded in, with a tensor of each type.
std::map<DType, ValueId> given_types(const GivenParameters&);

/// Fills in what operators that move numbers, and functions of a known range, take from their neighbours.
void inherit_parameters(const Graph& golden, GivenParameters&);

/// What the node computes in if it computes on codes: the type of what it gives.
DType given_type(const Graph& golden, const GivenParameters&, NodeId);
/// Why it cannot, as a sentence; nullopt if it can.
std::optional<std::string> given_refusal(const Graph& golden, const Target&, const GivenParameters&, NodeId);

}  // namespace openrknn
