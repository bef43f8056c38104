// What RKNN_LOG_LEVEL 3 and above show of a model: its memory plan, times of layers, values of layers.
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// At init, level 3: how the model is computed and where its bytes lie.
void log_plan(const ContextState&);
/// After a run. Level 4: the table of RKNN_QUERY_PERF_DETAIL. Level 5: every layer's outputs as .npy files in
/// RKNN_DUMP_DIR, as float32 or (RKNN_DUMP_QUANT=1) as they are; level 6: also as text. Problems are logged, they are
/// no reason to fail a run.
void log_layers(const ContextState&);

}  // namespace openrknn::capi
