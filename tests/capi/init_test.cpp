// rknn_init, rknn_dup_context, rknn_destroy.
#include "capi/fixture.h"

#include <fstream>

namespace openrknn::test {
namespace {

TEST_F(Capi, InitRefusesWhatIsNoModelAndLeavesNoHandle) {
  rknn_context context = 42;
  std::string bytes = test::file_bytes(int8_model());
  EXPECT_EQ(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size() / 2), 0, nullptr),
            RKNN_ERR_MODEL_INVALID);
  EXPECT_EQ(context, 0u);
  char garbage[] = "garbage garbage garbage";
  EXPECT_EQ(rknn_init(&context, garbage, sizeof garbage, 0, nullptr), RKNN_ERR_MODEL_INVALID);
  char path[] = "/nowhere/model.rknn";
  EXPECT_EQ(rknn_init(&context, path, 0, 0, nullptr), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_init(nullptr, path, 0, 0, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_init(&context, nullptr, 0, 0, nullptr), RKNN_ERR_PARAM_INVALID);
}

TEST_F(Capi, InitTakesAPathAndAPartOfAFile) {
  const std::string bytes = test::file_bytes(int8_model());
  std::string path = ::testing::TempDir() + "/openrknn_capi_part.rknn";
  std::ofstream(path, std::ios::binary) << "12345" << bytes << "tail";
  rknn_init_extend extend{};
  extend.real_model_offset = 5;
  extend.real_model_size = static_cast<uint32_t>(bytes.size());
  rknn_context context = 0;
  ASSERT_EQ(rknn_init(&context, path.data(), 0, 0, &extend), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  extend.real_model_offset = -1;
  EXPECT_EQ(rknn_init(&context, path.data(), 0, 0, &extend), RKNN_ERR_PARAM_INVALID);
  std::remove(path.c_str());
}

TEST_F(Capi, FlagsThatCannotBeKeptAreRefused) {
  std::string bytes = file_bytes(int8_model());
  const auto init = [&](uint32_t flags) {
    rknn_context context = 0;
    const int code = rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), flags, nullptr);
    if (code == RKNN_SUCC) rknn_destroy(context);
    return code;
  };
  EXPECT_EQ(init(RKNN_FLAG_FENCE_IN_OUTSIDE), RKNN_ERR_FAIL);
  EXPECT_NE(std::string(door().last_diagnostic()).find("RKNN_FLAG_FENCE_IN_OUTSIDE"), std::string::npos);
  EXPECT_EQ(init(RKNN_FLAG_FENCE_OUT_OUTSIDE), RKNN_ERR_FAIL);
  EXPECT_EQ(init(RKNN_FLAG_SHARE_SRAM), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(init(RKNN_FLAG_SHARE_SRAM | RKNN_FLAG_ENABLE_SRAM), RKNN_SUCC);
  EXPECT_EQ(init(RKNN_FLAG_SHARE_WEIGHT_MEM), RKNN_ERR_PARAM_INVALID);  // needs extend->ctx
  EXPECT_EQ(init(0x40000000), RKNN_ERR_PARAM_INVALID);
  // Hints: accepted, whatever they would do to hardware.
  EXPECT_EQ(init(RKNN_FLAG_PRIOR_LOW | RKNN_FLAG_ASYNC_MASK | RKNN_FLAG_EXECUTE_FALLBACK_PRIOR_DEVICE_GPU |
                 RKNN_FLAG_ENABLE_SRAM | RKNN_FLAG_DISABLE_PROC_HIGH_PRIORITY |
                 RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE | RKNN_FLAG_DISABLE_FLUSH_OUTPUT_MEM_CACHE),
            RKNN_SUCC);
}

TEST_F(Capi, ABorrowedModelBufferIsUsedInPlace) {
  const std::string bytes = file_bytes(int8_model());
  rknn_tensor_mem* buffer = rknn_create_mem2(0, bytes.size(), RKNN_MEM_FLAG_ALLOC_NO_CONTEXT);
  ASSERT_NE(buffer, nullptr);
  std::memcpy(buffer->virt_addr, bytes.data(), bytes.size());
  rknn_init_extend extend{};
  extend.real_model_size = static_cast<uint32_t>(bytes.size());
  extend.model_buffer_fd = buffer->fd;
  rknn_context context = 0;
  ASSERT_EQ(rknn_init(&context, buffer->virt_addr, buffer->size, RKNN_FLAG_MODEL_BUFFER_ZERO_COPY, &extend), RKNN_SUCC);
  EXPECT_EQ(run_pixels(context), expected_codes());
  EXPECT_EQ(rknn_destroy_mem(0, buffer), RKNN_SUCC);  // before the context, as the vendor's sample does
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
}

TEST_F(Capi, WrongHandlesAreErrorsNotCrashes) {
  for (const rknn_context bad : {rknn_context{0}, rknn_context{1}, static_cast<rknn_context>(-1)}) {
    EXPECT_EQ(rknn_run(bad, nullptr), RKNN_ERR_CTX_INVALID);
    EXPECT_EQ(rknn_destroy(bad), RKNN_ERR_CTX_INVALID);
    rknn_input_output_num counts;
    EXPECT_EQ(rknn_query(bad, RKNN_QUERY_IN_OUT_NUM, &counts, sizeof counts), RKNN_ERR_CTX_INVALID);
  }
  const rknn_context context = open(int8_model());
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy(context), RKNN_ERR_CTX_INVALID);
}

TEST_F(Capi, DuplicatesOutliveTheirOriginal) {
  rknn_context original = open(int8_model()), copy = 0;
  ASSERT_EQ(rknn_dup_context(&original, &copy), RKNN_SUCC);
  ASSERT_EQ(rknn_destroy(original), RKNN_SUCC);
  ASSERT_EQ(set(copy, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(copy, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(copy, false), expected_codes());
  EXPECT_EQ(rknn_destroy(copy), RKNN_SUCC);
}

}  // namespace
}  // namespace openrknn::test
