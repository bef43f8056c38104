#include "runtime/session/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "rknn_api.h"

namespace openrknn::session {
namespace {

struct Status {
  int code;
  std::string_view name, description;
};
constexpr std::array kStatuses = {
    Status{RKNN_SUCC, "RKNN_SUCC", "execute succeed."},
    Status{RKNN_ERR_FAIL, "RKNN_ERR_FAIL", "execute failed."},
    Status{RKNN_ERR_TIMEOUT, "RKNN_ERR_TIMEOUT", "execute timeout."},
    Status{RKNN_ERR_DEVICE_UNAVAILABLE, "RKNN_ERR_DEVICE_UNAVAILABLE", "device is unavailable."},
    Status{RKNN_ERR_MALLOC_FAIL, "RKNN_ERR_MALLOC_FAIL", "memory malloc fail."},
    Status{RKNN_ERR_PARAM_INVALID, "RKNN_ERR_PARAM_INVALID", "parameter is invalid."},
    Status{RKNN_ERR_MODEL_INVALID, "RKNN_ERR_MODEL_INVALID", "model is invalid."},
    Status{RKNN_ERR_CTX_INVALID, "RKNN_ERR_CTX_INVALID", "context is invalid."},
    Status{RKNN_ERR_INPUT_INVALID, "RKNN_ERR_INPUT_INVALID", "input is invalid."},
    Status{RKNN_ERR_OUTPUT_INVALID, "RKNN_ERR_OUTPUT_INVALID", "output is invalid."},
    Status{RKNN_ERR_DEVICE_UNMATCH, "RKNN_ERR_DEVICE_UNMATCH",
           "the device is unmatch, please update rknn sdk and npu driver/firmware."},
    Status{RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL, "RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL",
           "the pre-compiled model is not compatible with the current driver."},
    Status{RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION, "RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION",
           "the model's optimization level is not compatible with the current driver."},
    Status{RKNN_ERR_TARGET_PLATFORM_UNMATCH, "RKNN_ERR_TARGET_PLATFORM_UNMATCH",
           "model target platform is not compatible with current platform."},
};

}  // namespace

std::string status_name(int code) {
  const auto row = std::find_if(kStatuses.begin(), kStatuses.end(), [&](const Status& s) { return s.code == code; });
  if (row == kStatuses.end()) return fmt::format("RKNN_ERR_UNKNOWN ({}): unknown RKNN error.", code);
  return fmt::format("{} ({}): {}", row->name, code, row->description);
}

std::string status_text(const std::string& what, int code) {
  return fmt::format("{} failed: {}", what, status_name(code));
}

}  // namespace openrknn::session
