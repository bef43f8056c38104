#include "core/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace openrknn {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
      pool.parallel_for(tasks, [&](int64_t task, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        ++runs[static_cast<size_t>(task)];
      });
      for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
    }
  }
}

TEST(ThreadPool, RethrowsTheLowestFailingTaskAndStaysUsable) {
  ThreadPool pool(3);
  for (int round = 0; round < 50; ++round) {
    try {
      pool.parallel_for(100, [](int64_t task, int) {
        if (task % 10 == 7) throw std::runtime_error(std::to_string(task));
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "7");
    }
  }
  std::atomic<int> count = 0;
  pool.parallel_for(10, [&](int64_t, int) { ++count; });
  EXPECT_EQ(count, 10);
}

TEST(ThreadPool, NestedLoopsRunInlineInsteadOfDeadlocking) {
  ThreadPool pool(2);
  std::atomic<int> count = 0;
  pool.parallel_for(8, [&](int64_t, int) { pool.parallel_for(8, [&](int64_t, int) { ++count; }); });
  EXPECT_EQ(count, 64);
}

TEST(ThreadPool, SeveralCallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> count = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) pool.parallel_for(5, [&](int64_t, int) { ++count; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(count, 4 * 100 * 5);
}

TEST(ThreadPool, WorkersThatExpectMoreDoTheSameAndSleepInTheEnd) {
  ThreadPool pool(2);
  const ThreadPool::Expecting expecting(pool);
  const ThreadPool::Expecting again(pool);  // runs may overlap
  std::atomic<int> count = 0;
  for (int round = 0; round < 100; ++round) pool.parallel_for(5, [&](int64_t, int) { ++count; });
  EXPECT_EQ(count, 500);
  const std::clock_t begin = std::clock();  // of all threads of the process
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC / 10) << "somebody spins";
  pool.parallel_for(5, [&](int64_t, int) { ++count; });
  EXPECT_EQ(count, 505);
}

#if !defined(__SANITIZE_THREAD__)
TEST(ThreadPool, WorksInAChildProcessAfterFork) {
  ThreadPool pool(2);
  pool.parallel_for(4, [](int64_t, int) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> count = 0;
    pool.parallel_for(100, [&](int64_t, int) { ++count; });
    _exit(count == 100 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

#if defined(__x86_64__)
TEST(ThreadPool, TasksSeeTheDefaultFloatEnvironmentWhateverTheCallerSet) {
  const unsigned flush_to_zero = 0x8040;  // FTZ and DAZ: some libraries switch them on when they are loaded
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | flush_to_zero);
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    std::atomic<int> wrong = 0;
    pool.parallel_for(16, [&](int64_t, int) { wrong += (_mm_getcsr() & flush_to_zero) != 0; });
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(_mm_getcsr() & flush_to_zero, flush_to_zero);
  _mm_setcsr(saved);
}
#endif

}  // namespace
}  // namespace openrknn
