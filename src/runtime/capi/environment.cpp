#include "runtime/capi/environment.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "core/base/environment.h"
#include "core/base/error.h"

namespace openrknn::capi {
namespace {

/// Milliseconds, or "model".
Latency latency() {
  const std::string text = environment_variable("OPENRKNN_SIM_LATENCY");
  if (text.empty()) return {};
  if (text == "model") return {.estimated = true};
  constexpr double kMost = 3600e3;
  char* end = nullptr;
  const double milliseconds = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(milliseconds >= 0 && milliseconds <= kMost)) {
    fail(Code::ConfigBadValue,
         fmt::format("OPENRKNN_SIM_LATENCY: got '{}', expected milliseconds from 0 to {:.0f}, or model", text, kMost));
  }
  return {.fixed = std::chrono::microseconds(std::llround(milliseconds * 1000))};
}

}  // namespace

Environment read_environment() {
  Environment environment;
  environment.log_level = std::atoi(environment_variable("RKNN_LOG_LEVEL").c_str());
  const std::string dump_folder = environment_variable("RKNN_DUMP_DIR");
  environment.dump_folder = dump_folder.empty() ? std::string(1, '.') : dump_folder;
  environment.dump_native = environment_variable("RKNN_DUMP_QUANT") == "1";
  environment.latency = latency();
  return environment;
}

}  // namespace openrknn::capi
