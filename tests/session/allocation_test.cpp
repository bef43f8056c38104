// A session at work allocates next to nothing, and an allocation that fails spoils one task only.
#include <cstdlib>
#include <future>
#include <new>

#include "stub_session.h"

namespace {
// Of the session's and the test's threads alike: `counting` is a switch, not a scope.
std::atomic<bool> counting = false;
std::atomic<int64_t> allocations = 0;
std::atomic<int> failures_left = 0;  // of threads that may fail
thread_local bool may_fail = true;
}  // namespace

// Sanitizers bring an operator new of their own, which must not be mixed with ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCounts = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kCounts = false;
#define OPENRKNN_SANITIZED
#else
constexpr bool kCounts = true;
#endif
#else
constexpr bool kCounts = true;
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(OPENRKNN_SANITIZED)
// Every other form of new ends up in this one.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (may_fail && failures_left > 0 && failures_left.fetch_sub(1) > 0) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace openrknn {
namespace {

using namespace test;

class SessionAllocation : public StubSession {};

constexpr int kCalls = 1000;  // many, so that what pools grow by when threads meet anew counts little

template <class Call>
double allocations_per_call(const Call& call) {
  for (int i = 0; i < 50; ++i) call(i);  // pools fill, vectors grow
  allocations = 0;
  counting = true;
  for (int i = 0; i < kCalls; ++i) call(i);
  counting = false;
  return static_cast<double>(allocations) / kCalls;
}

TEST_F(SessionAllocation, RunAllocatesItsListOfResultsAtMost) {
  if (!kCounts) GTEST_SKIP() << "a sanitizer counts its own";
  for (const InputLayout layout : {InputLayout::Nchw, InputLayout::NchwSoftware}) {
    SessionOptions options;
    options.layout = layout;
    Session session = open(options);
    const Tagged input(1);
    const Feed feed = input.feed();
    const OutputNames all;
    EXPECT_LE(allocations_per_call([&](int) { session.run(all, feed); }), 1.0);
  }
}

TEST_F(SessionAllocation, AsynchronousTasksAllocateTwiceAtMost) {
  if (!kCounts) GTEST_SKIP() << "a sanitizer counts its own";
  Session session = open(over_cores({0, 1, 2}));
  const Tagged input(1);
  const Feed feed = input.feed();
  const OutputNames all;
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  const auto call = [&](int) {
    session.run_async(all, feed, [&](Completion&&) {
      const std::lock_guard lock(mutex);
      ++done;
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done > 0; });
    done = 0;
  };
  EXPECT_LE(allocations_per_call(call), 2.05);
}

TEST_F(SessionAllocation, AFailedAllocationInAWorkerFailsThatTaskOnly) {
  if (!kCounts) GTEST_SKIP() << "a sanitizer brings its own operator new";
  Session session = open();
  stub().block("rknn_run", 1);
  std::future<std::vector<Array>> first = session.submit({}, Tagged(1).feed());
  wait_blocked();
  may_fail = false;  // of this thread; the next allocation is the worker's, for the first results ever
  failures_left = 1;
  stub().release(0);
  const std::string text = failure_of([&] { first.get(); });
  failures_left = 0;
  may_fail = true;
  EXPECT_EQ(text.substr(0, 43), "Failed to allocate output buffer for output");
  EXPECT_EQ(tag_of(session.run({}, Tagged(2).feed())), 2);
}

}  // namespace
}  // namespace openrknn
