// One replaceable sink for log lines. The core never prints.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace openrknn {

enum class LogLevel : uint8_t { Error = 0, Warning = 1, Info = 2, Debug = 3, Trace = 4 };

/// Receives finished lines without newline. Called from any thread; calls are serialised.
using LogSink = std::function<void(LogLevel, std::string_view subject, std::string_view message)>;

/// Replaces the sink (empty: discard, the initial state) and returns the former one. Thread-safe.
LogSink set_log_sink(LogSink);
void log(LogLevel, std::string_view subject, std::string_view message);

/// Reports how far long work is. `done` of `total` steps of `stage`; a total of 0 says that it goes on, and nothing can
/// be counted. Called from any thread, serialised by the caller. What it throws ends the work as soon as may be.
using Progress = std::function<void(std::string_view stage, int64_t done, int64_t total)>;

}  // namespace openrknn
