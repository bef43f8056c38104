// The stub keeps what stub_runtime.h says of it; other tests rest on that.
#include "stub_runtime.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "rknn_api.h"

namespace openrknn {
namespace {

constexpr const char* kImage = "input image f32 1,2,3,2\noutput map f32 1,2,2,3\noutput flat f32 1,12\n";

class Stub : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(stub_reset(), 0); }
  void TearDown() override {
    stub_reset();
    EXPECT_EQ(stub_live_contexts(), 0);
    EXPECT_EQ(stub_live_mems(), 0);
    EXPECT_EQ(stub_live_outputs(), 0);
  }

  static rknn_context open(std::string text = kImage) {
    rknn_context context = 0;
    EXPECT_EQ(rknn_init(&context, text.data(), static_cast<uint32_t>(text.size()), 0, nullptr), 0) << stub_last_error();
    return context;
  }
  static int set(rknn_context context, std::vector<float>& values, rknn_tensor_format fmt = RKNN_TENSOR_NHWC) {
    rknn_input input{};
    input.buf = values.data();
    input.size = static_cast<uint32_t>(values.size() * sizeof(float));
    input.fmt = fmt;
    return rknn_inputs_set(context, 1, &input);
  }
  static std::vector<float> get(rknn_context context, uint32_t index = 0) {
    std::vector<float> values(12, -1.0f);
    rknn_output output{1, 1, index, values.data(), 48};
    EXPECT_EQ(rknn_outputs_get(context, 1, &output, nullptr), 0);
    return values;
  }
};

std::vector<float> counting(float first) {
  std::vector<float> values(12);
  std::iota(values.begin(), values.end(), first);
  return values;
}

TEST_F(Stub, AnswersWithTheModelsText) {
  const rknn_context context = open(std::string(kImage) + "custom_string two words # a comment\nversion 2.4.1 (x)\n");
  rknn_input_output_num count{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, &count, sizeof count), 0);
  EXPECT_EQ(count.n_output, 2u);
  rknn_tensor_attr attr{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr), 0);
  EXPECT_STREQ(attr.name, "image");
  EXPECT_EQ(attr.fmt, RKNN_TENSOR_NHWC);
  EXPECT_EQ(attr.size, 48u);
  attr.index = 1;
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_OUTPUT_ATTR, &attr, sizeof attr), 0);
  EXPECT_EQ(attr.fmt, RKNN_TENSOR_UNDEFINED);
  rknn_custom_string text{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_CUSTOM_STRING, &text, sizeof text), 0);
  EXPECT_STREQ(text.string, "two words");
  rknn_sdk_version version{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_SDK_VERSION, &version, sizeof version), 0);
  EXPECT_STREQ(version.api_version, "2.4.1 (x)");
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, nullptr, 0), RKNN_ERR_MODEL_INVALID);
  EXPECT_EQ(rknn_destroy(context), 0);
  EXPECT_EQ(rknn_destroy(context), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(stub_bad_handles(), 1);
}

TEST_F(Stub, RefusesAModelItCannotRead) {
  std::string text = "input image f33 1,2\noutput y f32 1";
  rknn_context context = 5;
  EXPECT_EQ(rknn_init(&context, text.data(), static_cast<uint32_t>(text.size()), 0, nullptr), RKNN_ERR_MODEL_INVALID);
  EXPECT_EQ(context, 0u);
  EXPECT_STREQ(stub_last_error(), "model line 1: unknown type f33");
  const std::string path = testing::TempDir() + "stub_model.txt";
  EXPECT_EQ(rknn_init(&context, const_cast<char*>("/nowhere"), 0, 0, nullptr), RKNN_ERR_MODEL_INVALID);
  std::ofstream(path) << kImage;
  EXPECT_EQ(rknn_init(&context, const_cast<char*>(path.c_str()), 0, 0, nullptr), 0);
  EXPECT_EQ(rknn_destroy(context), 0);
}

