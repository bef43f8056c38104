// Concats whose operands do not fit one scale: boxes of 0 to 640 beside scores of 0 to 1 leave the scores one code.
#pragma once

#include <string>
#include <vector>

#include "compiler/quantize/quantize.h"

namespace openrknn {

struct CollapsedConcat {
  NodeId node = NodeId::None;
  std::string problem;  ///< names the Concat, the ranges and what the narrowest operand keeps
};

/// Concats on the way to an output, with nothing but moves behind them, of which an operand would keep fewer than 6
/// bits of its codes (or 6 of 16: less is no number any more). Further inside, who reads the Concat has one scale
/// anyway.
std::vector<CollapsedConcat> collapsed_concats(const Graph& golden, const Calibration&, DType codes);

/// They compute in float16 instead: each operand is converted from its own scale, and the output is float16.
std::vector<PrecisionRule> rules_for(const Graph& golden, const std::vector<CollapsedConcat>&);

}  // namespace openrknn
