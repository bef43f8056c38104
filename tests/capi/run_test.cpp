// rknn_run, rknn_wait: in the background, out of time, cancelled.
#include "capi/fixture.h"

#include <thread>

namespace openrknn::test {
namespace {

// Longer than any test may take: such a run ends only by being stopped.
constexpr char kForever[] = "3000000";

class CapiRun : public Capi {
 protected:
  rknn_context ready(const char* latency = "") {
    const Variable variable("OPENRKNN_SIM_LATENCY", latency);
    const rknn_context context = open(int8_model());
    EXPECT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
    return context;
  }
  static rknn_run_extend extended(int non_block, int timeout_ms) {
    rknn_run_extend extend{};
    extend.non_block = non_block;
    extend.timeout_ms = timeout_ms;
    return extend;
  }
  static uint64_t busy_microseconds(rknn_context context) {
    openrknn_core_counters counters[3] = {};
    uint32_t cores = 0;
    EXPECT_EQ(door().core_counters(context, counters, 3, &cores), RKNN_SUCC);
    return counters[0].busy_microseconds + counters[1].busy_microseconds + counters[2].busy_microseconds;
  }
};

TEST_F(CapiRun, InputsStaySetAndFramesAreCounted) {
  const rknn_context context = ready();
  EXPECT_EQ(rknn_wait(context, nullptr), RKNN_ERR_FAIL);  // nothing was run
  for (uint64_t frame = 1; frame <= 3; ++frame) {
    rknn_run_extend extend = extended(1, 0);
    ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
    EXPECT_EQ(extend.frame_id, frame);
    EXPECT_EQ(rknn_wait(context, &extend), RKNN_SUCC);
  }
  rknn_output_extend which{};
  rknn_output output{};
  ASSERT_EQ(rknn_outputs_get(context, 1, &output, &which), RKNN_SUCC);
  EXPECT_EQ(which.frame_id, 3u);
  EXPECT_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
  rknn_run_extend later{};
  later.frame_id = 4;
  EXPECT_EQ(rknn_wait(context, &later), RKNN_ERR_PARAM_INVALID);
}

TEST_F(CapiRun, OutputsRunAndDestroyWaitByThemselves) {
  const rknn_context context = ready("5");
  rknn_run_extend extend = extended(1, 0);
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  rknn_run_extend first{};
  first.frame_id = 2;
  EXPECT_EQ(rknn_wait(context, &first), RKNN_SUCC);  // ended before the third began
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
}

TEST_F(CapiRun, InTheBackgroundReportsWhatIsMissingAtOnce) {
  const rknn_context context = open(int8_model());
  rknn_run_extend extend = extended(1, 0);
  EXPECT_EQ(rknn_run(context, &extend), RKNN_ERR_INPUT_INVALID);
}

TEST_F(CapiRun, WaitingEndsWhenItsTimeIsUpAndTheRunGoesOn) {
  const rknn_context context = ready(kForever);
  rknn_run_extend extend = extended(1, 0);
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  extend.timeout_ms = 1;
  EXPECT_EQ(rknn_wait(context, &extend), RKNN_ERR_TIMEOUT);
  EXPECT_EQ(rknn_wait(context, &extend), RKNN_ERR_TIMEOUT);
  ASSERT_EQ(door().cancel(context), RKNN_SUCC);
  extend.timeout_ms = 0;
  EXPECT_EQ(rknn_wait(context, &extend), RKNN_ERR_FAIL);
  EXPECT_NE(std::string(door().last_diagnostic()).find("cancelled"), std::string::npos);
  rknn_output output{};
  EXPECT_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_ERR_FAIL);  // there are none of that run
}

TEST_F(CapiRun, ThatBlocksIsStoppedWhenItsTimeIsUp) {
  const rknn_context context = ready(kForever);
  rknn_run_extend extend = extended(0, 1);
  EXPECT_EQ(rknn_run(context, &extend), RKNN_ERR_TIMEOUT);
  EXPECT_EQ(rknn_run(context, &extend), RKNN_ERR_TIMEOUT);
  rknn_output output{};
  EXPECT_LT(rknn_outputs_get(context, 1, &output, nullptr), 0);
}

TEST_F(CapiRun, IsCancelledWhileItWaitsForItsCore) {
  const rknn_context holds = ready(kForever), waits = ready();
  ASSERT_EQ(rknn_set_core_mask(holds, RKNN_NPU_CORE_0), RKNN_SUCC);
  ASSERT_EQ(rknn_set_core_mask(waits, RKNN_NPU_CORE_0), RKNN_SUCC);
  rknn_run_extend extend = extended(1, 0);
  ASSERT_EQ(rknn_run(holds, &extend), RKNN_SUCC);
  rknn_run_extend in_time = extended(0, 1);
  int code = RKNN_SUCC;
  while (code == RKNN_SUCC) code = rknn_run(waits, &in_time);  // until the other has the core
  EXPECT_EQ(code, RKNN_ERR_TIMEOUT);
  std::thread caller([&] { EXPECT_EQ(rknn_run(waits, nullptr), RKNN_ERR_FAIL); });
  ASSERT_EQ(door().cancel(waits), RKNN_SUCC);
  caller.join();
  ASSERT_EQ(door().cancel(holds), RKNN_SUCC);
  EXPECT_EQ(rknn_run(waits, nullptr), RKNN_SUCC);  // the core is given back
  EXPECT_EQ(get<int8_t>(waits, false), expected_codes());
}

TEST_F(CapiRun, CancelStopsTheNextOneIfNoneIsUnderWay) {
  const rknn_context context = ready();
  ASSERT_EQ(door().cancel(context), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
  EXPECT_EQ(door().cancel(4711), RKNN_ERR_CTX_INVALID);
}

TEST_F(CapiRun, LatencyHoldsTheCore) {
  const rknn_context context = ready("20");
  const uint64_t before = busy_microseconds(context);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_GE(busy_microseconds(context) - before, 20000u);
  rknn_perf_run time{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_PERF_RUN, &time, sizeof time), RKNN_SUCC);
  EXPECT_GE(time.run_duration, 20000);
}

TEST_F(CapiRun, LatencyIsANumberOfMillisecondsOrTheModelsEstimate) {
  std::string bytes = file_bytes(int8_model());
  for (const char* text : {"modell", "fast", "-1", "1s", "nan", "1e9"}) {
    const Variable variable("OPENRKNN_SIM_LATENCY", text);
    rknn_context context = 0;
    EXPECT_LT(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), 0, nullptr), 0) << text;
    EXPECT_EQ(context, 0u);
    EXPECT_NE(std::string(door().last_diagnostic()).find("OPENRKNN_SIM_LATENCY"), std::string::npos);
  }
  // Small as the model is, a run takes the target 30 us and more (docs/estimates.md).
  const rknn_context context = ready("model");
  ASSERT_NE(context, 0u);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::microseconds(30));
  rknn_destroy(context);
}

}  // namespace
}  // namespace openrknn::test