TEST_F(Stub, OutputsBeginWithTheInputsFirstElement) {
  const rknn_context context = open();
  stub_record_jobs(4);
  auto values = counting(7);
  EXPECT_EQ(set(context, values), 0);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  for (const uint32_t index : {0u, 1u}) {
    const auto output = get(context, index);
    EXPECT_EQ(output[0], 7);
    EXPECT_EQ(output[1], -1);  // fill=none leaves the rest
  }
  stub_configure("fill=tag");
  EXPECT_EQ(get(context)[11], 7);
  stub_job job{};
  EXPECT_EQ(stub_jobs(&job, 1), 1);
  const float seven = 7;
  EXPECT_EQ(std::memcmp(&job.tag, &seven, 4), 0);
  EXPECT_EQ(job.context, context);
  EXPECT_EQ(stub_bytes_in(), 48);
  EXPECT_EQ(stub_bytes_out(), 3 * 48);
  rknn_destroy(context);
}

TEST_F(Stub, EchoesInLogicalOrder) {
  EXPECT_EQ(stub_configure("fill=echo"), 0);
  const rknn_context context = open();
  auto nchw = counting(0);
  EXPECT_EQ(set(context, nchw, RKNN_TENSOR_NCHW), 0);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  EXPECT_EQ(get(context), counting(0));
  std::vector<float> nhwc(12);
  for (size_t c = 0; c < 2; ++c) {
    for (size_t p = 0; p < 6; ++p) nhwc[p * 2 + c] = nchw[c * 6 + p];
  }
  EXPECT_EQ(set(context, nhwc), 0);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  EXPECT_EQ(get(context), counting(0));
  EXPECT_EQ(get(context, 1), nhwc);  // no image: by position
  rknn_destroy(context);
}

TEST_F(Stub, EchoesThroughBoundMemoryInNativeLayout) {
  EXPECT_EQ(stub_configure("fill=echo"), 0);
  const rknn_context context = open(
      "input image i8 1,1,2,3\noutput map i8 1,3,1,2\nnative_input 0 i8 nhwc 1,1,2,3 wstride=4\n"
      "native_output 0 i8 nc1hwc2 1,1,1,2,8\n");
  rknn_tensor_attr in{}, out{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_NATIVE_INPUT_ATTR, &in, sizeof in), 0);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR, &out, sizeof out), 0);
  EXPECT_EQ(in.size_with_stride, 12u);
  EXPECT_EQ(out.size, 16u);
  rknn_tensor_mem* const from = rknn_create_mem(context, in.size_with_stride);
  rknn_tensor_mem* const to = rknn_create_mem2(context, out.size, RKNN_FLAG_MEMORY_CACHEABLE);
  rknn_tensor_mem* const small = rknn_create_mem(context, 11);
  EXPECT_EQ(rknn_set_io_mem(context, small, &in), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_io_mem(context, from, &in), 0);
  EXPECT_EQ(rknn_set_io_mem(context, to, &out), 0);
  const int8_t pixels[12] = {1, 2, 3, -4, 5, 6};
  std::memcpy(from->virt_addr, pixels, 12);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  const int8_t expected[16] = {1, 2, 3, 0, 0, 0, 0, 0, -4, 5, 6};
  EXPECT_EQ(std::memcmp(to->virt_addr, expected, 16), 0);
  EXPECT_EQ(stub_live_mems(), 3);
  for (rknn_tensor_mem* mem : {from, to, small}) EXPECT_EQ(rknn_destroy_mem(context, mem), 0);
  EXPECT_EQ(rknn_destroy_mem(context, from), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);  // bound memory is gone
  rknn_destroy(context);
}

