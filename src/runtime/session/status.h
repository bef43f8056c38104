// Return codes of the C API as sentences.
#pragma once

#include <string>

namespace openrknn::session {

/// "rknn_run failed: RKNN_ERR_FAIL (-1): execute failed."
std::string status_text(const std::string& what, int code);
/// "RKNN_ERR_FAIL (-1): execute failed."
std::string status_name(int code);

}  // namespace openrknn::session
