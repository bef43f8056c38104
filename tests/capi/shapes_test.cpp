// Models with several sets of input shapes.
#include "capi/fixture.h"

#include <fmt/format.h>

namespace openrknn::test {
namespace {

/// One size of the same network: a convolution and what it leaves above zero, and a second input that is passed on.
std::string network(int size, int length) {
  return fmt::format(R"(ir 1
input %image : i8[1,3,{0},{0}] q(0.5, 3)
input %extra : f16[1,{1}]
%w : i8[8,3,3,3] q(0.1, 0) = random(5)
%conv : i8[1,8,{0},{0}] q(0.5, 3) = Conv(%image, %w) {{kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], dilations=[1,1], group=1}} fixed(channel_shift=14, scale=[[26214, 18]], low=3, high=127)
%twice : f16[1,{1}] = Add(%extra, %extra)
output %conv
output %twice
)",
                     size, length);
}

Model static_model(int size, int length) { return model_of(network(size, length)); }

/// 8x8 with 6 halves, 4x4 with 2 halves, 4x4 with 4 halves.
Model dynamic_model() {
  Model model = static_model(8, 6);
  for (const int length : {2, 4}) model.variants.push_back(static_model(4, length).variants.front());
  return model;
}

std::vector<uint8_t> image_of(int size, int seed) {
  std::vector<uint8_t> image(static_cast<size_t>(size * size * 3));
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>((i * 13 + static_cast<size_t>(seed)) % 50);
  return image;
}

class CapiShapes : public Capi {
 protected:
  static std::vector<rknn_tensor_attr> shapes(rknn_context context, int size, int length) {
    std::vector<rknn_tensor_attr> attrs = {attr(context, RKNN_QUERY_INPUT_ATTR, 0),
                                           attr(context, RKNN_QUERY_INPUT_ATTR, 1)};
    attrs[0].dims[1] = attrs[0].dims[2] = static_cast<uint32_t>(size);
    attrs[1].dims[1] = static_cast<uint32_t>(length);
    return attrs;
  }
  static int set_shapes(rknn_context context, std::vector<rknn_tensor_attr> attrs) {
    return rknn_set_input_shapes(context, static_cast<uint32_t>(attrs.size()), attrs.data());
  }
  static int set_arrays(rknn_context context, int size, int length, int seed = 0) {
    const std::vector<uint8_t> image = image_of(size, seed);
    const std::vector<float> extra(static_cast<size_t>(length), 1.5f);
    rknn_input inputs[2] = {input(image.data(), image.size(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC),
                            input(extra.data(), extra.size() * 4, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_UNDEFINED)};
    inputs[1].index = 1;
    return rknn_inputs_set(context, 2, inputs);
  }
  static std::vector<int8_t> run(rknn_context context, int size, int length, int seed = 0) {
    EXPECT_EQ(set_arrays(context, size, length, seed), RKNN_SUCC);
    EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    EXPECT_EQ(get<float>(context, true, 1), std::vector<float>(static_cast<size_t>(length), 3.0f));
    return get<int8_t>(context, false);
  }
};

TEST_F(CapiShapes, StaticModelsTakeTheirOwnShapeOnly) {
  const rknn_context context = open(int8_model());
  rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR);
  EXPECT_EQ(rknn_set_input_shapes(context, 1, &in), RKNN_SUCC);
  EXPECT_EQ(rknn_set_input_shape(context, &in), RKNN_SUCC);
  in.dims[1] = 8;
  EXPECT_EQ(rknn_set_input_shapes(context, 1, &in), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_set_input_shape(context, &in), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_set_input_shapes(context, 1, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_input_shapes(context, 2, &in), RKNN_ERR_PARAM_INVALID);
}

TEST_F(CapiShapes, AStaticModelHasNoRangeAndSaysSoInOneWarning) {
  const Variable level("RKNN_LOG_LEVEL", "1");
  const rknn_context context = open(int8_model());
  auto range = std::make_unique<rknn_input_range>();
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range), RKNN_ERR_MODEL_INVALID);
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(printed.find("W RKNN: ["), 0u) << printed;
  EXPECT_NE(printed.find("query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type, please export "
                         "rknn with dynamic_shapes\n"),
            std::string::npos);
  EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 1);
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR, range.get(), sizeof *range),
            RKNN_ERR_MODEL_INVALID);
}

