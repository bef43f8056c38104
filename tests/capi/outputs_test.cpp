// rknn_outputs_get, rknn_outputs_release.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

class CapiOutputs : public Capi {
 protected:
  void SetUp() override {
    context_ = open(several_model());
    const std::vector<float> a = {1, 2, 3, -4, 5, 6};
    const std::vector<int64_t> ids = {1, 2, 3, 4, 5, 6, 7, 1LL << 40};
    rknn_input inputs[2] = {input(a.data(), a.size() * 4, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NCHW),
                            input(ids.data(), ids.size() * 8, RKNN_TENSOR_INT64, RKNN_TENSOR_NHWC)};
    inputs[1].index = 1;
    ASSERT_EQ(rknn_inputs_set(context_, 2, inputs), RKNN_SUCC);
    ASSERT_EQ(rknn_run(context_, nullptr), RKNN_SUCC);
  }
  rknn_context context_ = 0;
  const std::vector<float> double_ = {2, 4, 6, -8, 10, 12}, square_ = {1, 4, 9, 16, 25, 36};
};

std::vector<float> floats(const rknn_output& output) {
  const auto* data = static_cast<const float*>(output.buf);
  return {data, data + output.size / sizeof(float)};
}

TEST_F(CapiOutputs, AreFoundByPositionWhenEveryIndexIsZero) {
  rknn_output outputs[3] = {};
  for (rknn_output& output : outputs) output.want_float = 1;
  ASSERT_EQ(rknn_outputs_get(context_, 3, outputs, nullptr), RKNN_SUCC);
  EXPECT_EQ(floats(outputs[0]), double_);
  EXPECT_EQ(floats(outputs[1]), square_);
  EXPECT_EQ(outputs[1].index, 1u);
  EXPECT_EQ(outputs[2].size, 8 * sizeof(float));
  EXPECT_EQ(rknn_outputs_release(context_, 3, outputs), RKNN_SUCC);
}

TEST_F(CapiOutputs, AreFoundByIndexWhenTheIndicesSelect) {
  rknn_output outputs[2] = {};
  outputs[0].index = 1;
  outputs[0].want_float = outputs[1].want_float = 1;
  ASSERT_EQ(rknn_outputs_get(context_, 2, outputs, nullptr), RKNN_SUCC);
  EXPECT_EQ(floats(outputs[0]), square_);
  EXPECT_EQ(floats(outputs[1]), double_);
  EXPECT_EQ(rknn_outputs_release(context_, 2, outputs), RKNN_SUCC);
}

TEST_F(CapiOutputs, KeepTheirTypeUnlessFloatIsWanted) {
  EXPECT_EQ(get<int64_t>(context_, false, 2).back(), 1LL << 40);
  EXPECT_EQ(get<float>(context_, true, 2).front(), 1.0f);
  EXPECT_EQ(get<uint16_t>(context_, false, 0).size(), 6u);
}

TEST_F(CapiOutputs, GoIntoBuffersOfTheCaller) {
  std::vector<float> buffer(8, -1);
  rknn_output output{};
  output.want_float = output.is_prealloc = 1;
  output.buf = buffer.data();
  output.size = 6 * sizeof(float) - 1;
  EXPECT_EQ(rknn_outputs_get(context_, 1, &output, nullptr), RKNN_ERR_OUTPUT_INVALID);
  output.size = static_cast<uint32_t>(buffer.size() * sizeof(float));
  ASSERT_EQ(rknn_outputs_get(context_, 1, &output, nullptr), RKNN_SUCC);
  EXPECT_EQ(output.size, 6 * sizeof(float));
  EXPECT_EQ(floats(output), double_);
  EXPECT_EQ(buffer[6], -1.0f);
  EXPECT_EQ(rknn_outputs_release(context_, 1, &output), RKNN_SUCC);
  EXPECT_EQ(output.buf, buffer.data());
}

TEST_F(CapiOutputs, MayBeGotTwiceAndReleasedInPart) {
  rknn_output first[3] = {}, second[3] = {};
  ASSERT_EQ(rknn_outputs_get(context_, 3, first, nullptr), RKNN_SUCC);
  ASSERT_EQ(rknn_outputs_get(context_, 3, second, nullptr), RKNN_SUCC);
  EXPECT_NE(first[0].buf, second[0].buf);
  EXPECT_EQ(std::memcmp(first[0].buf, second[0].buf, first[0].size), 0);
  EXPECT_EQ(rknn_outputs_release(context_, 1, first), RKNN_SUCC);
  EXPECT_EQ(rknn_outputs_release(context_, 1, first), RKNN_SUCC);  // again: nothing to free
  rknn_output four[4] = {};
  EXPECT_EQ(rknn_outputs_get(context_, 4, four, nullptr), RKNN_ERR_PARAM_INVALID);
}

}  // namespace
}  // namespace openrknn::test
