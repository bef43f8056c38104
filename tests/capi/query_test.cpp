// rknn_query.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, QueryChecksSizeCommandAndIndex) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr attr{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr - 1), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr + 100), RKNN_SUCC);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_CMD_MAX, &attr, sizeof attr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_query(context, static_cast<rknn_query_cmd>(100), &attr, sizeof attr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, nullptr, sizeof attr), RKNN_ERR_PARAM_INVALID);
  attr.index = 1;
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr), RKNN_ERR_PARAM_INVALID);
}

TEST_F(Capi, InputsOfRank4AreNhwcAndOutputsNchw) {
  const rknn_context context = open(int8_model());
  const rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  EXPECT_EQ(std::vector<uint32_t>(in.dims, in.dims + 5), (std::vector<uint32_t>{2, 4, 5, 3, 0}));
  EXPECT_EQ(in.fmt, RKNN_TENSOR_NHWC);
  EXPECT_STREQ(in.name, "image");
  EXPECT_EQ(in.type, RKNN_TENSOR_INT8);
  EXPECT_EQ(in.qnt_type, RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC);
  EXPECT_EQ(in.scale, kScale);
  EXPECT_EQ(in.zp, kZeroPoint);
  EXPECT_EQ(in.size, 120u);
  EXPECT_EQ(in.w_stride, 16u);  // RK3588, 8 bits, 3 channels
  EXPECT_EQ(in.size_with_stride, 2u * 4 * 16 * 3);
  EXPECT_EQ(std::vector<uint32_t>(out.dims, out.dims + 5), (std::vector<uint32_t>{2, 3, 4, 5, 0}));
  EXPECT_EQ(out.fmt, RKNN_TENSOR_NCHW);
  EXPECT_EQ(out.w_stride, 0u);
  EXPECT_EQ(out.h_stride, 0u);
  EXPECT_EQ(out.pass_through, 0u);
}

TEST_F(Capi, Int16TensorsSayTheirCodesAndAreEightToABlock) {
  const Model model = test::model_of(R"(ir 1
input %image : i16[1,20,4,5] q(0.25, -7)
%positive : i16[1,20,4,5] q(0.25, -7) = Relu(%image) fixed(low=-7, high=32767)
output %positive
)");
  const rknn_context context = open(model);
  const rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  for (const rknn_tensor_attr& each : {in, out}) {
    EXPECT_EQ(each.type, RKNN_TENSOR_INT16);
    EXPECT_EQ(each.qnt_type, RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC);
    EXPECT_EQ(each.scale, 0.25f);
    EXPECT_EQ(each.zp, -7);
    EXPECT_EQ(each.size, 2u * 400);
  }
  const rknn_tensor_attr native = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
  EXPECT_EQ(native.fmt, RKNN_TENSOR_NC1HWC2);
  EXPECT_EQ(native.dims[4], 8u);

  const std::vector<float> reals(400, 1.5f);
  ASSERT_EQ(set(context, reals, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get<int16_t>(context, false), std::vector<int16_t>(400, 6 - 7));
  EXPECT_EQ(get<float>(context, true), reals);
}

TEST_F(Capi, OtherRanksAreUndefinedAndInt64StaysNchw) {
  const rknn_context context = open(several_model());
  const rknn_tensor_attr a = attr(context, RKNN_QUERY_INPUT_ATTR, 0), ids = attr(context, RKNN_QUERY_INPUT_ATTR, 1);
  EXPECT_EQ(a.fmt, RKNN_TENSOR_UNDEFINED);
  EXPECT_EQ(a.type, RKNN_TENSOR_FLOAT16);
  EXPECT_EQ(a.qnt_type, RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC);
  EXPECT_EQ(a.scale, 1.0f);
  EXPECT_EQ(a.w_stride, 0u);
  EXPECT_EQ(ids.fmt, RKNN_TENSOR_NCHW);
  EXPECT_EQ(ids.type, RKNN_TENSOR_INT64);
}

TEST_F(Capi, NativeOutputsOfConvolutionsHaveChannelsInPairsOfBlocks) {
  Model model = test::model_of(R"(ir 1
input %x : i8[1,3,4,4] q(0.5, 0)
%w : i8[80,3,1,1] q(0.1, 0) = random(1)
%y : i8[1,80,4,4] q(0.5, 3) = Conv(%x, %w) {kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1} fixed(channel_shift=14, scale=[[26214, 18]], low=-128, high=127)
%z : i8[1,80,4,4] q(0.5, 3) = Relu(%y) fixed(low=3, high=127)
output %y
output %z
)");
  const rknn_context context = open(model);
  const rknn_tensor_attr conv = attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR, 0);
  EXPECT_EQ(conv.fmt, RKNN_TENSOR_NC1HWC2);
  EXPECT_EQ(std::vector<uint32_t>(conv.dims, conv.dims + 5), (std::vector<uint32_t>{1, 6, 4, 4, 16}));
  EXPECT_EQ(conv.size_with_stride, conv.n_elems);
  EXPECT_EQ(attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR, 1).dims[1], 5u);
  EXPECT_EQ(attr(context, RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR, 0).dims[3], 80u);
}

TEST_F(Capi, AnswersTheQueriesProgramsMakeAtLoad) {
  const rknn_context context = open(int8_model());
  rknn_sdk_version version{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_SDK_VERSION, &version, sizeof version), RKNN_SUCC);
  int major = 0, minor = 0, patch = 0;
  ASSERT_EQ(std::sscanf(version.api_version, "%d.%d.%d", &major, &minor, &patch), 3);
  EXPECT_GE(major * 10000 + minor * 100 + patch, 20401);
  EXPECT_NE(std::string(version.api_version).find("openrknn"), std::string::npos);

  rknn_custom_string custom{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_CUSTOM_STRING, &custom, sizeof custom), RKNN_SUCC);
  EXPECT_STREQ(custom.string, "hello");

  rknn_mem_size sizes{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &sizes, sizeof sizes), RKNN_SUCC);
  EXPECT_GT(sizes.total_internal_size, 0u);
  EXPECT_GT(sizes.total_weight_size, 0u);

  auto range = std::make_unique<rknn_input_range>();
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range), RKNN_ERR_MODEL_INVALID);
  EXPECT_LT(rknn_query(context, RKNN_QUERY_CURRENT_OUTPUT_ATTR, range.get(), sizeof *range), 0);
}

TEST_F(Capi, TimesAreThereAfterARun) {
  const rknn_context context = open(int8_model(), RKNN_FLAG_COLLECT_PERF_MASK);
  rknn_perf_run run{};
  rknn_perf_detail detail{};
  EXPECT_LT(rknn_query(context, RKNN_QUERY_PERF_RUN, &run, sizeof run), 0);
  EXPECT_LT(rknn_query(context, RKNN_QUERY_PERF_DETAIL, &detail, sizeof detail), 0);
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_PERF_RUN, &run, sizeof run), RKNN_SUCC);
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_PERF_DETAIL, &detail, sizeof detail), RKNN_SUCC);
  const std::string text(detail.perf_data, detail.data_len);
  for (const char* part : {"Network Layer Information Table", "Total Operator Elapsed Per Frame Time(us):", "Relu:",
                           "Operator Time Consuming Ranking Table", "\n1    Relu"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

}  // namespace
}  // namespace openrknn::test
