// rknn_create_mem*, rknn_set_io_mem.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, InputsAndOutputsMayLiveInMemoryOfTheProgram) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr in = attr(context, RKNN_QUERY_NATIVE_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  in.type = RKNN_TENSOR_UINT8;
  out.type = RKNN_TENSOR_FLOAT32;  // out.size stays the int8 one, as in the demos
  rknn_tensor_mem* in_mem = rknn_create_mem(context, in.size_with_stride);
  rknn_tensor_mem* out_mem = rknn_create_mem(context, out.n_elems * 4);
  ASSERT_NE(in_mem, nullptr);
  ASSERT_NE(out_mem, nullptr);
  EXPECT_GT(in_mem->fd, 0);
  EXPECT_EQ(in_mem->flags, static_cast<uint32_t>(RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE));
  ASSERT_EQ(rknn_set_io_mem(context, in_mem, &in), RKNN_SUCC);
  ASSERT_EQ(rknn_set_io_mem(context, out_mem, &out), RKNN_SUCC);
  const std::vector<uint8_t> data = pixels();
  for (size_t row = 0; row < 8; ++row) {
    std::memcpy(static_cast<uint8_t*>(in_mem->virt_addr) + row * in.w_stride * 3, data.data() + row * 15, 15);
  }
  ASSERT_EQ(rknn_mem_sync(context, in_mem, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const auto* result = static_cast<const float*>(out_mem->virt_addr);
  const std::vector<int8_t> codes = expected_codes();
  for (size_t i = 0; i < codes.size(); ++i)
    ASSERT_EQ(result[i], static_cast<float>(codes[i] - kZeroPoint) * kScale) << i;

  EXPECT_EQ(rknn_destroy_mem(context, in_mem), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);  // its memory is gone
  EXPECT_EQ(rknn_destroy_mem(0, out_mem), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(context, out_mem), RKNN_ERR_PARAM_INVALID);
}

TEST_F(Capi, OutputsAreWrittenAsTheNpuLaysThemOut) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr native = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
  ASSERT_EQ(native.fmt, RKNN_TENSOR_NC1HWC2);
  rknn_tensor_mem* mem = rknn_create_mem(context, native.size_with_stride);
  ASSERT_EQ(rknn_set_io_mem(context, mem, &native), RKNN_SUCC);
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const auto* cube = static_cast<const int8_t*>(mem->virt_addr);
  const std::vector<int8_t> codes = expected_codes();
  for (size_t n = 0; n < 2; ++n) {
    for (size_t p = 0; p < 20; ++p) {
      for (size_t c = 0; c < 3; ++c) ASSERT_EQ(cube[(n * 20 + p) * 16 + c], codes[(n * 3 + c) * 20 + p]);
    }
  }
  EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_SUCC);
}

TEST_F(Capi, MemoryIsValidated) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  rknn_tensor_mem forged{};
  EXPECT_EQ(rknn_set_io_mem(context, &forged, &out), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_destroy_mem(context, &forged), RKNN_ERR_PARAM_INVALID);
  rknn_tensor_mem* small = rknn_create_mem(context, 8);
  EXPECT_EQ(rknn_set_io_mem(context, small, &out), RKNN_ERR_PARAM_INVALID);
  out.name[0] = '?';
  EXPECT_EQ(rknn_set_io_mem(context, small, &out), RKNN_ERR_PARAM_INVALID);
  rknn_tensor_mem* shared = rknn_create_mem_from_fd(context, small->fd, nullptr, 4, 4);
  ASSERT_NE(shared, nullptr);
  static_cast<char*>(small->virt_addr)[4] = 'x';
  EXPECT_EQ(static_cast<char*>(shared->virt_addr)[shared->offset], 'x');
  EXPECT_EQ(rknn_destroy_mem(context, small), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(context, shared), RKNN_SUCC);
  EXPECT_EQ(rknn_create_mem_from_fd(context, 0x7fffffff, nullptr, 4, 0), nullptr);
  EXPECT_EQ(rknn_create_mem(0, 16), nullptr);
  rknn_tensor_mem* loose = rknn_create_mem2(0, 16, RKNN_MEM_FLAG_ALLOC_NO_CONTEXT);
  ASSERT_NE(loose, nullptr);
  EXPECT_EQ(rknn_destroy_mem(0, loose), RKNN_SUCC);
}

}  // namespace
}  // namespace openrknn::test
