// Log lines as programs around the RKNN API expect them: "E RKNN: [HH:MM:SS.mmm] text" on standard output.
#pragma once

namespace openrknn::capi {

/// Reads RKNN_LOG_LEVEL (0 errors, 1 + warnings, 2 + info, 3 and up + debug; more at 4 to 6: layer_log.h) and directs
/// the library's log accordingly.
void configure_logging();

}  // namespace openrknn::capi
