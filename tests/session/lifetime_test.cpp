// Closing, dropping, faults: every completion comes exactly once, nothing is left behind, nothing hangs.
#include <atomic>
#include <cstdlib>
#include <future>
#include <random>

#include "stub_session.h"

namespace openrknn {
namespace {

using namespace test;

class SessionLifetime : public StubSession {};

TEST_F(SessionLifetime, CloseRunsWhatWaitsOrCancelsItAsAsked) {
  for (const bool drain : {true, false}) {
    stub().reset();
    Session session = open();
    stub().block("rknn_run", 1);
    Log log;
    for (int i = 0; i < 4; ++i) {
      session.run_async({}, Tagged(i).feed(), log.callback(i));
      if (i == 0) wait_blocked();
    }
    std::thread opener([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      stub().release(0);
    });
    EXPECT_TRUE(session.close(drain));
    const std::vector<Log::Entry> entries = log.entries();
    ASSERT_EQ(entries.size(), 4u);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(entries[i].error, i == 0 || drain ? "" : "session closed");
    EXPECT_EQ(stub().live_contexts(), 0);
    EXPECT_TRUE(session.close());
    opener.join();
    EXPECT_EQ(failure_of([&] { session.run({}, Tagged(0).feed()); }), "session closed");
    EXPECT_EQ(failure_of([&] { session.run_async({}, Tagged(0).feed(), log.callback(0)); }), "session closed");
    EXPECT_EQ(failure_of([&] { session.run_pipeline(Tagged(0).feed()); }), "session closed");
  }
}

TEST_F(SessionLifetime, CloseDoesNotWaitLongerThanAllowedForARunThatHangs) {
  Session session = open();
  stub().block("rknn_run", 1);
  Log log;
  for (int i = 0; i < 3; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
  wait_blocked();
  EXPECT_FALSE(session.close(true, std::chrono::milliseconds(20)));
  stub().release(0);
  EXPECT_TRUE(session.close());
  EXPECT_EQ(log.entries().size(), 3u);
}

TEST_F(SessionLifetime, WaitingCallsAreToldWhenTheSessionCloses) {
  SessionOptions options;
  options.max_queue_size = 1;
  Session session = open(options);
  stub().block("rknn_run", 1);
  std::vector<std::future<std::string>> calls;
  for (int i = 0; i < 5; ++i) {  // one runs, one waits for a core, three for a place
    calls.push_back(
        std::async(std::launch::async, [&] { return failure_of([&] { session.run({}, Tagged(1).feed()); }); }));
  }
  wait_blocked();
  while (session.stats().waiting == 0) std::this_thread::yield();
  std::thread closer([&] { session.close(false); });
  int closed = 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stub().release(0);
  for (std::future<std::string>& call : calls) closed += call.get() == "session closed" ? 1 : 0;
  closer.join();
  EXPECT_EQ(closed, 4);
}

TEST_F(SessionLifetime, ACallbackMayCloseOrDropItsOwnSession) {
  std::promise<bool> answered;
  std::promise<void> submitted;
  auto session = std::make_shared<Session>(open());
  Log log;
  session->run_async({}, Tagged(0).feed(), [&, keep = session](Completion&&) mutable {
    submitted.get_future().wait();
    answered.set_value(keep->close());
    keep.reset();
  });
  session->run_async({}, Tagged(1).feed(), log.callback(1));
  session.reset();
  submitted.set_value();
  EXPECT_FALSE(answered.get_future().get());
  log.wait_for(1);
  while (stub().live_contexts() != 0) std::this_thread::yield();
}

TEST_F(SessionLifetime, ResultsOutliveTheSession) {
  std::vector<Array> outputs;
  {
    Session session = open();
    outputs = session.run({}, Tagged(42).feed());
  }
  const Array copy = outputs[0];
  outputs.clear();
  EXPECT_EQ(copy.floats()[0], 42.0f);
}

TEST_F(SessionLifetime, DroppedWithWorkInFlightAThousandTimes) {
  const char* text = std::getenv("OPENRKNN_TEST_SEED");
  const unsigned seed = text == nullptr ? 20261121 : static_cast<unsigned>(std::atoi(text));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  configure("latency_us=200,20,0");
  for (int round = 0; round < 1000; ++round) {
    std::atomic<int> fired = 0;
    int submitted = 0;
    {
      Session session = open(over_cores({0, 1, 2}));
      const int tasks = static_cast<int>(random() % 21);
      for (; submitted < tasks; ++submitted) {
        session.run_async({}, Tagged(submitted).feed(), [&](Completion&&) { ++fired; });
      }
      const unsigned pause = random() % 300;
      if (pause > 100) std::this_thread::sleep_for(std::chrono::microseconds(pause));
    }
    ASSERT_EQ(fired, submitted) << "round " << round;
    ASSERT_EQ(stub().live_contexts(), 0);
  }
  expect_well_used();
}

/// Opens, runs in every way, closes. Any of it may fail; nothing may be left.
void use_everything(const SessionOptions& options) {
  const std::string model = "input x f32 1,2,3,2\noutput y f32 1,4\nversion 2.4.1\n";
  Session session(std::as_bytes(std::span(model)), options);
  const auto attempt = [](const auto& action) {
    try {
      action();
    } catch (const SessionError& error) {
      EXPECT_EQ(error.api, stub().failed_api()) << error.what();
      EXPECT_NE(std::string(error.what()).find(stub().failed_api()), std::string::npos) << error.what();
    }
  };
  attempt([&] { session.run({}, Tagged(1).feed()); });
  attempt([&] { session.submit({}, Tagged(2).feed()).get(); });
  attempt([&] { session.run({}, Tagged(3).feed(), {.dispatch_batch = true}); });
  attempt([&] { session.memory_info(); });
  attempt([&] {
    IoBinding binding = session.io_binding();
    DeviceArray x(session, "x", IoKind::Input), y(session, "y", IoKind::Output);
    binding.bind_input("x", x);
    binding.bind_output("y", y);
    binding.run();
    y.sync_from_device();
  });
}

TEST_F(SessionLifetime, AnyCallOfTheRuntimeMayFailOnceAtAnyTime) {
  const SessionOptions options = with_stub(over_cores({0, 1}));
  use_everything(options);
  const int64_t calls = stub().calls("");
  ASSERT_GT(calls, 40);
  for (int64_t nth = 1; nth <= calls; ++nth) {
    stub().reset();
    stub().fail_any(nth, RKNN_ERR_DEVICE_UNAVAILABLE);
    try {
      use_everything(options);
    } catch (const SessionError& error) {
      EXPECT_NE(std::string(error.what()).find(stub().failed_api()), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("RKNN_ERR_DEVICE_UNAVAILABLE (-3)"), std::string::npos) << error.what();
    }
    ASSERT_EQ(stub().live_contexts(), 0) << "call " << nth << ", " << stub().failed_api();
    ASSERT_EQ(stub().live_mems(), 0) << "call " << nth << ", " << stub().failed_api();
    expect_well_used();
  }
}

TEST_F(SessionLifetime, ManyThreadsUseEverythingAtOnce) {
  SessionOptions options = over_cores({0, 1, 2});
  options.threads_per_core = 2;
  Session session = open(options);
  IoBinding binding = session.io_binding();
  binding.bind_input("x", DeviceArray(session, "x", IoKind::Input));
  binding.bind_output("y", DeviceArray(session, "y", IoKind::Output));
  binding.bind_output("z", DeviceArray(session, "z", IoKind::Output));
  std::vector<std::thread> threads;
  std::atomic<int> callbacks = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        switch ((t + i) % 5) {
          case 0:
            EXPECT_EQ(tag_of(session.run({}, Tagged(i).feed())), i);
            break;
          case 1:
            session.run_async({}, Tagged(i).feed(), [&](Completion&&) { ++callbacks; });
            break;
          case 2:
            EXPECT_EQ(tag_of(session.submit({}, Tagged(i).feed()).get()), i);
            break;
          case 3:
            session.run_pipeline(Tagged(i).feed(), 2);
            break;
          default:
            binding.run();
            session.stats();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  session.close();
  EXPECT_EQ(callbacks, 64);
  expect_well_used();
}

}  // namespace
}  // namespace openrknn
