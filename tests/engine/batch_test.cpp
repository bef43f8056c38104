#include "runtime/engine/batch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/base/error.h"
#include "runtime/engine/cores.h"

namespace openrknn {
namespace {

TEST(Batch, EveryItemIsDoneOnceByALaneThatDoesOneAtATime) {
  std::vector<std::atomic<int>> done(100), busy(3);
  for_each_item(100, 3, [&](int64_t item, int lane) {
    EXPECT_EQ(++busy[static_cast<size_t>(lane)], 1);
    ++done[static_cast<size_t>(item)];
    --busy[static_cast<size_t>(lane)];
  });
  for (const auto& times : done) EXPECT_EQ(times, 1);
}

TEST(Batch, AsManyItemsAreUnderWayAsThereAreLanes) {
  std::mutex mutex;
  std::condition_variable all_here;
  int here = 0;
  // Each waits for the other two: with fewer lanes this would not end.
  for_each_item(3, 3, [&](int64_t, int) {
    std::unique_lock lock(mutex);
    ++here;
    all_here.notify_all();
    all_here.wait(lock, [&] { return here == 3; });
  });
  EXPECT_EQ(here, 3);
}

TEST(Batch, ItemsOfOneLaneGoInOrderAndItDoesTheLastOne) {
  std::vector<int64_t> order;
  EXPECT_EQ(for_each_item(5, 1, [&](int64_t item, int) { order.push_back(item); }), 0);
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(Batch, AFailureEndsItAndTheLowestIsTold) {
  std::atomic<int> begun = 0;
  try {
    for_each_item(1000, 2, [&](int64_t item, int) {
      ++begun;
      if (item >= 2) fail(Code::Internal, std::to_string(item));
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics[0].problem, "2");
  }
  EXPECT_LT(begun, 1000);
}

TEST(Cores, AJobThatGivesUpLetsThoseBehindItPass) {
  Cores cores(2, 1);
  const RunControl patient;
  RunControl hasty;
  const auto first = cores.acquire(1, patient);
  hasty.begin(RunControl::Clock::now());               // its time is up at once
  EXPECT_THROW(cores.acquire(3, hasty), RunTimedOut);  // had core 1 reserved
  EXPECT_EQ(cores.acquire(2, patient)->held(), 2u);
  hasty.begin(std::nullopt);
  hasty.cancel();
  EXPECT_THROW(cores.acquire(1, hasty), RunCancelled);
}

TEST(RunControl, OneCancelStopsOneRun) {
  RunControl control;
  control.cancel();
  control.begin(std::nullopt);
  EXPECT_THROW(control.check(), RunCancelled);
  EXPECT_THROW(control.sleep_until(RunControl::Clock::now() + std::chrono::hours(1)), RunCancelled);
  control.forget_cancel();
  EXPECT_NO_THROW(control.check());
  EXPECT_NO_THROW(control.sleep_until(RunControl::Clock::now()));
  control.begin(RunControl::Clock::now());
  EXPECT_THROW(control.check(), RunTimedOut);
}

}  // namespace
}  // namespace openrknn
