// Who runs where and when: schedules, the queue's bound, time limits.
#include <atomic>
#include <chrono>
#include <set>

#include "stub_session.h"

namespace openrknn {
namespace {

using namespace test;

class SessionDispatch : public StubSession {};

TEST_F(SessionDispatch, TasksTakeTheCoresOfTheScheduleInTurn) {
  stub().record_calls(1000);
  {
    Session session = open(over_cores({0, 2, 0}));
    Log log;
    for (int i = 0; i < 30; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
    log.wait_for(30);
    EXPECT_EQ(stub().core_jobs(0), 20);
    EXPECT_EQ(stub().core_jobs(1), 0);
    EXPECT_EQ(stub().core_jobs(2), 10);
  }
  expect_well_used();
}

TEST_F(SessionDispatch, StaticDispatchKeepsTasksOfFreeCoresOutOfASlowCoresWay) {
  Session session = open(over_cores({0, 1}));
  stub().block("rknn_run", 1);
  Log log;
  session.run_async({}, Tagged(0).feed(), log.callback(0));  // core 0, and stays there
  wait_blocked();
  EXPECT_EQ(tag_of(session.run({}, Tagged(1).feed())), 1);  // core 1, although core 0's task came first
  stub().release(0);
  log.wait_for(1);
}

TEST_F(SessionDispatch, DynamicDispatchNeverWaitsForABusyCoreWhileAnotherIsFree) {
  SessionOptions options = over_cores({0, 1, 2});
  options.dispatch = Dispatch::Dynamic;
  Session session = open(options);
  stub().block("rknn_run", 1);
  Log log;
  session.run_async({}, Tagged(0).feed(), log.callback(0));
  wait_blocked();
  for (int i = 1; i < 20; ++i) EXPECT_EQ(tag_of(session.run({}, Tagged(i).feed())), i);
  stub().release(0);
  log.wait_for(1);
}

TEST_F(SessionDispatch, NoMoreTasksWaitThanMaxQueueSizeHoweverManySubmit) {
  SessionOptions options;
  options.max_queue_size = 4;
  Session session = open(options);
  stub().block("rknn_run", 1);
  Log log;
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) session.run_async({}, Tagged(t * 5 + i).feed(), log.callback(t * 5 + i));
    });
  }
  wait_blocked();
  size_t most = 0;
  while (most < 4) most = std::max(most, session.stats().waiting);
  stub().release(0);
  while (log.entries().size() < 320) {
    most = std::max(most, session.stats().waiting);
    std::this_thread::yield();
  }
  EXPECT_EQ(most, 4u);
  for (std::thread& thread : threads) thread.join();
  std::set<int> tags;
  for (const Log::Entry& entry : log.entries()) {
    EXPECT_EQ(entry.task, entry.tag);
    tags.insert(entry.tag);
  }
  EXPECT_EQ(tags.size(), 320u);
}

TEST_F(SessionDispatch, AFullQueueIsATimeoutWithTheDocumentedText) {
  SessionOptions options;
  options.max_queue_size = 2;
  options.submit_timeout_ms = 30;
  Session session = open(options);
  stub().block("rknn_run", 1);
  Log log;
  for (int i = 0; i < 3; ++i) {  // one that runs, two that wait
    session.run_async({}, Tagged(i).feed(), log.callback(i));
    if (i == 0) wait_blocked();
  }
  const std::string saturated = " submit timed out: async queue/callback pipeline is saturated";
  EXPECT_EQ(failure_of([&] { session.run_async({}, Tagged(9).feed(), log.callback(9)); }), "run_async" + saturated);
  EXPECT_EQ(failure_of([&] { session.run({}, Tagged(9).feed()); }), "run" + saturated);
  EXPECT_EQ(failure_of([&] { session.run_pipeline(Tagged(9).feed()); }), "run" + saturated);
  EXPECT_EQ(failure_of([&] { session.run({}, Tagged(9).feed(), {.dispatch_batch = true}); }), "run" + saturated);
  EXPECT_THROW(session.run({}, Tagged(9).feed()), TimeoutError);
  stub().release(0);
  EXPECT_EQ(log.wait_for(3).size(), 3u);
  EXPECT_EQ(tag_of(session.run({}, Tagged(5).feed())), 5);
}

TEST_F(SessionDispatch, ARunWithATimeLimitGivesUpAndTheOtherCoresGoOn) {
  SessionOptions options = over_cores({0, 1});
  options.dispatch = Dispatch::Dynamic;
  Session session = open(options);
  stub().block("rknn_run", 1);
  EXPECT_EQ(failure_of([&] { session.run({}, Tagged(0).feed(), {.timeout_ms = 30}); }),
            "run timed out: no result within 30 ms");
  for (int i = 1; i < 10; ++i) EXPECT_EQ(tag_of(session.run({}, Tagged(i).feed(), {.timeout_ms = 5000})), i);
  stub().release(0);
}

