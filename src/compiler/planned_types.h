// What a build of a float graph would compute and store in, told before it is quantized: enough to say where layers run
// and to estimate, without samples.
#pragma once

#include "compiler/quantize/quantize.h"
#include "core/targets/layer_work.h"

namespace openrknn {

/// By the rules of assign_precision(). `golden` must outlive the result.
ElementTypes planned_types(const Graph& golden, const Target&, const PrecisionRules&);

}  // namespace openrknn
