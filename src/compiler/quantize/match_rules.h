// Which nodes of a golden graph a user's precision rule names. Names are those of the source model: layers that were
// fused, decomposed or renamed are found through what computes them now (docs/hybrid.md).
#pragma once

#include "compiler/quantize/quantize.h"

namespace openrknn {

struct RuleMatch {
  std::vector<NodeId> nodes;        ///< ascending
  std::vector<std::string> layers;  ///< output tensors of the layers that matched, in the model's order
};

/// One match a rule. A pattern matches layers with real results only. Adds a problem for each Tensor rule that names no
/// layer (QuantizeUnknownLayer) and each regular expression that is none (ConfigBadValue); their match is empty.
std::vector<RuleMatch> match_rules(const Graph& golden, std::span<const PrecisionRule>, Diagnostics& problems);

/// How a rule is written: "glob:/model.22/*=float16". The rule's own source, if it has one.
std::string to_string(const PrecisionRule&);

/// '*' stands for any run of characters, '?' for one.
bool matches_glob(std::string_view text, std::string_view pattern);

}  // namespace openrknn
