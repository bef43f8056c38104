// Results find their way: callbacks, futures, the pipeline, batches; each exactly once and independent of the others.
#include <algorithm>
#include <atomic>
#include <future>

#include "stub_session.h"

namespace openrknn {
namespace {

using namespace test;

class SessionCompletion : public StubSession {
 protected:
  void TearDown() override {
    expect_well_used();
    StubSession::TearDown();
  }
};

TEST_F(SessionCompletion, CallbacksComeInOrderOfSubmissionWhateverTheCoresDo) {
  configure("latency_us=300,100,0 jitter_us=500 seed=7");
  Session session = open(over_cores({0, 1, 2}));
  Log log;
  for (int i = 0; i < 200; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
  const std::vector<Log::Entry> entries = log.wait_for(200);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(entries[static_cast<size_t>(i)].task, i);
    EXPECT_EQ(entries[static_cast<size_t>(i)].tag, i);
  }
}

TEST_F(SessionCompletion, UnorderedCallbacksOvertakeASlowTask) {
  SessionOptions options = over_cores({0, 1});
  options.sequential_callbacks = false;
  Session session = open(options);
  stub().block("rknn_run", 1);
  Log log;
  session.run_async({}, Tagged(0).feed(), log.callback(0));
  wait_blocked();
  session.run_async({}, Tagged(1).feed(), log.callback(1));
  EXPECT_EQ(log.wait_for(1)[0].task, 1);
  stub().release(0);
  EXPECT_EQ(log.wait_for(2)[1].task, 0);
}

TEST_F(SessionCompletion, FailedTasksTellTheirCallbackAndKeepTheOrder) {
  Session session = open(over_cores({0, 1, 2}));
  stub().fail("rknn_run", 5, RKNN_ERR_TIMEOUT);
  Log log;
  for (int i = 0; i < 50; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
  const std::vector<Log::Entry> entries = log.wait_for(50);
  int failed = 0;
  for (int i = 0; i < 50; ++i) {
    const Log::Entry& entry = entries[static_cast<size_t>(i)];
    EXPECT_EQ(entry.task, i);
    if (entry.error.empty()) continue;
    ++failed;
    EXPECT_EQ(entry.error, "rknn_run failed: RKNN_ERR_TIMEOUT (-2): execute timeout.");
  }
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(session.stats().failed, 1u);
}

TEST_F(SessionCompletion, ASlowCallbackDelaysNeitherRunNorFuturesNorThePipeline) {
  Session session = open();
  std::promise<void> entered, leave;
  session.run_async({}, Tagged(0).feed(), [&](Completion&&) {
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  EXPECT_EQ(tag_of(session.run({}, Tagged(1).feed())), 1);
  EXPECT_EQ(tag_of(session.submit({}, Tagged(2).feed()).get()), 2);
  EXPECT_FALSE(session.run_pipeline(Tagged(3).feed(), 1));
  EXPECT_EQ(tag_of(*session.run_pipeline(Tagged(4).feed(), 1)), 3);
  leave.set_value();
}

TEST_F(SessionCompletion, EveryCallWorksInsideACallback) {
  SessionOptions options;
  options.max_queue_size = 1;
  Session session = open(options);
  std::promise<std::vector<int>> done;
  Log chained;
  session.run_async({}, Tagged(0).feed(), [&](Completion&&) {
    std::vector<int> tags;
    tags.push_back(tag_of(session.run({}, Tagged(1).feed())));
    tags.push_back(tag_of(session.run({}, Tagged(2).feed(), {.timeout_ms = 5000})));
    session.run_pipeline(Tagged(3).feed(), 1, true);
    tags.push_back(tag_of(*session.run_pipeline(Tagged(4).feed(), 1)));
    tags.push_back(tag_of(session.submit({}, Tagged(5).feed()).get()));
    // More than the queue holds: who delivers cannot wait for deliveries.
    for (int i = 0; i < 20; ++i) session.run_async({}, Tagged(i).feed(), chained.callback(i));
    done.set_value(tags);
  });
  EXPECT_EQ(done.get_future().get(), (std::vector<int>{1, 2, 3, 5}));
  EXPECT_EQ(chained.wait_for(20).size(), 20u);
}

TEST_F(SessionCompletion, CallbacksThatSubmitTheNextTaskFormAnEndlessChain) {
  Session session = open();
  std::promise<int> done;
  std::function<void(int)> submit = [&](int i) {
    session.run_async({}, Tagged(i).feed(), [&, i](Completion&& completion) {
      i == 500 ? done.set_value(tag_of(completion.outputs)) : submit(i + 1);
    });
  };
  submit(0);
  EXPECT_EQ(done.get_future().get(), 500);
}

TEST_F(SessionCompletion, SlowCallbacksHoldTasksBackInsteadOfPilingResultsUp) {
  SessionOptions options = over_cores({0, 1});
  options.submit_timeout_ms = 20;
  Session session = open(options);
  std::promise<void> leave;
  std::shared_future<void> left = leave.get_future().share();
  std::atomic<int> delivered = 0;
  int accepted = 0;
  try {
    for (; accepted < 100; ++accepted) {
      session.run_async({}, Tagged(accepted).feed(), [&, left](Completion&&) {
        left.wait();
        ++delivered;
      });
    }
  } catch (const TimeoutError&) {
  }
  // 8 undelivered, one for each worker, and the queue.
  EXPECT_EQ(accepted, 8 + 2 + 3);
  EXPECT_EQ(tag_of(session.run({}, Tagged(7).feed())), 7);  // nothing holds a synchronous run back
  leave.set_value();
  session.close();
  EXPECT_EQ(delivered, accepted);
}

TEST_F(SessionCompletion, ThePipelineGivesNothingForDepthCallsThenOneResultACall) {
  for (int64_t depth = 1; depth <= 5; ++depth) {
    Session session = open(over_cores({0, 1, 2}));
    for (int i = 0; i < 12; ++i) {
      const auto outputs = session.run_pipeline(Tagged(i).feed(), depth);
      ASSERT_EQ(outputs.has_value(), i >= depth) << "depth " << depth << ", call " << i;
      if (outputs) {
        EXPECT_EQ(tag_of(*outputs), i - depth);
      }
    }
    EXPECT_EQ(session.pipeline_pending(), static_cast<size_t>(depth));
    const auto rest = session.pipeline_drain();
    ASSERT_EQ(rest.size(), static_cast<size_t>(depth));
    for (int64_t i = 0; i < depth; ++i) EXPECT_EQ(tag_of(rest[static_cast<size_t>(i)]), 12 - depth + i);
    EXPECT_EQ(session.pipeline_pending(), 0u);
  }
}

TEST_F(SessionCompletion, ResetAndAnotherDepthStartThePipelineAnew) {
  Session session = open();
  const auto tag = [&](int i, int64_t depth, bool reset = false) {
    const auto outputs = session.run_pipeline(Tagged(i).feed(), depth, reset);
    return outputs ? tag_of(*outputs) : -1;
  };
  EXPECT_EQ(tag(0, 2), -1);
  EXPECT_EQ(tag(1, 2), -1);
  EXPECT_EQ(tag(2, 2), 0);
  EXPECT_EQ(tag(3, 2, true), -1);
  EXPECT_EQ(tag(4, 2), -1);
  EXPECT_EQ(tag(5, 2), 3);
  EXPECT_EQ(tag(6, 1), -1);
  EXPECT_EQ(tag(7, 1), 6);
  EXPECT_EQ(failure_of([&] { tag(0, 0); }), "pipeline depth must be > 0");
}

TEST_F(SessionCompletion, AFailureInThePipelineComesWhereItsResultWould) {
  Session session = open();
  stub().fail("rknn_run", 2, RKNN_ERR_FAIL);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(session.run_pipeline(Tagged(i).feed(), 2));
  EXPECT_EQ(tag_of(*session.run_pipeline(Tagged(2).feed(), 2)), 0);
  EXPECT_THROW(session.run_pipeline(Tagged(3).feed(), 2), SessionError);
  EXPECT_EQ(tag_of(*session.run_pipeline(Tagged(4).feed(), 2)), 2);
}

TEST_F(SessionCompletion, BatchesAreSplitAndJoinedAlongTheFirstDimension) {
  const std::string model =
      "input x f32 1,3\noutput y f32 1,4\noutput pair f32 2,3\noutput scalar f32 1\nversion 2.4.1\n";
  configure("fill=tag");
  Session session = open(over_cores({0, 1, 2}), model);
  std::vector<float> values(7 * 3);
  for (int i = 0; i < 7; ++i) values[static_cast<size_t>(i) * 3] = static_cast<float>(10 + i);
  const Feed feed = Feed::single({ElementType::Float32, {7, 3}, values.data()});
  const std::vector<Array> outputs = session.run({}, feed, {.dispatch_batch = true});
  const auto shape = [&](size_t i) {
    return std::vector<int64_t>(outputs[i].shape().begin(), outputs[i].shape().end());
  };
  EXPECT_EQ(shape(0), (std::vector<int64_t>{7, 4}));
  EXPECT_EQ(shape(1), (std::vector<int64_t>{14, 3}));
  EXPECT_EQ(shape(2), (std::vector<int64_t>{7}));
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(outputs[0].floats()[i * 4], static_cast<float>(10 + i));
    EXPECT_EQ(outputs[1].floats()[i * 6 + 5], static_cast<float>(10 + i));
    EXPECT_EQ(outputs[2].floats()[i], static_cast<float>(10 + i));
  }
  // Every second sample, as a view of strides.
  const Feed view = Feed::single({ElementType::Float32, {4, 3}, values.data(), {24, 4}});
  EXPECT_EQ(session.run({}, view, {.dispatch_batch = true})[2].floats()[3], 16.0f);
}

TEST_F(SessionCompletion, OneFailingSampleFailsTheBatch) {
  Session session = open(over_cores({0, 1}));
  stub().fail("rknn_run", 3, RKNN_ERR_FAIL);
  std::vector<float> values(5 * 12);
  const Feed feed = Feed::single({ElementType::Float32, {5, 2, 2, 3}, values.data()});
  EXPECT_EQ(failure_of([&] { session.run({}, feed, {.dispatch_batch = true}); }),
            "rknn_run failed: RKNN_ERR_FAIL (-1): execute failed.");
  EXPECT_EQ(session.run({}, feed, {.dispatch_batch = true})[0].shape()[0], 5);
}

TEST_F(SessionCompletion, CancelledTasksAreToldSoInTheirTurn) {
  Session session = open();
  stub().block("rknn_run", 1);
  Log log;
  std::vector<uint64_t> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(session.run_async({}, Tagged(i).feed(), log.callback(i)));
    if (i == 0) wait_blocked();
  }
  EXPECT_FALSE(session.cancel(ids[0]));  // it runs
  EXPECT_TRUE(session.cancel(ids[2]));
  EXPECT_FALSE(session.cancel(ids[2]));
  EXPECT_FALSE(session.cancel(12345));
  stub().release(0);
  const std::vector<Log::Entry> entries = log.wait_for(4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(entries[static_cast<size_t>(i)].task, i);
  EXPECT_EQ(entries[2].error, "task cancelled");
  EXPECT_EQ(session.stats().cancelled, 1u);
}

struct OverflowCase {
  Overflow overflow;
  std::vector<std::string> errors;  // of tasks 0 to 4, "-" for one that was not accepted
};

TEST_F(SessionCompletion, OverflowPoliciesSayWhatAFullQueueLoses) {
  const std::string oldest = "dropped: newer tasks took its place in the queue", newest = "dropped: the queue is full";
  const std::vector<OverflowCase> cases = {{Overflow::Raise, {"", "", "", "-", "-"}},
                                           {Overflow::DropOldest, {"", oldest, oldest, "", ""}},
                                           {Overflow::DropNewest, {"", "", "", newest, newest}}};
  for (const OverflowCase& c : cases) {
    stub().reset();
    SessionOptions options;
    options.overflow = c.overflow;
    options.max_queue_size = 2;
    Session session = open(options);
    stub().block("rknn_run", 1);
    Log log;
    size_t accepted = 0;
    for (int i = 0; i < 5; ++i) {
      const std::string refusal = failure_of([&] { session.run_async({}, Tagged(i).feed(), log.callback(i)); });
      EXPECT_EQ(refusal == "no error", c.errors[static_cast<size_t>(i)] != "-") << refusal;
      if (refusal == "no error") ++accepted;
      if (i == 0) wait_blocked();
    }
    stub().release(0);
    for (const Log::Entry& entry : log.wait_for(accepted)) {
      EXPECT_EQ(entry.error, c.errors[static_cast<size_t>(entry.task)]) << entry.task;
    }
  }
}

TEST_F(SessionCompletion, TheTraceHoldsEveryPhaseOfEveryTask) {
  Session session = open(over_cores({0, 1}));
  session.run({}, Tagged(0).feed());
  session.start_profiling();
  Log log;
  for (int i = 0; i < 5; ++i) session.run_async({}, Tagged(i).feed(), log.callback(i));
  log.wait_for(5);
  session.close();
  const std::string trace = session.end_profiling();
  const auto count = [&](const std::string& text) {
    size_t found = 0;
    for (size_t at = trace.find(text); at != std::string::npos; at = trace.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("\"name\":\"run\""), 5u);
  EXPECT_EQ(count("\"name\":\"callback\""), 5u);
  EXPECT_EQ(count("\"name\":\"queued\""), 10u);
  EXPECT_EQ(count("thread_name"), 3u);
}

}  // namespace
}  // namespace openrknn
