#include "runtime/server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace openrknn::server {
namespace {

/// Names of models and targets need no escapes: [A-Za-z0-9._-].
class Page {
 public:
  void family(const char* name, const char* type, const char* help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class T>
  void sample(const char* name, const std::string& labels, T value) {
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name, labels, value);
  }
  void histogram(const char* name, const std::string& model, const Histogram& histogram) {
    uint64_t sum = 0;
    for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      sum += histogram.counts[i];
      fmt::format_to(std::back_inserter(text_), "{}_bucket{{model=\"{}\",le=\"{}\"}} {}\n", name, model,
                     Histogram::kBounds[i], sum);
    }
    fmt::format_to(std::back_inserter(text_),
                   "{0}_bucket{{model=\"{1}\",le=\"+Inf\"}} {2}\n{0}_sum{{model=\"{1}\"}} {3}\n"
                   "{0}_count{{model=\"{1}\"}} {2}\n",
                   name, model, histogram.count(), histogram.sum);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string label(const char* key, const std::string& value) { return fmt::format("{{{}=\"{}\"}}", key, value); }

}  // namespace

void Histogram::observe(double seconds) {
  const auto place = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++counts[static_cast<size_t>(place)];
  sum += seconds;
}

uint64_t Histogram::count() const {
  uint64_t all = 0;
  for (const uint64_t part : counts) all += part;
  return all;
}

void Metrics::responded(int status, const std::string& diagnostic) {
  const std::lock_guard lock(mutex_);
  ++by_status_[status];
  if (!diagnostic.empty()) ++by_diagnostic_[diagnostic];
}

void Metrics::inferred(const std::string& model, bool success, double seconds, const TaskDurations& durations) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::lock_guard lock(mutex_);
  ModelCounters& counters = by_model_[model];
  counters.last_milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  counters.requests.observe(seconds);
  if (!success) {
    ++counters.failed;
    counters.failed_seconds += seconds;
    return;
  }
  ++counters.succeeded;
  counters.seconds += seconds;
  counters.durations.queue += durations.queue;
  counters.durations.set_inputs += durations.set_inputs;
  counters.durations.run += durations.run;
  counters.durations.get_outputs += durations.get_outputs;
  counters.inferences.observe(durations.run * 1e-6);
}

void Metrics::forget(const std::string& model) {
  const std::lock_guard lock(mutex_);
  by_model_.erase(model);
}

ModelCounters Metrics::counters_of(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_model_.find(model);
  return found == by_model_.end() ? ModelCounters{} : found->second;
}

std::string Metrics::text(const MetricsPicture& picture) const {
  Page page;
  page.family("openrknn_uptime_seconds", "gauge", "Since the server started.");
  page.sample("openrknn_uptime_seconds", "", picture.uptime_seconds);
  page.family("openrknn_connections", "gauge", "Open connections.");
  page.sample("openrknn_connections", "", connections.load());
  page.family("openrknn_connections_total", "counter", "Connections accepted.");
  page.sample("openrknn_connections_total", "", connections_opened.load());
  page.family("openrknn_connections_refused_total", "counter", "Connections beyond the limit.");
  page.sample("openrknn_connections_refused_total", "", connections_refused.load());
  page.family("openrknn_received_bytes_total", "counter", "Bytes of request bodies.");
  page.sample("openrknn_received_bytes_total", "", received_bytes.load());
  page.family("openrknn_sent_bytes_total", "counter", "Bytes of response bodies.");
  page.sample("openrknn_sent_bytes_total", "", sent_bytes.load());
  page.family("openrknn_bytes_in_flight", "gauge", "Bytes of bodies being received or waiting for their result.");
  page.sample("openrknn_bytes_in_flight", "", picture.bytes_in_flight);
  page.family("openrknn_jobs_waiting", "gauge", "Loads, profiles and the like that wait for a thread.");
  page.sample("openrknn_jobs_waiting", "", picture.jobs_waiting);
  page.family("openrknn_queue_depth", "gauge", "Inferences that wait for a core.");
  for (const auto& model : picture.models)
    page.sample("openrknn_queue_depth", label("model", model.name), model.waiting);
  page.family("openrknn_running", "gauge", "Inferences on a core.");
  for (const auto& model : picture.models) page.sample("openrknn_running", label("model", model.name), model.running);
  const auto per_core = [&](const char* name, const auto& value) {
    for (const MetricsPicture::Device& device : picture.devices) {
      for (size_t core = 0; core < device.cores.size(); ++core) {
        page.sample(name, fmt::format("{{target=\"{}\",core=\"{}\"}}", device.target, core), value(device.cores[core]));
      }
    }
  };
  page.family("openrknn_core_busy_seconds_total", "counter", "Time a core computed.");
  per_core("openrknn_core_busy_seconds_total", [](const CoreCounters& core) { return core.busy_seconds; });
  page.family("openrknn_core_busy_ratio", "gauge", "Share of the server's time a core computed.");
  per_core("openrknn_core_busy_ratio", [&](const CoreCounters& core) {
    return picture.uptime_seconds > 0 ? core.busy_seconds / picture.uptime_seconds : 0.0;
  });
  page.family("openrknn_core_jobs_total", "counter", "Runs a core did.");
  per_core("openrknn_core_jobs_total", [](const CoreCounters& core) { return core.jobs; });

  const std::lock_guard lock(mutex_);
  page.family("openrknn_responses_total", "counter", "Responses by HTTP status.");
  for (const auto& [status, count] : by_status_) {
    page.sample("openrknn_responses_total", label("status", fmt::format("{}", status)), count);
  }
  page.family("openrknn_errors_total", "counter", "Failures by diagnostic code.");
  for (const auto& [code, count] : by_diagnostic_) page.sample("openrknn_errors_total", label("code", code), count);
  page.family("openrknn_inferences_total", "counter", "Inference requests that succeeded.");
  for (const auto& [model, counters] : by_model_) {
    page.sample("openrknn_inferences_total", label("model", model), counters.succeeded);
  }
  page.family("openrknn_inference_failures_total", "counter", "Inference requests that failed.");
  for (const auto& [model, counters] : by_model_) {
    page.sample("openrknn_inference_failures_total", label("model", model), counters.failed);
  }
  page.family("openrknn_request_seconds", "histogram", "From an inference request's header to its response.");
  for (const auto& [model, counters] : by_model_) {
    page.histogram("openrknn_request_seconds", model, counters.requests);
  }
  page.family("openrknn_inference_seconds", "histogram", "Time of the run alone (rknn_run).");
  for (const auto& [model, counters] : by_model_) {
    page.histogram("openrknn_inference_seconds", model, counters.inferences);
  }
  return page.take();
}

}  // namespace openrknn::server
