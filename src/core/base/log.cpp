#include "core/base/log.h"

#include <mutex>

namespace openrknn {
namespace {

// Logging is process-wide by nature: one sink, guarded. Everything else in the core is passed in.
struct SinkHolder {
  std::mutex mutex;
  LogSink sink;
};
SinkHolder& holder() {
  static SinkHolder instance;
  return instance;
}

}  // namespace

LogSink set_log_sink(LogSink sink) {
  const std::lock_guard lock(holder().mutex);
  std::swap(sink, holder().sink);
  return sink;
}

void log(LogLevel level, std::string_view subject, std::string_view message) {
  const std::lock_guard lock(holder().mutex);
  if (holder().sink) holder().sink(level, subject, message);
}

}  // namespace openrknn
