// Inputs and outputs that live in the program's memory (rknn_set_io_mem).
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// Before a run. Throws Error (RuntimeBadArgument) if bound memory was destroyed, or is too small for the output of the
/// active shapes.
void require_bound_memory(const ContextState&);
/// Before a run. Throws Error (RuntimeInputNotSet) naming the inputs that are neither bound nor set.
void require_inputs_set(const ContextState&);
/// Before a run: converts every bound input.
void read_bound_inputs(ContextState&);
/// After a run: writes every bound output.
void write_bound_outputs(const ContextState&);

}  // namespace openrknn::capi