TEST_F(CapiShapes, TheRangeListsTheSetsByInput) {
  const rknn_context context = open(dynamic_model());
  auto range = std::make_unique<rknn_input_range>();
  std::memset(range.get(), 0xee, sizeof *range);
  range->index = 0;
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range), RKNN_SUCC);
  EXPECT_EQ(range->shape_number, 3u);
  EXPECT_EQ(range->fmt, RKNN_TENSOR_NHWC);
  EXPECT_EQ(range->n_dims, 4u);
  EXPECT_STREQ(range->name, "image");
  EXPECT_EQ(std::vector<uint32_t>(range->dyn_range[0], range->dyn_range[0] + 5),
            (std::vector<uint32_t>{1, 8, 8, 3, 0}));
  EXPECT_EQ(range->dyn_range[2][1], 4u);
  EXPECT_EQ(range->dyn_range[3][0], 0u);
  range->index = 1;
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range), RKNN_SUCC);
  EXPECT_EQ(range->dyn_range[2][1], 4u);
  EXPECT_EQ(range->fmt, RKNN_TENSOR_UNDEFINED);
  range->index = 2;
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range), RKNN_ERR_PARAM_INVALID);
}

TEST_F(CapiShapes, TheLargestIsActiveAtFirst) {
  const rknn_context context = open(dynamic_model());
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR).dims[1], 8u);
  EXPECT_EQ(run(context, 8, 6), run(open(static_model(8, 6)), 8, 6));
}

TEST_F(CapiShapes, EverySetGivesWhatAModelOfThatShapeGives) {
  const rknn_context context = open(dynamic_model());
  const struct { int size, length; } sets[] = {{4, 2}, {8, 6}, {4, 4}, {4, 2}};
  for (const auto [size, length] : sets) {
    ASSERT_EQ(set_shapes(context, shapes(context, size, length)), RKNN_SUCC);
    EXPECT_EQ(run(context, size, length, size + length),
              run(open(static_model(size, length)), size, length, size + length));
  }
}

TEST_F(CapiShapes, AttributesFollowTheActiveSetAndTheLargestIsStillToBeSeen) {
  const rknn_context context = open(dynamic_model());
  ASSERT_EQ(set_shapes(context, shapes(context, 4, 4)), RKNN_SUCC);
  const rknn_tensor_attr in = attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR);
  EXPECT_EQ(std::vector<uint32_t>(in.dims, in.dims + 4), (std::vector<uint32_t>{1, 4, 4, 3}));
  EXPECT_EQ(in.fmt, RKNN_TENSOR_NHWC);
  EXPECT_EQ(in.w_stride, 16u);
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_OUTPUT_ATTR, 1).dims[1], 4u);
  const rknn_tensor_attr native = attr(context, RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR);
  EXPECT_EQ(std::vector<uint32_t>(native.dims, native.dims + 5), (std::vector<uint32_t>{1, 2, 4, 4, 16}));
  EXPECT_EQ(attr(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR).dims[2], 4u);
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR).dims[1], 4u);
  EXPECT_EQ(attr(context, RKNN_QUERY_INPUT_ATTR).dims[1], 8u);
  EXPECT_EQ(attr(context, RKNN_QUERY_OUTPUT_ATTR).dims[2], 8u);
}

TEST_F(CapiShapes, InputsHaveToBeSetAgainAfterAChange) {
  const rknn_context context = open(dynamic_model());
  run(context, 8, 6);
  ASSERT_EQ(set_shapes(context, shapes(context, 8, 6)), RKNN_SUCC);  // no change
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  ASSERT_EQ(set_shapes(context, shapes(context, 4, 2)), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_INPUT_INVALID);
  EXPECT_NE(std::string(door().last_diagnostic()).find("was never set"), std::string::npos);
  rknn_output output{};
  EXPECT_LT(rknn_outputs_get(context, 1, &output, nullptr), 0);
  EXPECT_EQ(set_arrays(context, 4, 2), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST_F(CapiShapes, WrongShapesAreAnsweredWithTheRightOnes) {
  const rknn_context context = open(dynamic_model());
  std::vector<rknn_tensor_attr> wrong = shapes(context, 4, 4);
  wrong[0].fmt = RKNN_TENSOR_NCHW;
  wrong[0].dims[1] = 1, wrong[0].dims[2] = 224, wrong[0].dims[3] = 224;
  EXPECT_EQ(set_shapes(context, wrong), RKNN_ERR_FAIL);
  EXPECT_STREQ(door().last_diagnostic(),
               "rknn_set_input_shapes error, input name = image input supported input shapes are as follows:\n"
               " shape = [1,8,8,3], layout = NHWC\n"
               " shape = [1,4,4,3], layout = NHWC\n"
               " shape = [1,4,4,3], layout = NHWC\n"
               "while get rknn_tensor_attr[0].name = image, dims = [1, 1, 224, 224], fmt = NCHW");
  // Each exists, but not together.
  EXPECT_EQ(set_shapes(context, shapes(context, 8, 2)), RKNN_ERR_FAIL);
  EXPECT_NE(std::string(door().last_diagnostic()).find("supported input shapes"), std::string::npos);
  std::vector<rknn_tensor_attr> twice = {wrong[1], wrong[1]};
  EXPECT_EQ(set_shapes(context, twice), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR).dims[1], 8u);  // nothing changed
}

TEST_F(CapiShapes, MayBeGivenAsNchwAndOneByOne) {
  const rknn_context context = open(dynamic_model());
  std::vector<rknn_tensor_attr> nchw = shapes(context, 4, 2);
  nchw[0].fmt = RKNN_TENSOR_NCHW;
  nchw[0].dims[1] = 3, nchw[0].dims[2] = 4, nchw[0].dims[3] = 4;
  EXPECT_EQ(set_shapes(context, nchw), RKNN_SUCC);
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR, 1).dims[1], 2u);
  std::vector<rknn_tensor_attr> one = shapes(context, 4, 4);
  EXPECT_EQ(rknn_set_input_shape(context, &one[1]), RKNN_SUCC);
  EXPECT_EQ(attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR, 1).dims[1], 4u);
}

