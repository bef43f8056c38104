// Inputs and outputs that live in the program's memory (rknn_set_io_mem).
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// Before a run: converts every bound input. Throws if its memory was destroyed.
void read_bound_inputs(ContextState&);
/// After a run: writes every bound output.
void write_bound_outputs(const ContextState&);

}  // namespace openrknn::capi
