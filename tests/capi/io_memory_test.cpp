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

TEST_F(Capi, ConvolutionsWriteTheirChannelsInPairsOfBlocks) {
  // 80 channels, int8, RK3588: C2 = 16, and after a convolution an even number of blocks, so C1 = 6.
  const rknn_context context = open(model_of(R"(ir 1
input %x : i8[1,3,4,4] q(0.5, 0)
%w : i8[80,3,1,1] q(0.1, 0) = random(1)
%y : i8[1,80,4,4] q(0.5, 3) = Conv(%x, %w) {kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1} fixed(channel_shift=14, scale=[[26214, 18]], low=-128, high=127)
output %y
)"));
  rknn_tensor_attr native = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
  ASSERT_EQ(std::vector<uint32_t>(native.dims, native.dims + 5), (std::vector<uint32_t>{1, 6, 4, 4, 16}));
  rknn_tensor_mem* mem = rknn_create_mem(context, native.size_with_stride);
  std::memset(mem->virt_addr, 99, mem->size);
  ASSERT_EQ(rknn_set_io_mem(context, mem, &native), RKNN_SUCC);
  std::vector<int8_t> codes(48);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 5);
  ASSERT_EQ(set(context, codes, RKNN_TENSOR_INT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const std::vector<int8_t> nchw = get<int8_t>(context, false);
  const auto* cube = static_cast<const int8_t*>(mem->virt_addr);
  for (size_t c = 0; c < 96; ++c) {
    for (size_t p = 0; p < 16; ++p) {
      const int8_t wanted = c < 80 ? nchw[c * 16 + p] : int8_t{0};  // padding channels are zero
      ASSERT_EQ(cube[(c / 16 * 16 + p) * 16 + c % 16], wanted) << c << " " << p;
    }
  }
  EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_SUCC);
}

TEST_F(Capi, InputsMayBeGivenAsTheNpuLaysThemOut) {
  const rknn_context context = open(model_of(R"(ir 1
input %x : f16[1,10,2,3]
%y : f16[1,10,2,3] = Relu(%x)
output %y
)"));
  rknn_tensor_attr native = attr(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
  ASSERT_EQ(native.fmt, RKNN_TENSOR_NC1HWC2);
  ASSERT_EQ(std::vector<uint32_t>(native.dims, native.dims + 5), (std::vector<uint32_t>{1, 2, 2, 3, 8}));
  native.pass_through = 1;
  rknn_tensor_mem* mem = rknn_create_mem(context, native.size_with_stride);
  ASSERT_EQ(rknn_set_io_mem(context, mem, &native), RKNN_SUCC);
  auto* cube = static_cast<uint16_t*>(mem->virt_addr);
  std::vector<uint16_t> nchw(60);
  for (size_t c = 0; c < 10; ++c) {
    for (size_t p = 0; p < 6; ++p) {
      nchw[c * 6 + p] = static_cast<uint16_t>(0x3c00 + c * 16 + p);  // halves from 1 upwards
      cube[(c / 8 * 6 + p) * 8 + c % 8] = nchw[c * 6 + p];
    }
  }
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<uint16_t>(context, false), nchw);
  EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_SUCC);
}

TEST_F(Capi, BuffersMayBeSwitchedBetweenRunsAndWrappedByAddress) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  in.type = RKNN_TENSOR_UINT8;
  std::vector<uint8_t> padded(in.size_with_stride);
  const std::vector<uint8_t> data = pixels();
  for (size_t row = 0; row < 8; ++row) std::memcpy(padded.data() + row * 48, data.data() + row * 15, 15);
  rknn_tensor_mem* in_mem = rknn_create_mem_from_phys(context, 0x1000, padded.data(), in.size_with_stride);
  ASSERT_NE(in_mem, nullptr);
  EXPECT_EQ(in_mem->flags, static_cast<uint32_t>(RKNN_TENSOR_MEMORY_FLAGS_FROM_PHYS));
  EXPECT_EQ(in_mem->phys_addr, 0x1000u);
  ASSERT_EQ(rknn_set_io_mem(context, in_mem, &in), RKNN_SUCC);
  rknn_tensor_mem* buffers[2] = {rknn_create_mem(context, out.size), rknn_create_mem(context, out.size)};
  for (rknn_tensor_mem* buffer : {buffers[0], buffers[1], buffers[0]}) {
    std::memset(buffer->virt_addr, 99, buffer->size);
    ASSERT_EQ(rknn_set_io_mem(context, buffer, &out), RKNN_SUCC);
    ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    EXPECT_EQ(std::memcmp(buffer->virt_addr, expected_codes().data(), out.size), 0);
  }
  // Memory outlives the context it was made with, and the bytes of the program may go before their wrapper.
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  padded = {};
  EXPECT_EQ(rknn_destroy_mem(context, in_mem), RKNN_SUCC);
  EXPECT_EQ(static_cast<const int8_t*>(buffers[0]->virt_addr)[0], expected_codes()[0]);
  for (rknn_tensor_mem* buffer : buffers) EXPECT_EQ(rknn_destroy_mem(context, buffer), RKNN_SUCC);
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
