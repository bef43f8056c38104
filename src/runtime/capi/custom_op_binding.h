// Callbacks of rknn_custom_op as code the engine runs.
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// The engine's form of an operator; copies everything it needs. `state` outlives what it binds. Throws Error
/// (RuntimeBadArgument, NotBuilt) naming the operator and what is wrong with it.
CustomOperator make_operator(const rknn_custom_op&, const ContextState& state);

}  // namespace openrknn::capi
