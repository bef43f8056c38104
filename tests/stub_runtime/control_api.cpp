// stub_runtime.h: forwards.
#include <optional>
#include <string_view>

#include "call.h"
#include "stub_runtime.h"

using namespace openrknn::stub;

namespace {

template <class F>
int with_api(const char* name, const F& action) {
  const std::optional<Api> api = find_api(name);
  return api ? action(*api) : -1;
}

int64_t sum(const std::array<std::atomic<int64_t>, kApis>& counts, const char* name) {
  if (const std::optional<Api> api = find_api(name)) return counts[static_cast<size_t>(*api)];
  if (!std::string_view(name).empty()) return -1;
  int64_t all = 0;
  for (const auto& count : counts) all += count;
  return all;
}

const char* keep(std::string text) {
  thread_local std::string kept;
  kept = std::move(text);
  return kept.c_str();
}

}  // namespace

STUB_EXPORT int stub_configure(const char* settings) { return control().configure(settings); }
STUB_EXPORT int stub_reset() {
  control().reset();
  cores().reset_counters();
  return registry().contexts() + registry().mems();
}

STUB_EXPORT int stub_fail(const char* api, int64_t nth, int code) {
  return with_api(api, [&](Api which) { return control().fail(which, nth, code); });
}
STUB_EXPORT int stub_fail_any(int64_t nth, int code) { return control().fail_any(nth, code); }
STUB_EXPORT const char* stub_failed_api() { return keep(control().failed_api()); }
STUB_EXPORT int stub_block(const char* api, int64_t nth) {
  return with_api(api, [&](Api which) { return control().block(which, nth); });
}
STUB_EXPORT int stub_wait_blocked(int calls, int timeout_ms) { return control().wait_blocked(calls, timeout_ms); }
STUB_EXPORT void stub_release(int code) { control().release(code); }

STUB_EXPORT int64_t stub_calls(const char* api) { return sum(control().counters.calls, api); }
STUB_EXPORT int64_t stub_nanoseconds(const char* api) { return sum(control().counters.nanoseconds, api); }
STUB_EXPORT int stub_live_contexts() { return registry().contexts(); }
STUB_EXPORT int stub_live_mems() { return registry().mems(); }
STUB_EXPORT int stub_live_outputs() { return registry().outputs(); }
STUB_EXPORT int64_t stub_bytes_in() { return control().counters.bytes_in; }
STUB_EXPORT int64_t stub_bytes_out() { return control().counters.bytes_out; }
STUB_EXPORT int stub_max_concurrent_jobs() { return cores().most_at_once(); }
STUB_EXPORT int64_t stub_core_jobs(int core) { return cores().counters(core).jobs; }
STUB_EXPORT int64_t stub_busy_microseconds(int core) { return cores().counters(core).busy_ns / 1000; }
STUB_EXPORT int64_t stub_concurrent_uses() { return control().counters.concurrent_uses; }
STUB_EXPORT int64_t stub_bad_handles() { return control().counters.bad_handles; }
STUB_EXPORT int64_t stub_originals_destroyed_first() { return control().counters.originals_destroyed_first; }
STUB_EXPORT int64_t stub_registered_custom_ops() { return control().counters.custom_ops; }
STUB_EXPORT const char* stub_last_error() { return keep(control().error()); }

STUB_EXPORT void stub_record_jobs(int64_t capacity) { control().record_jobs(capacity); }
STUB_EXPORT int64_t stub_jobs(stub_job* jobs, int64_t capacity) { return control().jobs(jobs, capacity); }
STUB_EXPORT void stub_record_calls(int64_t capacity) { control().record_calls(capacity); }
STUB_EXPORT int64_t stub_recorded_calls(stub_call* calls, int64_t capacity) { return control().calls(calls, capacity); }