TEST_F(Stub, HasTheSocsCores) {
  const rknn_context three = open(), one = open(std::string(kImage) + "cores 1");
  for (const int mask : {0, 1, 2, 4, 3, 7, 0xffff})
    EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(mask)), 0) << mask;
  EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(8)), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_set_core_mask(one, RKNN_NPU_CORE_AUTO), RKNN_ERR_TARGET_PLATFORM_UNMATCH);
  EXPECT_EQ(rknn_set_core_mask(one, RKNN_NPU_CORE_1), RKNN_ERR_TARGET_PLATFORM_UNMATCH);
  rknn_destroy(one);
  rknn_destroy(three);
}

TEST_F(Stub, ACoreRunsOneJobAtATime) {
  EXPECT_EQ(stub_configure("latency_us=4000,2000,1000 jitter_us=500 seed=3"), 0);
  stub_record_jobs(64);
  std::vector<rknn_context> contexts;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) contexts.push_back(open());
  for (size_t i = 0; i < 8; ++i) {
    rknn_set_core_mask(contexts[i], static_cast<rknn_core_mask>(i % 4 == 0 ? 0 : 1 << (i % 4 - 1)));
    threads.emplace_back([context = contexts[i]] {
      for (int run = 0; run < 4; ++run) EXPECT_EQ(rknn_run(context, nullptr), 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<stub_job> jobs(64);
  ASSERT_EQ(stub_jobs(jobs.data(), 64), 32);
  const int64_t latency[] = {4'000'000, 2'000'000, 1'000'000};
  for (int i = 0; i < 32; ++i) {
    const int64_t took = jobs[i].end_ns - jobs[i].start_ns;
    EXPECT_GE(took, latency[jobs[i].core]);
    EXPECT_LE(took, latency[jobs[i].core] + 500'000);
    for (int j = 0; j < i; ++j) {
      if (jobs[i].core == jobs[j].core) EXPECT_GE(jobs[i].start_ns, jobs[j].end_ns);
    }
  }
  EXPECT_LE(stub_max_concurrent_jobs(), 3);
  EXPECT_GE(stub_max_concurrent_jobs(), 2);
  EXPECT_EQ(stub_core_jobs(0) + stub_core_jobs(1) + stub_core_jobs(2), 32);
  EXPECT_EQ(stub_concurrent_uses(), 0);
  for (const rknn_context context : contexts) rknn_destroy(context);
}

TEST_F(Stub, EveryFunctionFailsOnDemand) {
  const rknn_context context = open();
  EXPECT_EQ(stub_fail("rknn_run", 2, RKNN_ERR_TIMEOUT), 0);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_TIMEOUT);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  EXPECT_STREQ(stub_failed_api(), "rknn_run");
  EXPECT_EQ(stub_fail("rknn_create_mem", 0, -4), 0);
  EXPECT_EQ(rknn_create_mem(context, 8), nullptr);
  EXPECT_EQ(rknn_create_mem(context, 8), nullptr);
  EXPECT_EQ(stub_fail("rknn_nothing", 1, -1), -1);
  EXPECT_EQ(stub_fail_any(2, -3), 0);
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  EXPECT_EQ(rknn_destroy(context), -3);
  EXPECT_STREQ(stub_failed_api(), "rknn_destroy");
  EXPECT_EQ(stub_live_contexts(), 0);  // it was destroyed all the same
  EXPECT_EQ(stub_calls("rknn_run"), 4);
  EXPECT_EQ(stub_calls(""), 8);
}

TEST_F(Stub, BlocksUntilReleasedAndSeesCallsMeet) {
  const rknn_context context = open(), other = open();
  EXPECT_EQ(stub_block("rknn_run", 1), 0);
  int code = 0;
  std::thread hung([&] { code = rknn_run(context, nullptr); });
  EXPECT_EQ(stub_wait_blocked(1, 60000), 0);
  EXPECT_EQ(rknn_run(other, nullptr), 0);  // another core
  EXPECT_EQ(stub_concurrent_uses(), 0);
  auto values = counting(1);
  EXPECT_EQ(set(context, values), 0);
  EXPECT_EQ(stub_concurrent_uses(), 1);
  EXPECT_NE(std::string(stub_last_error()).find("rknn_inputs_set began on context"), std::string::npos);
  stub_release(RKNN_ERR_TIMEOUT);
  hung.join();
  EXPECT_EQ(code, RKNN_ERR_TIMEOUT);
  EXPECT_EQ(stub_wait_blocked(1, 0), -1);
  rknn_destroy(other);
  rknn_destroy(context);
}

TEST_F(Stub, TellsTheOrderOfDestruction) {
  stub_record_calls(16);
  rknn_context original = open(), duplicate = 0;
  EXPECT_EQ(rknn_dup_context(&original, &duplicate), 0);
  rknn_destroy(original);
  rknn_destroy(duplicate);
  EXPECT_EQ(stub_originals_destroyed_first(), 1);
  std::vector<stub_call> calls(16);
  ASSERT_EQ(stub_recorded_calls(calls.data(), 16), 4);
  EXPECT_STREQ(calls[1].api, "rknn_dup_context");
  EXPECT_EQ(calls[1].context, original);
  EXPECT_EQ(calls[1].argument, duplicate);
  EXPECT_EQ(calls[3].context, duplicate);
}

TEST_F(Stub, SwitchesDynamicShapes) {
  const rknn_context context = open(
      "input image f32 1,4,4,3\ninput k f32 1\noutput y f32 1,3,4,4\n"
      "dynamic 0 1,4,4,3 1,2,2,3\ndynamic_output 0 1,3,4,4 1,3,2,2\n");
  rknn_input_range range{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, &range, sizeof range), 0);
  EXPECT_EQ(range.shape_number, 2u);
  EXPECT_EQ(range.dyn_range[1][1], 2u);
  rknn_tensor_attr attrs[2] = {};
  for (uint32_t i = 0; i < 2; ++i) {
    attrs[i].index = i;
    EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attrs[i], sizeof attrs[i]), 0);
  }
  attrs[0].dims[1] = attrs[0].dims[2] = 3;
  EXPECT_EQ(rknn_set_input_shapes(context, 2, attrs), RKNN_ERR_FAIL);
  attrs[0].dims[1] = attrs[0].dims[2] = 2;
  EXPECT_EQ(rknn_set_input_shapes(context, 2, attrs), 0);
  rknn_tensor_attr out{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_CURRENT_OUTPUT_ATTR, &out, sizeof out), 0);
  EXPECT_EQ(out.n_elems, 12u);
  rknn_context from = context, copy = 0;
  EXPECT_EQ(rknn_dup_context(&from, &copy), RKNN_ERR_FAIL);
  rknn_destroy(context);
}

