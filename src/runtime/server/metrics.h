// Counters of a server, and their text for Prometheus (exposition format 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "openrknn/session.hpp"

namespace openrknn::server {

/// Of durations in seconds.
struct Histogram {
  static constexpr std::array<double, 14> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                     0.025,  0.05,    0.1,    0.25,  0.5,    1,     10};
  std::array<uint64_t, kBounds.size() + 1> counts{};  ///< the last: beyond all bounds
  double sum = 0;
  void observe(double seconds);
  uint64_t count() const;
};

/// What became of one model's inference requests.
struct ModelCounters {
  uint64_t succeeded = 0, failed = 0;
  double seconds = 0, failed_seconds = 0;  ///< from the request to its response
  TaskDurations durations = {};            ///< sums of those that succeeded, microseconds
  int64_t last_milliseconds = 0;           ///< since 1970, of the last one
  Histogram requests, inferences;
};

/// What is looked up when the text is wanted.
struct MetricsPicture {
  struct Model {
    std::string name;
    size_t waiting = 0, running = 0;
  };
  struct Device {
    std::string target;
    std::vector<CoreCounters> cores;
  };
  std::vector<Model> models;
  std::vector<Device> devices;
  size_t jobs_waiting = 0;
  int64_t bytes_in_flight = 0;
  double uptime_seconds = 0;
};

/// Thread-safe.
class Metrics {
 public:
  std::atomic<uint64_t> connections_opened = 0, connections_refused = 0, received_bytes = 0, sent_bytes = 0;
  std::atomic<int64_t> connections = 0;

  void responded(int status, const std::string& diagnostic);
  void inferred(const std::string& model, bool success, double seconds, const TaskDurations&);
  void forget(const std::string& model);
  ModelCounters counters_of(const std::string& model) const;
  std::string text(const MetricsPicture&) const;

 private:
  mutable std::mutex mutex_;
  std::map<int, uint64_t> by_status_;
  std::map<std::string, uint64_t> by_diagnostic_;
  std::map<std::string, ModelCounters> by_model_;
};

}  // namespace openrknn::server
