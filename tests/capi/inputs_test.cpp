// rknn_inputs_set.
#include "capi/fixture.h"

#include <numeric>

namespace openrknn::test {
namespace {

TEST_F(Capi, MeanAndStdApplyAtAnyRank) {
  Model model = several_model();
  model.inputs[0].mean = {1, 2, 3};
  model.inputs[0].std = {1, 2, 4};
  const rknn_context context = open(model);
  const std::vector<float> a = {2, 4, 7, 1, 0, -5};
  const std::vector<int64_t> ids(8);
  for (const rknn_tensor_format fmt : {RKNN_TENSOR_UNDEFINED, RKNN_TENSOR_NCHW, RKNN_TENSOR_NHWC}) {
    rknn_input inputs[2] = {input(a.data(), a.size() * 4, RKNN_TENSOR_FLOAT32, fmt),
                            input(ids.data(), ids.size() * 8, RKNN_TENSOR_INT64, RKNN_TENSOR_NCHW)};
    inputs[1].index = 1;
    ASSERT_EQ(rknn_inputs_set(context, 2, inputs), RKNN_SUCC);
    ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    std::vector<float> doubled(6);
    rknn_output output{};
    output.want_float = 1;
    output.is_prealloc = 1;
    output.buf = doubled.data();
    output.size = 24;
    ASSERT_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    EXPECT_EQ(doubled, (std::vector<float>{2, 2, 2, 0, -2, -4}));  // twice (a - mean) / std, channels second
  }
}

TEST_F(Capi, ImagesAreNormalisedAndQuantized) {
  const rknn_context context = open(int8_model());
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
}

TEST_F(Capi, FloatsAndNchwGiveTheSameCodes) {
  const rknn_context context = open(int8_model());
  const std::vector<uint8_t> bytes = pixels();
  const std::vector<float> floats(bytes.begin(), bytes.end());
  ASSERT_EQ(set(context, floats, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
  ASSERT_EQ(set(context, to_nchw(bytes), RKNN_TENSOR_UINT8, RKNN_TENSOR_NCHW), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
}

TEST_F(Capi, Int8ForAnInt8ModelIsTakenAsCodes) {
  const rknn_context context = open(int8_model());
  std::vector<int8_t> codes(120);
  std::iota(codes.begin(), codes.end(), static_cast<int8_t>(3));
  ASSERT_EQ(set(context, codes, RKNN_TENSOR_INT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), to_nchw(codes));
}

TEST_F(Capi, PassThroughTakesRowsOfTheNativeWidth) {
  const rknn_context context = open(int8_model());
  std::vector<int8_t> padded(2 * 4 * 16 * 3, 99), dense;
  for (int row = 0; row < 8; ++row) {
    for (int i = 0; i < 15; ++i) {
      const auto code = static_cast<int8_t>(3 + row + i);
      padded[static_cast<size_t>(row * 48 + i)] = code;
      dense.push_back(code);
    }
  }
  rknn_input one = input(padded.data(), padded.size(), RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NCHW);  // not looked at
  one.pass_through = 1;
  ASSERT_EQ(rknn_inputs_set(context, 1, &one), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int8_t>(context, false), to_nchw(dense));
}

TEST_F(Capi, ShortInputsAreRefusedWithMinus5) {
  const rknn_context context = open(int8_model());
  // The well-known mistake: bytes, and the type left at 0 = float32.
  EXPECT_EQ(set(context, pixels(), RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NHWC), RKNN_ERR_PARAM_INVALID);
  rknn_input one = input(nullptr, 120, RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC);
  EXPECT_EQ(rknn_inputs_set(context, 1, &one), RKNN_ERR_PARAM_INVALID);
  const std::vector<uint8_t> data = pixels();
  one = input(data.data(), data.size(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC);
  one.index = 7;
  EXPECT_EQ(rknn_inputs_set(context, 1, &one), RKNN_ERR_INPUT_INVALID);
  one.index = 0;
  one.type = static_cast<rknn_tensor_type>(77);
  EXPECT_EQ(rknn_inputs_set(context, 1, &one), RKNN_ERR_INPUT_INVALID);
}

TEST_F(Capi, RunNeedsItsInputs) {
  const rknn_context context = open(int8_model());
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_INPUT_INVALID);
  rknn_output output{};
  EXPECT_LT(rknn_outputs_get(context, 1, &output, nullptr), 0);
  EXPECT_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);  // after a failed get, too
}

}  // namespace
}  // namespace openrknn::test
