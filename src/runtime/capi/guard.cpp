#include "runtime/capi/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "core/base/log.h"

namespace openrknn::capi {
namespace {

struct ReturnCode {
  Code code;
  int value;
};
// Everything else is RKNN_ERR_FAIL.
constexpr std::array kReturnCodes = {
    ReturnCode{Code::OutOfMemory, RKNN_ERR_MALLOC_FAIL},
    ReturnCode{Code::InvalidArgument, RKNN_ERR_PARAM_INVALID},
    ReturnCode{Code::RuntimeBadArgument, RKNN_ERR_PARAM_INVALID},
    ReturnCode{Code::RuntimeBadHandle, RKNN_ERR_CTX_INVALID},
    ReturnCode{Code::RuntimeBadInput, RKNN_ERR_INPUT_INVALID},
    ReturnCode{Code::RuntimeInputNotSet, RKNN_ERR_INPUT_INVALID},
    ReturnCode{Code::RuntimeBadOutput, RKNN_ERR_OUTPUT_INVALID},
    ReturnCode{Code::RknnBadMagic, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnTruncated, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnDamaged, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnNewerVersion, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnVendorFile, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnEncrypted, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::RknnInvalid, RKNN_ERR_MODEL_INVALID},
    ReturnCode{Code::GraphInvalid, RKNN_ERR_MODEL_INVALID},
};

int return_code(Code code) {
  const auto row = std::find_if(kReturnCodes.begin(), kReturnCodes.end(), [&](auto& r) { return r.code == code; });
  return row == kReturnCodes.end() ? RKNN_ERR_FAIL : row->value;
}

std::string& diagnostic_of_this_thread() {
  thread_local std::string text;
  return text;
}

int report(const char* function, std::string_view text, int code, LogLevel level = LogLevel::Error) {
  diagnostic_of_this_thread() = text;
  log(level, function, text);
  return code;
}

}  // namespace

const std::string& last_diagnostic() { return diagnostic_of_this_thread(); }

ApiError::ApiError(int value, Code code, std::string problem, std::string fix)
    : Error({Diagnostic{code, Severity::Error, {}, std::move(problem), std::move(fix)}}), return_code(value) {}

int report_current_exception(const char* function) noexcept {
  try {
    try {
      throw;
    } catch (const ApiError& error) {
      // These texts are the documented ones: programs and people look for them as they are.
      return report(function, error.diagnostics.front().problem, error.return_code,
                    error.expected ? LogLevel::Warning : LogLevel::Error);
    } catch (const RunTimedOut& error) {
      return report(function, error.what(), RKNN_ERR_TIMEOUT);
    } catch (const Error& error) {
      return report(function, error.what(), return_code(error.code()));
    } catch (const std::bad_alloc&) {
      return report(function, "out of memory", RKNN_ERR_MALLOC_FAIL);
    } catch (const std::exception& error) {
      return report(function, error.what(), RKNN_ERR_FAIL);
    }
  } catch (...) {
    return RKNN_ERR_FAIL;  // not even the report could be made
  }
}

namespace {
thread_local const CallbackScope* innermost_callback = nullptr;
}  // namespace

CallbackScope::CallbackScope(const ContextState& state) : state_(state), outer_(innermost_callback) {
  innermost_callback = this;
}
CallbackScope::~CallbackScope() { innermost_callback = outer_; }

void require_no_callback(const ContextState& state) {
  for (const CallbackScope* scope = innermost_callback; scope != nullptr; scope = scope->outer_) {
    if (&scope->state_ != &state) continue;
    fail(Code::RuntimeBadArgument, "called from a callback of the same context, which is busy with that callback");
  }
}

void require_pointer(const void* pointer, const char* argument) {
  if (pointer == nullptr) fail(Code::RuntimeBadArgument, fmt::format("{} is NULL", argument));
}

void refuse_unbuilt(const std::string& what) { fail(Code::NotBuilt, fmt::format("{} is not built yet", what)); }

}  // namespace openrknn::capi
