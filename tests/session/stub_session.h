// Sessions over the stub runtime: every test starts with a fresh stub and ends with nothing left alive.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../stub_runtime/stub_runtime.h"
#include "openrknn/io_binding.hpp"
#include "openrknn/session.hpp"
#include "rknn_api.h"

namespace openrknn::test {

/// The control functions of the stub, looked up once. Linking the stub would put its rknn_* before those of others.
struct Stub {
  Stub() {
    void* const handle = dlopen(OPENRKNN_STUB_RUNTIME_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
      if (function == nullptr) throw std::runtime_error(name);
    };
#define OPENRKNN_FIND(name) find(name, "stub_" #name)
    OPENRKNN_FIND(configure);
    OPENRKNN_FIND(reset);
    OPENRKNN_FIND(fail);
    OPENRKNN_FIND(fail_any);
    OPENRKNN_FIND(failed_api);
    OPENRKNN_FIND(block);
    OPENRKNN_FIND(wait_blocked);
    OPENRKNN_FIND(release);
    OPENRKNN_FIND(calls);
    OPENRKNN_FIND(live_contexts);
    OPENRKNN_FIND(live_mems);
    OPENRKNN_FIND(live_outputs);
    OPENRKNN_FIND(max_concurrent_jobs);
    OPENRKNN_FIND(core_jobs);
    OPENRKNN_FIND(concurrent_uses);
    OPENRKNN_FIND(bad_handles);
    OPENRKNN_FIND(originals_destroyed_first);
    OPENRKNN_FIND(last_error);
    OPENRKNN_FIND(record_calls);
    OPENRKNN_FIND(recorded_calls);
#undef OPENRKNN_FIND
  }
  decltype(&stub_configure) configure;
  decltype(&stub_reset) reset;
  decltype(&stub_fail) fail;
  decltype(&stub_fail_any) fail_any;
  decltype(&stub_failed_api) failed_api;
  decltype(&stub_block) block;
  decltype(&stub_wait_blocked) wait_blocked;
  decltype(&stub_release) release;
  decltype(&stub_calls) calls;
  decltype(&stub_live_contexts) live_contexts;
  decltype(&stub_live_mems) live_mems;
  decltype(&stub_live_outputs) live_outputs;
  decltype(&stub_max_concurrent_jobs) max_concurrent_jobs;
  decltype(&stub_core_jobs) core_jobs;
  decltype(&stub_concurrent_uses) concurrent_uses;
  decltype(&stub_bad_handles) bad_handles;
  decltype(&stub_originals_destroyed_first) originals_destroyed_first;
  decltype(&stub_last_error) last_error;
  decltype(&stub_record_calls) record_calls;
  decltype(&stub_recorded_calls) recorded_calls;
};

inline Stub& stub() {
  static Stub the_stub;
  return the_stub;
}

/// One float input of 12 elements whose first comes back as the first of both outputs.
inline constexpr const char* kStubModel =
    "input x f32 1,2,3,2\noutput y f32 1,4\noutput z f32 1,2,2,2\nversion 2.4.1\n";

class StubSession : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(stub().reset(), 0); }
  void TearDown() override {
    stub().reset();
    EXPECT_EQ(stub().live_contexts(), 0);
    EXPECT_EQ(stub().live_mems(), 0);
    EXPECT_EQ(stub().live_outputs(), 0);
  }

  /// What must hold of the runtime's use at the end of every test that made no faults.
  static void expect_well_used() {
    EXPECT_EQ(stub().concurrent_uses(), 0) << stub().last_error();
    EXPECT_EQ(stub().bad_handles(), 0) << stub().last_error();
    EXPECT_EQ(stub().originals_destroyed_first(), 0);
  }

  static void configure(const std::string& settings) {
    ASSERT_EQ(stub().configure(settings.c_str()), 0) << stub().last_error();
  }
  /// Until a call sits in the block a test asked for.
  static void wait_blocked() { ASSERT_EQ(stub().wait_blocked(1, 5000), 0); }
  static SessionOptions with_stub(SessionOptions options = {}) {
    options.runtime_library = OPENRKNN_STUB_RUNTIME_LIBRARY;
    return options;
  }
  static Session open(SessionOptions options = {}, const std::string& model = kStubModel) {
    return Session(std::as_bytes(std::span(model)), with_stub(std::move(options)));
  }
  static SessionOptions over_cores(std::vector<int64_t> schedule) {
    SessionOptions options;
    options.schedule = std::move(schedule);
    return options;
  }
};

/// The array of task `tag` in the presented (NCHW) order.
struct Tagged {
  std::vector<float> values = std::vector<float>(12);
  explicit Tagged(int tag) { values[0] = static_cast<float>(tag); }
  ArrayView view() const { return {ElementType::Float32, {1, 2, 2, 3}, values.data()}; }
  Feed feed() const { return Feed::single(view()); }
};

inline int tag_of(const std::vector<Array>& outputs) { return static_cast<int>(outputs.at(0).floats()[0]); }

/// What callbacks said, in the order they came.
class Log {
 public:
  struct Entry {
    int task = 0, tag = -1;
    std::string error;
  };
  Callback callback(int task) {
    return [this, task](Completion&& completion) {
      Entry entry{task, completion.error.empty() ? tag_of(completion.outputs) : -1, completion.error};
      const std::lock_guard lock(mutex_);
      entries_.push_back(std::move(entry));
      changed_.notify_all();
    };
  }
  std::vector<Entry> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entries_.size() >= count; });
    return entries_;
  }
  std::vector<Entry> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Entry> entries_;
};

template <class Action>
std::string failure_of(const Action& action) {
  try {
    action();
  } catch (const SessionError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace openrknn::test
