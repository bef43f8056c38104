// Models built with rknn_batch_size: items are computed one by one, over the cores.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

constexpr int kBatch = 5;

Model item_model() {
  return model_of(R"(ir 1
input %image : i8[1,3,4,5] q(0.5, 3)
%w : i8[24,3,3,3] q(0.1, 0) = random(5)
%conv : i8[1,24,4,5] q(0.5, 3) = Conv(%image, %w) {kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], dilations=[1,1], group=1} fixed(channel_shift=14, scale=[[26214, 18]], low=-128, high=127)
output %conv
)");
}

Model batch_model() {
  Model model = item_model();
  model.batch = kBatch;
  return model;
}

constexpr size_t kItemBytes = 4 * 5 * 3, kItemResults = 24 * 4 * 5;

/// NHWC, another picture for every item.
std::vector<uint8_t> batch_pixels() {
  std::vector<uint8_t> data(kBatch * kItemBytes);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * i % 97);
  return data;
}

class CapiBatch : public Capi {
 protected:
  /// What a model of one item gives, item after item.
  std::vector<int8_t> one_by_one() {
    const rknn_context context = open(item_model());
    const std::vector<uint8_t> all = batch_pixels();
    std::vector<int8_t> results;
    for (size_t item = 0; item < kBatch; ++item) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(item * kItemBytes);
      const std::vector<uint8_t> one(begin, begin + kItemBytes);
      EXPECT_EQ(set(context, one, RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
      EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
      const std::vector<int8_t> result = get<int8_t>(context, false);
      results.insert(results.end(), result.begin(), result.end());
    }
    return results;
  }
};

TEST_F(CapiBatch, SizesCountAllItems) {
  const rknn_context context = open(batch_model());
  const rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  EXPECT_EQ(std::vector<uint32_t>(in.dims, in.dims + 4), (std::vector<uint32_t>{kBatch, 4, 5, 3}));
  EXPECT_EQ(in.size, kBatch * kItemBytes);
  EXPECT_EQ(in.size_with_stride, kBatch * 4 * 16 * 3u);
  EXPECT_EQ(std::vector<uint32_t>(out.dims, out.dims + 4), (std::vector<uint32_t>{kBatch, 24, 4, 5}));
  const rknn_tensor_attr native = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
  EXPECT_EQ(std::vector<uint32_t>(native.dims, native.dims + 5), (std::vector<uint32_t>{kBatch, 2, 4, 5, 16}));
}

TEST_F(CapiBatch, ItemsGiveTheBytesTheyGiveAlone) {
  const rknn_context context = open(batch_model());
  const std::vector<int8_t> expected = one_by_one();
  ASSERT_EQ(expected.size(), kBatch * kItemResults);
  ASSERT_EQ(set(context, batch_pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  for (const int cores : {1, 2, 3}) {
    ASSERT_EQ(rknn_set_batch_core_num(context, cores), RKNN_SUCC);
    for (const int mask : {0, 1, 3, 7}) {
      ASSERT_EQ(rknn_set_core_mask(context, static_cast<rknn_core_mask>(mask)), RKNN_SUCC);
      ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
      EXPECT_EQ(get<int8_t>(context, false), expected) << cores << " cores, mask " << mask;
    }
  }
}

TEST_F(CapiBatch, CoreNumbersAreChecked) {
  const rknn_context context = open(batch_model());
  EXPECT_EQ(rknn_set_batch_core_num(context, 0), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_batch_core_num(context, 4), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_batch_core_num(open(item_model()), 1), RKNN_ERR_PARAM_INVALID);
}

TEST_F(CapiBatch, NchwAndFloatsAreSplitAsWell) {
  const rknn_context context = open(batch_model());
  const std::vector<uint8_t> nhwc = batch_pixels();
  std::vector<float> nchw(nhwc.size());
  for (size_t n = 0; n < kBatch; ++n) {
    for (size_t p = 0; p < 20; ++p) {
      for (size_t c = 0; c < 3; ++c) nchw[(n * 3 + c) * 20 + p] = nhwc[(n * 20 + p) * 3 + c];
    }
  }
  ASSERT_EQ(set(context, nchw, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NCHW), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), one_by_one());
  EXPECT_EQ(set(context, std::vector<uint8_t>(kItemBytes), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC),
            RKNN_ERR_PARAM_INVALID);
}

TEST_F(CapiBatch, ItemsMayBePaddedApart) {
  const rknn_context context = open(batch_model());
  rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
  in.type = RKNN_TENSOR_UINT8;
  in.h_stride = 6;  // rows an item, of which it has 4
  const size_t row = size_t{in.w_stride} * 3;
  rknn_tensor_mem* in_mem = rknn_create_mem(context, static_cast<uint32_t>(kBatch * 6 * row));
  rknn_tensor_mem* out_mem = rknn_create_mem(context, out.size_with_stride);
  std::memset(in_mem->virt_addr, 77, in_mem->size);
  const std::vector<uint8_t> data = batch_pixels();
  for (size_t n = 0; n < kBatch; ++n) {
    for (size_t h = 0; h < 4; ++h) {
      std::memcpy(static_cast<uint8_t*>(in_mem->virt_addr) + (n * 6 + h) * row, data.data() + (n * 4 + h) * 15, 15);
    }
  }
  ASSERT_EQ(rknn_set_io_mem(context, in_mem, &in), RKNN_SUCC);
  ASSERT_EQ(rknn_set_io_mem(context, out_mem, &out), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const std::vector<int8_t> expected = one_by_one();
  const auto* cube = static_cast<const int8_t*>(out_mem->virt_addr);
  for (size_t n = 0; n < kBatch; ++n) {
    for (size_t c = 0; c < 24; ++c) {
      for (size_t p = 0; p < 20; ++p) {
        ASSERT_EQ(cube[((n * 2 + c / 16) * 20 + p) * 16 + c % 16], expected[(n * 24 + c) * 20 + p]);
      }
    }
  }
  EXPECT_EQ(rknn_destroy_mem(context, in_mem), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(context, out_mem), RKNN_SUCC);
}

TEST_F(CapiBatch, TheDoorShowsTheLastItem) {
  const rknn_context context = open(batch_model(), RKNN_FLAG_COLLECT_PERF_MASK);
  ASSERT_EQ(set(context, batch_pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  std::vector<int8_t> read;
  ASSERT_EQ(door().read_value(
                context, "conv",
                [](void* user, const openrknn_value* value) {
                  const auto* data = static_cast<const int8_t*>(value->data);
                  static_cast<std::vector<int8_t>*>(user)->assign(data, data + value->size);
                },
                &read),
            RKNN_SUCC);
  const std::vector<int8_t> expected = one_by_one();
  EXPECT_EQ(read, std::vector<int8_t>(expected.end() - kItemResults, expected.end()));
  int steps = 0;
  ASSERT_EQ(door().profile(
                context, [](void* user, const openrknn_profile_row*) { ++*static_cast<int*>(user); }, &steps),
            RKNN_SUCC);
  EXPECT_EQ(steps, 1);
}

}  // namespace
}  // namespace openrknn::test
