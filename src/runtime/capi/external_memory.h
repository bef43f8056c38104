// Weights and scratch in memory of the program: RKNN_FLAG_MEM_ALLOC_OUTSIDE, RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE.
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// Before a run. Throws Error (RuntimeBadArgument) naming every memory that was to come from the program and did not,
/// or was destroyed.
void require_external_memory(const ContextState&);
/// The memory that holds the model's weights: the program's, else one made when first asked for.
rknn_tensor_mem device_memory(ContextState&);

}  // namespace openrknn::capi
