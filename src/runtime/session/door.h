// OpenRKNN's own runtime answers more than the C API can ask (openrknn/extension.h).
#pragma once

#include "openrknn/extension.h"
#include "runtime/session/runtime_library.h"

namespace openrknn::session {

/// The function table, or null if the runtime does not name itself ours in RKNN_QUERY_SDK_VERSION: another one would
/// log an error for a query it does not know. `context` may be 0 (after a failed rknn_init): ours answers that too.
const openrknn_functions* open_door(const RuntimeLibrary&, rknn_context context);

}  // namespace openrknn::session
