// What the stub is told and what it saw: settings, faults, counters and records behind stub_runtime.h.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stub_runtime.h"

namespace openrknn::stub {

enum class Api : uint8_t {
  Init,
  DupContext,
  Destroy,
  Query,
  InputsSet,
  SetBatchCoreNum,
  SetCoreMask,
  Run,
  Wait,
  OutputsGet,
  OutputsRelease,
  CreateMem,
  CreateMem2,
  CreateMemFromFd,
  CreateMemFromPhys,
  DestroyMem,
  SetIoMem,
  SetInputShapes,
  MemSync,
  RegisterCustomOps,
  CustomOpGetOpAttr,
};
inline constexpr size_t kApis = 21;
extern const std::array<const char*, kApis> kApiNames;  ///< by Api
std::optional<Api> find_api(std::string_view name);

enum class Fill : uint8_t { None, Zero, Tag, Echo };
struct Settings {                        // no memory of its own: every call looks at a copy
  std::array<int64_t, 16> latency_us{};  ///< by core
  int64_t jitter_us = 0, seed = 0;
  int64_t input_ns_per_kib = 0, output_ns_per_kib = 0;
  bool copy = true;
  Fill fill = Fill::None;
  int missing_input = 0;
};

struct Counters {
  std::array<std::atomic<int64_t>, kApis> calls{}, nanoseconds{};
  std::atomic<int64_t> bytes_in = 0, bytes_out = 0;
  std::atomic<int64_t> concurrent_uses = 0, bad_handles = 0, originals_destroyed_first = 0, custom_ops = 0;
  void reset();
};

/// What a fault does to one call.
struct Fault {
  int code = 0;  ///< not 0: return it
  bool block = false;
};

class Control {
 public:
  Control();

  Settings settings() const;
  /// How long the run with this number holds `core`.
  int64_t latency_ns(int core, int64_t run) const;
  int configure(std::string_view text);
  void reset();

  int fail(Api, int64_t nth, int code);
  int fail_any(int64_t nth, int code);
  int block(Api, int64_t nth);
  /// Counts the call and tells what befalls it.
  Fault enter(Api);
  /// Until stub_release; the code it was given.
  int wait_for_release();
  int wait_blocked(int calls, int timeout_ms);
  void release(int code);
  std::string failed_api() const;

  void record_jobs(int64_t capacity);
  void record(const stub_job&);
  int64_t jobs(stub_job* out, int64_t capacity) const;
  void record_calls(int64_t capacity);
  void record(const stub_call&);
  int64_t calls(stub_call* out, int64_t capacity) const;

  void set_error(std::string text);
  std::string error() const;

  Counters counters;

 private:
  struct Planned {
    std::optional<Api> api;  ///< none: any
    int64_t left;            ///< calls until it happens, this one included; 0: every call
    Fault fault;
  };
  void plan(Planned);
  void configure_from_environment();

  mutable std::mutex mutex_;
  Settings settings_;
  std::atomic<bool> anything_planned_ = false, recording_jobs_ = false, recording_calls_ = false;
  std::vector<Planned> planned_;
  std::string failed_api_, error_;
  std::condition_variable changed_;
  int blocked_ = 0, release_code_ = 0;
  int64_t releases_ = 0;
  std::vector<stub_job> jobs_;
  std::vector<stub_call> calls_;
};

/// One for the process: the library stands for one device.
Control& control();

}  // namespace openrknn::stub
