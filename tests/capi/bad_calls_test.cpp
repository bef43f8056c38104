// Calls that make no sense: an error each, never a crash.
#include "capi/fixture.h"

#include <functional>
#include <thread>

namespace openrknn::test {
namespace {

struct Call {
  const char* name;
  std::function<int(rknn_context)> call;
};

/// Every function of rknn_api.h that takes a context, with pointers to something.
std::vector<Call> calls_with_something() {
  static rknn_input input;
  static rknn_output output;
  static rknn_tensor_attr attr;
  static rknn_tensor_mem mem;
  static rknn_input_output_num counts;
  static rknn_run_extend extend;
  input = {}, output = {}, attr = {}, mem = {}, extend = {};
  return {
      {"rknn_query", [](rknn_context c) { return rknn_query(c, RKNN_QUERY_IN_OUT_NUM, &counts, sizeof counts); }},
      {"rknn_inputs_set", [](rknn_context c) { return rknn_inputs_set(c, 1, &input); }},
      {"rknn_set_batch_core_num", [](rknn_context c) { return rknn_set_batch_core_num(c, 1); }},
      {"rknn_set_core_mask", [](rknn_context c) { return rknn_set_core_mask(c, RKNN_NPU_CORE_0); }},
      {"rknn_run", [](rknn_context c) { return rknn_run(c, &extend); }},
      {"rknn_wait", [](rknn_context c) { return rknn_wait(c, &extend); }},
      {"rknn_outputs_get", [](rknn_context c) { return rknn_outputs_get(c, 1, &output, nullptr); }},
      {"rknn_outputs_release", [](rknn_context c) { return rknn_outputs_release(c, 1, &output); }},
      {"rknn_set_weight_mem", [](rknn_context c) { return rknn_set_weight_mem(c, &mem); }},
      {"rknn_set_internal_mem", [](rknn_context c) { return rknn_set_internal_mem(c, &mem); }},
      {"rknn_set_io_mem", [](rknn_context c) { return rknn_set_io_mem(c, &mem, &attr); }},
      {"rknn_set_input_shape", [](rknn_context c) { return rknn_set_input_shape(c, &attr); }},
      {"rknn_set_input_shapes", [](rknn_context c) { return rknn_set_input_shapes(c, 1, &attr); }},
      {"rknn_mem_sync", [](rknn_context c) { return rknn_mem_sync(c, &mem, RKNN_MEMORY_SYNC_TO_DEVICE); }},
  };
}

std::vector<Call> calls_with_nothing() {
  return {
      {"rknn_query", [](rknn_context c) { return rknn_query(c, RKNN_QUERY_IN_OUT_NUM, nullptr, 8); }},
      {"rknn_inputs_set", [](rknn_context c) { return rknn_inputs_set(c, 1, nullptr); }},
      {"rknn_outputs_get", [](rknn_context c) { return rknn_outputs_get(c, 1, nullptr, nullptr); }},
      {"rknn_outputs_release", [](rknn_context c) { return rknn_outputs_release(c, 1, nullptr); }},
      {"rknn_set_weight_mem", [](rknn_context c) { return rknn_set_weight_mem(c, nullptr); }},
      {"rknn_set_internal_mem", [](rknn_context c) { return rknn_set_internal_mem(c, nullptr); }},
      {"rknn_set_io_mem", [](rknn_context c) { return rknn_set_io_mem(c, nullptr, nullptr); }},
      {"rknn_set_input_shape", [](rknn_context c) { return rknn_set_input_shape(c, nullptr); }},
      {"rknn_set_input_shapes", [](rknn_context c) { return rknn_set_input_shapes(c, 1, nullptr); }},
      {"rknn_mem_sync", [](rknn_context c) { return rknn_mem_sync(c, nullptr, RKNN_MEMORY_SYNC_TO_DEVICE); }},
      {"rknn_destroy_mem", [](rknn_context c) { return rknn_destroy_mem(c, nullptr); }},
      {"rknn_dup_context from", [](rknn_context c) { return rknn_dup_context(nullptr, &c); }},
      {"rknn_dup_context to", [](rknn_context c) { return rknn_dup_context(&c, nullptr); }},
  };
}

TEST_F(Capi, NullPointersAreMinus5EverywhereAndTheContextStaysGood) {
  const rknn_context context = open(int8_model());
  for (const Call& call : calls_with_nothing()) EXPECT_EQ(call.call(context), RKNN_ERR_PARAM_INVALID) << call.name;
  EXPECT_EQ(run_pixels(context), expected_codes());
}

TEST_F(Capi, AContextThatWasDestroyedIsMinus7Everywhere) {
  const rknn_context context = open(int8_model());
  ASSERT_EQ(rknn_destroy(context), RKNN_SUCC);
  for (const Call& call : calls_with_something()) EXPECT_EQ(call.call(context), RKNN_ERR_CTX_INVALID) << call.name;
  rknn_context gone = context, copy = 0;
  EXPECT_EQ(rknn_dup_context(&gone, &copy), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_create_mem(context, 16), nullptr);
  EXPECT_EQ(rknn_create_mem2(context, 16, 0), nullptr);
  EXPECT_EQ(rknn_create_mem_from_fd(context, 0, nullptr, 16, 0), nullptr);
  EXPECT_EQ(rknn_create_mem_from_phys(context, 0, &copy, 8), nullptr);
}

TEST_F(Capi, WrongIndicesAndSizesAreRefused) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr attr{};
  attr.index = 0xffffffff;
  for (int cmd = 0; cmd < RKNN_QUERY_CMD_MAX; ++cmd) {
    EXPECT_EQ(rknn_query(context, static_cast<rknn_query_cmd>(cmd), &attr, 0), RKNN_ERR_PARAM_INVALID) << cmd;
  }
  for (const rknn_query_cmd cmd : {RKNN_QUERY_INPUT_ATTR, RKNN_QUERY_OUTPUT_ATTR, RKNN_QUERY_NATIVE_INPUT_ATTR,
                                   RKNN_QUERY_NATIVE_OUTPUT_ATTR, RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR}) {
    EXPECT_EQ(rknn_query(context, cmd, &attr, sizeof attr), RKNN_ERR_PARAM_INVALID) << cmd;
  }
  EXPECT_EQ(rknn_create_mem(context, 0), nullptr);
  EXPECT_EQ(rknn_create_mem2(context, uint64_t{1} << 40, 0), nullptr);
  rknn_tensor_mem* mem = rknn_create_mem(context, 16);
  EXPECT_EQ(rknn_mem_sync(context, mem, static_cast<rknn_mem_sync_mode>(4)), RKNN_ERR_PARAM_INVALID);
  // What the program writes into the structure is its own business.
  const rknn_tensor_mem given = *mem;
  mem->virt_addr = nullptr;
  mem->size = 0xffffffff;
  rknn_tensor_attr out{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_OUTPUT_ATTR, &out, sizeof out), RKNN_SUCC);
  EXPECT_EQ(rknn_set_io_mem(context, mem, &out), RKNN_ERR_PARAM_INVALID);  // it has 16 bytes
  *mem = given;
  EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_ERR_PARAM_INVALID);
}

TEST_F(Capi, TwoThreadsOnOneContextAreServedInTurn) {
  const rknn_context context = open(int8_model());
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  const auto use = [&](int non_block) {
    for (int i = 0; i < 50; ++i) {
      rknn_run_extend extend{};
      extend.non_block = non_block;
      EXPECT_EQ(rknn_run(context, &extend), RKNN_SUCC);
      EXPECT_EQ(get<int8_t>(context, false), expected_codes());
    }
  };
  std::thread other([&] { use(1); });
  use(0);
  other.join();
}

TEST_F(Capi, AContextMayBeDestroyedWhileAnotherThreadUsesIt) {
  for (int i = 0; i < 20; ++i) {
    const rknn_context context = open(int8_model());
    ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
    std::thread other([&] {
      int code = RKNN_SUCC;
      while (code == RKNN_SUCC) code = rknn_run(context, nullptr);
      EXPECT_EQ(code, RKNN_ERR_CTX_INVALID);
    });
    EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
    other.join();
  }
}

TEST_F(Capi, MediaBufferBlocksAreSupportedNowhere) {
  EXPECT_EQ(rknn_create_mem_from_mb_blk(open(int8_model()), nullptr, 0), nullptr);
}

}  // namespace
}  // namespace openrknn::test