TEST_F(Stub, ReleasesTheBuffersItAllocated) {
  const rknn_context context = open();
  EXPECT_EQ(rknn_run(context, nullptr), 0);
  rknn_output outputs[2] = {{1, 0, 0, nullptr, 0}, {1, 0, 0, nullptr, 0}};  // by position
  EXPECT_EQ(rknn_outputs_get(context, 2, outputs, nullptr), 0);
  EXPECT_EQ(stub_live_outputs(), 2);
  EXPECT_EQ(outputs[1].index, 1u);
  EXPECT_EQ(rknn_outputs_release(context, 2, outputs), 0);
  EXPECT_EQ(rknn_outputs_release(context, 2, outputs), 0);
  rknn_destroy(context);
}

TEST_F(Stub, RefusesUnknownSettings) {
  EXPECT_EQ(stub_configure("latency_us=1 colour=red"), -1);
  EXPECT_STREQ(stub_last_error(), "setting colour=red is unknown or out of range");
  EXPECT_EQ(stub_configure("latency_us=1,,2"), -1);
  EXPECT_EQ(stub_configure("fill=all"), -1);
  EXPECT_EQ(stub_configure("copy"), -1);
  EXPECT_EQ(stub_configure("latency_us=1,2 copy=0 input_ns_per_kib=10 output_ns_per_kib=10"), 0);
}

}  // namespace
}  // namespace openrknn
