// What environment variables say, read at each init.
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// RKNN_LOG_LEVEL, RKNN_DUMP_DIR, RKNN_DUMP_QUANT, OPENRKNN_SIM_LATENCY. Throws Error (ConfigBadValue) naming the
/// variable.
Environment read_environment();

}  // namespace openrknn::capi
