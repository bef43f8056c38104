// Precision rules as users write them: 'conv1=float16', 're:head.*=int16', 'op:Softmax=int8',
// 'glob:/model.22/*=float16'.
#pragma once

#include "compiler/quantize/quantize.h"
#include "toolkit/argument_value.h"

namespace openrknn {

/// KEY is a layer's output tensor or name, or a pattern: re:, glob:, op:. `tensor:` takes what follows as it is.
/// DTYPE: int8, int16, float16. Throws Error (ConfigBadValue).
PrecisionRule parse_precision_rule(std::string_view key, std::string_view dtype);

/// A list of 'KEY=DTYPE', or a mapping of KEY to DTYPE (which has no order: longer keys of a mapping do not win). All
/// problems are reported together.
std::vector<PrecisionRule> precision_rules_of(const ArgumentValue&, std::string_view argument);

}  // namespace openrknn