TEST_F(SessionDispatch, PacingSpreadsSubmissionsWithoutLosingAny) {
  configure("latency_us=2000");
  SessionOptions options;
  options.enable_pacing = true;
  Session session = open(options);
  Log log;
  for (int i = 0; i < 20; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
  const std::vector<Log::Entry> entries = log.wait_for(20);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(entries[static_cast<size_t>(i)].tag, i);
}

TEST_F(SessionDispatch, PacingHonoursTheSubmitTimeout) {
  configure("latency_us=60000");
  SessionOptions options;
  options.enable_pacing = true;
  options.submit_timeout_ms = 20;
  Session session = open(options);
  session.run({}, Tagged(0).feed());
  Log log;
  session.run_async({}, Tagged(1).feed(), log.callback(1));  // the next may come 60 ms from now
  EXPECT_THROW(session.run({}, Tagged(2).feed()), TimeoutError);
  log.wait_for(1);
}

TEST_F(SessionDispatch, ContextsAreMadeAndMaskedAsTheOptionsSay) {
  struct Case {
    SessionOptions options;
    int64_t inits, duplicates;
    std::vector<uint64_t> masks;
  };
  SessionOptions two_each = over_cores({0, 0, 2});
  two_each.threads_per_core = 2;
  SessionOptions own = two_each;
  own.disable_dup_context = true;
  SessionOptions all;
  all.core_mask = 0xffff;
  all.threads_per_core = 2;
  const std::vector<Case> cases = {
      {{}, 1, 0, {0}}, {two_each, 1, 3, {1, 4, 1, 4}}, {own, 4, 0, {1, 4, 1, 4}}, {all, 1, 1, {0xffff, 0xffff}}};
  for (const Case& c : cases) {
    stub().reset();
    stub().record_calls(1000);
    { Session session = open(c.options); }
    EXPECT_EQ(stub().calls("rknn_init"), c.inits);
    EXPECT_EQ(stub().calls("rknn_dup_context"), c.duplicates);
    EXPECT_EQ(stub().calls("rknn_destroy"), c.inits + c.duplicates);
    std::vector<stub_call> calls(1000);
    calls.resize(static_cast<size_t>(stub().recorded_calls(calls.data(), 1000)));
    std::vector<uint64_t> masks;
    for (const stub_call& call : calls) {
      if (std::string(call.api) == "rknn_set_core_mask") masks.push_back(call.argument);
    }
    EXPECT_EQ(masks, c.masks);
    expect_well_used();
  }
}

TEST_F(SessionDispatch, CoresThePlatformLacksAreAnErrorOrLeftOutAsAsked) {
  const std::string one_core = std::string(kStubModel) + "cores 1\n";
  EXPECT_EQ(
      failure_of([&] {
        open(over_cores({0, 1}), one_core);
      }),
      "rknn_set_core_mask failed for thread 1: RKNN_ERR_TARGET_PLATFORM_UNMATCH (-13): model target platform is not "
      "compatible with current platform.. Maybe you specified a configuration that is not supported by the current "
      "platform");
  EXPECT_EQ(stub().live_contexts(), 0);
  SessionOptions lenient = over_cores({0, 1});
  lenient.strict_cores = false;
  Session session = open(lenient, one_core);
  ASSERT_EQ(session.warnings().size(), 1u);
  EXPECT_TRUE(session.warnings()[0].starts_with("core 1 is left out: ")) << session.warnings()[0];
  EXPECT_EQ(tag_of(session.run({}, Tagged(4).feed())), 4);
}

TEST_F(SessionDispatch, WorkersMoveToOtherCoresBetweenTasks) {
  Session session = open();
  session.run({}, Tagged(0).feed());
  session.set_core_mask(4);
  session.run({}, Tagged(1).feed());
  EXPECT_EQ(stub().core_jobs(2), 1);
  Session scheduled = open(over_cores({0}));
  EXPECT_THROW(scheduled.set_core_mask(1), SessionError);
}

TEST_F(SessionDispatch, WarmUpRunsEveryContextBeforeTheFirstTask) {
  SessionOptions options = over_cores({0, 1, 2});
  options.warmup = 2;
  Session session = open(options);
  EXPECT_EQ(stub().calls("rknn_run"), 6);
  EXPECT_EQ(session.stats().submitted, 0u);
}

}  // namespace
}  // namespace openrknn
