#include "runtime/capi/logging.h"

#include <fmt/format.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "core/base/environment.h"
#include "core/base/log.h"

namespace openrknn::capi {
namespace {

int level_from_environment() { return std::atoi(environment_variable("RKNN_LOG_LEVEL").c_str()); }

std::string clock_text() {
  timeval now{};
  gettimeofday(&now, nullptr);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec, now.tv_usec / 1000);
}

/// One line of output for each line of the message: parsers look at line beginnings.
void print(LogLevel level, std::string_view subject, std::string_view message) {
  const char letter = "EWIDD"[std::min<size_t>(static_cast<size_t>(level), 4)];
  const std::string prefix = fmt::format("{} RKNN: [{}] ", letter, clock_text());
  std::string text;
  if (!subject.empty() && !message.starts_with(subject)) text = fmt::format("{}, ", subject);
  text += message;
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out += prefix;
    out.append(text, begin, end - begin);
    out += '\n';
    begin = end + 1;
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

void configure_logging() {
  const int most = level_from_environment();
  set_log_sink([most](LogLevel level, std::string_view subject, std::string_view message) {
    if (static_cast<int>(level) <= most) print(level, subject, message);
  });
}

}  // namespace openrknn::capi