TEST_F(CapiShapes, MemoryOfTheProgramWorksWithTheCurrentAttributes) {
  const rknn_context context = open(dynamic_model());
  rknn_mem_size sizes{};
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &sizes, sizeof sizes), RKNN_SUCC);
  rknn_mem_size largest{};
  ASSERT_EQ(rknn_query(open(static_model(8, 6)), RKNN_QUERY_MEM_SIZE, &largest, sizeof largest), RKNN_SUCC);
  EXPECT_GE(sizes.total_internal_size, largest.total_internal_size);

  ASSERT_EQ(set_shapes(context, shapes(context, 4, 2)), RKNN_SUCC);
  rknn_tensor_attr in = attr(context, RKNN_QUERY_CURRENT_INPUT_ATTR);
  rknn_tensor_attr out = attr(context, RKNN_QUERY_CURRENT_OUTPUT_ATTR);
  in.type = RKNN_TENSOR_UINT8;
  rknn_tensor_mem* in_mem = rknn_create_mem(context, in.size_with_stride);
  rknn_tensor_mem* out_mem = rknn_create_mem(context, out.size);
  ASSERT_EQ(rknn_set_io_mem(context, in_mem, &in), RKNN_SUCC);
  ASSERT_EQ(rknn_set_io_mem(context, out_mem, &out), RKNN_SUCC);
  const std::vector<uint8_t> image = image_of(4, 0);
  for (size_t row = 0; row < 4; ++row) {
    std::memcpy(static_cast<uint8_t*>(in_mem->virt_addr) + row * in.w_stride * 3, image.data() + row * 12, 12);
  }
  const std::vector<float> extra = {1.5f, 1.5f};
  rknn_input second = input(extra.data(), 8, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_UNDEFINED);
  second.index = 1;
  ASSERT_EQ(rknn_inputs_set(context, 1, &second), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const auto* codes = static_cast<const int8_t*>(out_mem->virt_addr);
  EXPECT_EQ(std::vector<int8_t>(codes, codes + out.n_elems), run(open(static_model(4, 2)), 4, 2));

  // The output's memory stays bound, and is too small now.
  ASSERT_EQ(set_shapes(context, shapes(context, 8, 6)), RKNN_SUCC);
  ASSERT_EQ(set_arrays(context, 8, 6), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_destroy_mem(context, in_mem), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(context, out_mem), RKNN_SUCC);
}

TEST_F(CapiShapes, CannotBeDuplicatedOrShareWeights) {
  rknn_context context = open(dynamic_model()), copy = 0;
  EXPECT_EQ(rknn_dup_context(&context, &copy), RKNN_ERR_FAIL);
  EXPECT_NE(std::string(door().last_diagnostic()).find("dynamic shapes"), std::string::npos);
  std::string bytes = file_bytes(static_model(8, 6));
  rknn_init_extend extend{};
  extend.ctx = context;
  EXPECT_EQ(rknn_init(&copy, bytes.data(), static_cast<uint32_t>(bytes.size()), RKNN_FLAG_SHARE_WEIGHT_MEM, &extend),
            RKNN_ERR_FAIL);
  EXPECT_EQ(copy, 0u);
}

TEST_F(CapiShapes, AreSaidInTheLog) {
  const Variable level("RKNN_LOG_LEVEL", "2");
  ::testing::internal::CaptureStdout();
  open(dynamic_model());
  open(static_model(8, 6));
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_NE(printed.find("model inference type: dynamic_shape\n"), std::string::npos) << printed;
  EXPECT_NE(printed.find("model inference type: static_shape\n"), std::string::npos);
}

}  // namespace
}  // namespace openrknn::test
