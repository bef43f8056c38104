// The C API as programs use it (docs/c_api.md), over models written as text graphs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <thread>

#include "openrknn/extension.h"
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

constexpr float kScale = 0.5f;
constexpr int kZeroPoint = 3;

/// Int8, 2x3x4x5: the output is the input's negative part cut off.
Model int8_model() {
  Model model = test::model_of(R"(ir 1
metadata "author" = "nobody"
input %image : i8[2,3,4,5] q(0.5, 3)
%positive : i8[2,3,4,5] q(0.5, 3) = Relu(%image) fixed(low=3, high=127)
output %positive
)");
  model.custom_string = "hello";
  model.inputs[0].mean = {1, 2, 3};
  model.inputs[0].std = {2, 2, 2};
  return model;
}

/// Two float16 outputs of rank 2, and an int64 pass-through.
Model several_model() {
  return test::model_of(R"(ir 1
input %a : f16[2,3]
input %ids : i64[1,2,2,2]
%double : f16[2,3] = Add(%a, %a)
%square : f16[2,3] = Mul(%a, %a)
%same : i64[1,2,2,2] = Reshape(%ids) {shape=[1,2,2,2]}
output %double
output %square
output %same
)");
}

class Capi : public ::testing::Test {
 protected:
  rknn_context open(const Model& model, uint32_t flags = 0) {
    std::string bytes = test::file_bytes(model);
    rknn_context context = 0;
    EXPECT_EQ(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), flags, nullptr), RKNN_SUCC);
    std::memset(bytes.data(), 0, bytes.size());  // the runtime has its own copy
    EXPECT_NE(context, 0u);
    opened_.push_back(context);
    return context;
  }
  void TearDown() override {
    for (const rknn_context context : opened_) rknn_destroy(context);
  }

  static rknn_tensor_attr attr(rknn_context context, rknn_query_cmd cmd, uint32_t index = 0) {
    rknn_tensor_attr attr;
    std::memset(&attr, 0xee, sizeof attr);  // only index is an input
    attr.index = index;
    EXPECT_EQ(rknn_query(context, cmd, &attr, sizeof attr), RKNN_SUCC);
    return attr;
  }
  static rknn_input input(const void* data, size_t bytes, rknn_tensor_type type, rknn_tensor_format fmt) {
    rknn_input input{};
    input.buf = const_cast<void*>(data);
    input.size = static_cast<uint32_t>(bytes);
    input.type = type;
    input.fmt = fmt;
    return input;
  }
  template <class T>
  static int set(rknn_context context, const std::vector<T>& data, rknn_tensor_type type, rknn_tensor_format fmt) {
    rknn_input one = input(data.data(), data.size() * sizeof(T), type, fmt);
    return rknn_inputs_set(context, 1, &one);
  }
  template <class T>
  static std::vector<T> get(rknn_context context, bool want_float, uint32_t index = 0) {
    rknn_output output{};
    output.want_float = want_float;
    output.index = index;
    EXPECT_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    std::vector<T> result(output.size / sizeof(T));
    if (output.buf != nullptr) std::memcpy(result.data(), output.buf, output.size);
    EXPECT_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);
    return result;
  }

 private:
  std::vector<rknn_context> opened_;
};

/// 2x4x5x3, NHWC.
std::vector<uint8_t> pixels() {
  std::vector<uint8_t> data(2 * 4 * 5 * 3);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7 % 61);
  return data;
}

template <class T>
std::vector<T> to_nchw(const std::vector<T>& nhwc) {
  std::vector<T> nchw(nhwc.size());
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 20; ++p)
        nchw[static_cast<size_t>((n * 3 + c) * 20 + p)] = nhwc[static_cast<size_t>((n * 20 + p) * 3 + c)];
    }
  }
  return nchw;
}

/// What int8_model() makes of NHWC pixels, in NCHW codes.
std::vector<int8_t> expected_codes() {
  std::vector<int8_t> nhwc;
  const std::vector<uint8_t> data = pixels();
  for (size_t i = 0; i < data.size(); ++i) {
    const float real = (static_cast<float>(data[i]) - static_cast<float>(i % 3 + 1)) / 2.0f;
    const double code = std::nearbyint(static_cast<double>(real) / kScale) + kZeroPoint;
    nhwc.push_back(static_cast<int8_t>(std::max(code, static_cast<double>(kZeroPoint))));
  }
  return to_nchw(nhwc);
}

// ---- init and handles ----------------------------------------------------------------------------------------------

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

TEST_F(Capi, FlagsThatAreNotBuiltAreRefused) {
  std::string bytes = test::file_bytes(int8_model());
  rknn_context context = 0;
  for (const uint32_t flag : {RKNN_FLAG_MEM_ALLOC_OUTSIDE, RKNN_FLAG_SHARE_WEIGHT_MEM, RKNN_FLAG_FENCE_IN_OUTSIDE,
                              RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE}) {
    EXPECT_EQ(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), flag, nullptr), RKNN_ERR_FAIL)
        << flag;
  }
  EXPECT_EQ(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), 0x40000000, nullptr),
            RKNN_ERR_PARAM_INVALID);
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

// ---- query ---------------------------------------------------------------------------------------------------------

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

