#include "control.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <sstream>

namespace openrknn::stub {
namespace {

bool parse(std::string_view text, int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// The last number counts for the rest.
bool parse(std::string_view text, std::array<int64_t, 16>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t comma = text.find(',');
    int64_t number = 0;
    if (!parse(text.substr(0, comma), number) || number < 0) return false;
    std::fill(numbers.begin() + static_cast<std::ptrdiff_t>(i), numbers.end(), number);
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
  return false;
}

bool parse(std::string_view text, Fill& fill) {
  constexpr std::array<std::string_view, 4> kNames = {"none", "zero", "tag", "echo"};
  const auto found = std::find(kNames.begin(), kNames.end(), text);
  if (found == kNames.end()) return false;
  fill = static_cast<Fill>(found - kNames.begin());
  return true;
}

bool set(Settings& settings, std::string_view key, std::string_view value) {
  if (key == "latency_us") return parse(value, settings.latency_us);
  if (key == "fill") return parse(value, settings.fill);
  int64_t number = 0;
  if (!parse(value, number)) return false;
  if (key == "seed") return settings.seed = number, true;
  if (key == "missing_input") return settings.missing_input = static_cast<int>(number), true;
  if (number < 0) return false;
  if (key == "jitter_us") return settings.jitter_us = number, true;
  if (key == "input_ns_per_kib") return settings.input_ns_per_kib = number, true;
  if (key == "output_ns_per_kib") return settings.output_ns_per_kib = number, true;
  if (key == "copy" && number <= 1) return settings.copy = number == 1, true;
  return false;
}

/// splitmix64: a number depends on seed and run alone, not on which thread came first.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

template <class T>
int64_t copy_out(const std::vector<T>& from, T* to, int64_t capacity) {
  const auto count = static_cast<int64_t>(from.size());
  if (to != nullptr) std::copy_n(from.begin(), std::clamp<int64_t>(capacity, 0, count), to);
  return count;
}

}  // namespace

const std::array<const char*, kApis> kApiNames = {"rknn_init",
                                                  "rknn_dup_context",
                                                  "rknn_destroy",
                                                  "rknn_query",
                                                  "rknn_inputs_set",
                                                  "rknn_set_batch_core_num",
                                                  "rknn_set_core_mask",
                                                  "rknn_run",
                                                  "rknn_wait",
                                                  "rknn_outputs_get",
                                                  "rknn_outputs_release",
                                                  "rknn_create_mem",
                                                  "rknn_create_mem2",
                                                  "rknn_create_mem_from_fd",
                                                  "rknn_create_mem_from_phys",
                                                  "rknn_destroy_mem",
                                                  "rknn_set_io_mem",
                                                  "rknn_set_input_shapes",
                                                  "rknn_mem_sync",
                                                  "rknn_register_custom_ops",
                                                  "rknn_custom_op_get_op_attr"};

std::optional<Api> find_api(std::string_view name) {
  const auto found = std::find(kApiNames.begin(), kApiNames.end(), name);
  if (found == kApiNames.end()) return std::nullopt;
  return static_cast<Api>(found - kApiNames.begin());
}

void Counters::reset() {
  for (auto* counts : {&calls, &nanoseconds}) {
    for (auto& count : *counts) count = 0;
  }
  for (auto* count : {&bytes_in, &bytes_out, &concurrent_uses, &bad_handles, &originals_destroyed_first, &custom_ops})
    *count = 0;
}

Control::Control() { configure_from_environment(); }

Settings Control::settings() const {
  const std::scoped_lock lock(mutex_);
  return settings_;
}

int64_t Control::latency_ns(int core, int64_t run) const {
  const std::scoped_lock lock(mutex_);
  int64_t latency = settings_.latency_us[static_cast<size_t>(core)] * 1000;
  if (settings_.jitter_us > 0) {
    const uint64_t drawn = mix(static_cast<uint64_t>(settings_.seed) ^ mix(static_cast<uint64_t>(run)));
    latency += static_cast<int64_t>(drawn % static_cast<uint64_t>(settings_.jitter_us * 1000 + 1));
  }
  return latency;
}

int Control::configure(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  Settings changed = settings_;
  std::istringstream items{std::string(text)};
  for (std::string item; items >> item;) {
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view value = std::string_view(item).substr(std::min(equals + 1, item.size()));
    if (!set(changed, std::string_view(item).substr(0, equals), value)) {
      error_ = "setting " + item + " is unknown or out of range";
      return -1;
    }
  }
  settings_ = std::move(changed);
  return 0;
}

void Control::configure_from_environment() {
  if (const char* text = std::getenv("OPENRKNN_STUB")) configure(text);
}

void Control::reset() {
  release(0);
  {
    const std::scoped_lock lock(mutex_);
    settings_ = {};
    planned_.clear();
    anything_planned_ = recording_jobs_ = recording_calls_ = false;
    jobs_.clear();
    calls_.clear();
    failed_api_.clear();
    error_.clear();
  }
  counters.reset();
  configure_from_environment();
}

void Control::plan(Planned planned) {
  const std::scoped_lock lock(mutex_);
  planned_.push_back(planned);
  anything_planned_ = true;
}
int Control::fail(Api api, int64_t nth, int code) { return plan({api, nth, {code, false}}), 0; }
int Control::fail_any(int64_t nth, int code) { return plan({std::nullopt, nth, {code, false}}), 0; }
int Control::block(Api api, int64_t nth) { return plan({api, nth, {0, true}}), 0; }

Fault Control::enter(Api api) {
  counters.calls[static_cast<size_t>(api)].fetch_add(1, std::memory_order_relaxed);
  if (!anything_planned_.load(std::memory_order_relaxed)) return {};
  const std::scoped_lock lock(mutex_);
  Fault result;
  for (size_t i = 0; i < planned_.size();) {
    Planned& planned = planned_[i];
    const bool every = planned.left == 0;
    const bool concerned = !planned.api || *planned.api == api;
    if (!concerned || (!every && --planned.left > 0)) {
      ++i;
      continue;
    }
    result.block |= planned.fault.block;
    if (planned.fault.code != 0) {
      result.code = planned.fault.code;
      failed_api_ = kApiNames[static_cast<size_t>(api)];
    }
    if (every) {
      ++i;
    } else {
      planned_.erase(planned_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return result;
}

int Control::wait_for_release() {
  std::unique_lock lock(mutex_);
  const int64_t before = releases_;
  ++blocked_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return releases_ != before; });
  --blocked_;
  changed_.notify_all();
  return release_code_;
}

int Control::wait_blocked(int calls, int timeout_ms) {
  std::unique_lock lock(mutex_);
  const auto enough = [&] { return blocked_ >= calls; };
  return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), enough) ? 0 : -1;
}

void Control::release(int code) {
  const std::scoped_lock lock(mutex_);
  ++releases_;
  release_code_ = code;
  changed_.notify_all();
}

std::string Control::failed_api() const {
  const std::scoped_lock lock(mutex_);
  return failed_api_;
}

void Control::record_jobs(int64_t capacity) {
  const std::scoped_lock lock(mutex_);
  jobs_ = {};
  jobs_.reserve(static_cast<size_t>(std::max<int64_t>(capacity, 0)));
  recording_jobs_ = capacity > 0;
}
void Control::record(const stub_job& job) {
  if (!recording_jobs_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  if (jobs_.size() < jobs_.capacity()) jobs_.push_back(job);
}
int64_t Control::jobs(stub_job* out, int64_t capacity) const {
  const std::scoped_lock lock(mutex_);
  return copy_out(jobs_, out, capacity);
}

void Control::record_calls(int64_t capacity) {
  const std::scoped_lock lock(mutex_);
  calls_ = {};
  calls_.reserve(static_cast<size_t>(std::max<int64_t>(capacity, 0)));
  recording_calls_ = capacity > 0;
}
void Control::record(const stub_call& call) {
  if (!recording_calls_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  if (calls_.size() < calls_.capacity()) calls_.push_back(call);
}
int64_t Control::calls(stub_call* out, int64_t capacity) const {
  const std::scoped_lock lock(mutex_);
  return copy_out(calls_, out, capacity);
}

void Control::set_error(std::string text) {
  const std::scoped_lock lock(mutex_);
  error_ = std::move(text);
}
std::string Control::error() const {
  const std::scoped_lock lock(mutex_);
  return error_;
}

Control& control() {
  static Control* const only = new Control;  // never destroyed: threads may outlive main
  return *only;
}

}  // namespace openrknn::stub