// ---- inputs and outputs --------------------------------------------------------------------------------------------

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

TEST_F(Capi, InputsStaySetAndFramesAreCounted) {
  const rknn_context context = open(int8_model());
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  for (uint64_t frame = 1; frame <= 3; ++frame) {
    rknn_run_extend extend{};
    extend.non_block = 1;
    ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
    EXPECT_EQ(extend.frame_id, frame);
    EXPECT_EQ(rknn_wait(context, &extend), RKNN_SUCC);
  }
  EXPECT_EQ(get<int8_t>(context, false), expected_codes());
}

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

// ---- memory --------------------------------------------------------------------------------------------------------

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

// ---- cores, shapes, what is not built ------------------------------------------------------------------------------

TEST_F(Capi, CoreMasksFollowTheTarget) {
  const rknn_context three = open(int8_model());
  for (const int mask : {0, 1, 2, 4, 3, 7, 0xffff}) {
    EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(mask)), RKNN_SUCC) << mask;
  }
  EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(6)), RKNN_ERR_FAIL);
  Model model = int8_model();
  model.target = "rk3566";
  EXPECT_EQ(rknn_set_core_mask(open(model), RKNN_NPU_CORE_AUTO), RKNN_ERR_TARGET_PLATFORM_UNMATCH);
  model.target = "rk3576";
  EXPECT_EQ(rknn_set_core_mask(open(model), RKNN_NPU_CORE_0_1_2), RKNN_ERR_FAIL);
}

TEST_F(Capi, StaticModelsTakeTheirOwnShapeOnly) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR);
  EXPECT_EQ(rknn_set_input_shapes(context, 1, &in), RKNN_SUCC);
  in.dims[1] = 8;
  EXPECT_EQ(rknn_set_input_shapes(context, 1, &in), RKNN_ERR_FAIL);
}

TEST_F(Capi, ContextsRunAtTheSameTime) {
  rknn_context first = open(int8_model());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    rknn_context copy = 0;
    ASSERT_EQ(rknn_dup_context(&first, &copy), RKNN_SUCC);
    threads.emplace_back([copy] {
      for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(set(copy, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
        ASSERT_EQ(rknn_run(copy, nullptr), RKNN_SUCC);
        ASSERT_EQ(get<int8_t>(copy, false), expected_codes());
      }
      EXPECT_EQ(rknn_destroy(copy), RKNN_SUCC);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Capi, WhatIsNotBuiltFailsByName) {
  const rknn_context context = open(int8_model());
  rknn_custom_op op{};
  EXPECT_EQ(rknn_register_custom_ops(context, &op, 1), RKNN_ERR_FAIL);
  rknn_matmul_ctx matmul = 0;
  EXPECT_EQ(rknn_matmul_create(&matmul, nullptr, nullptr), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_create_mem_from_mb_blk(context, nullptr, 0), nullptr);
  rknn_custom_op_attr attribute;
  std::memset(&attribute, 0xee, sizeof attribute);
  rknn_custom_op_get_op_attr(nullptr, "x", &attribute);
  EXPECT_EQ(attribute.n_elems, 0u);
}

// ---- the door ------------------------------------------------------------------------------------------------------

TEST_F(Capi, TheDoorTellsWhatTheFunctionsCannot) {
  const openrknn_functions* door = nullptr;
  ASSERT_EQ(rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &door, sizeof door), RKNN_SUCC);
  ASSERT_EQ(door->size, sizeof(openrknn_functions));
  const rknn_context context = open(int8_model());

  const char* text = nullptr;
  ASSERT_EQ(door->arithmetic(context, &text), RKNN_SUCC);
  EXPECT_STREQ(text, "rk3588/1");
  int32_t threads = 0;
  ASSERT_EQ(door->thread_count(context, &threads), RKNN_SUCC);
  EXPECT_GE(threads, 1);
  std::string author;
  ASSERT_EQ(door->metadata(
                context,
                [](void* user, const char* key, size_t, const char* value, size_t) {
                  if (std::string(key) == "author") *static_cast<std::string*>(user) = value;
                },
                &author),
            RKNN_SUCC);
  EXPECT_EQ(author, "nobody");

  ASSERT_EQ(door->set_keep_values(context, 1), RKNN_SUCC);
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  std::vector<int8_t> read;
  ASSERT_EQ(door->read_value(
                context, "positive",
                [](void* user, const openrknn_value* value) {
                  const auto* data = static_cast<const int8_t*>(value->data);
                  static_cast<std::vector<int8_t>*>(user)->assign(data, data + value->size);
                },
                &read),
            RKNN_SUCC);
  EXPECT_EQ(read, expected_codes());

  EXPECT_LT(door->read_value(
                context, "nobody", [](void*, const openrknn_value*) {}, nullptr),
            0);
  EXPECT_NE(std::string(door->last_diagnostic()).find("nobody"), std::string::npos);

  openrknn_core_counters counters[8] = {};
  uint32_t cores = 0;
  ASSERT_EQ(door->core_counters(context, counters, 8, &cores), RKNN_SUCC);
  EXPECT_EQ(cores, 3u);
}

}  // namespace
}  // namespace openrknn
