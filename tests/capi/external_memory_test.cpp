// Weights and internal memory of the program, weights shared between contexts.
#include "capi/fixture.h"

#include <algorithm>

namespace openrknn::test {
namespace {

Model conv_model(int size) {
  std::string text = R"(ir 1
input %image : i8[1,3,@,@] q(0.5, 3)
%w : i8[24,3,3,3] q(0.1, 0) = random(5)
%b : i32[24] q(0.05, 0) = random(6)
%conv : i8[1,24,@,@] q(0.5, 3) = Conv(%image, %w, %b) {kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], dilations=[1,1], group=1} fixed(channel_shift=14, scale=[[26214, 18]], low=-128, high=127)
%relu : i8[1,24,@,@] q(0.5, 3) = Relu(%conv) fixed(low=3, high=127)
output %relu
)";
  for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@'))
    text.replace(at, 1, std::to_string(size));
  return model_of(text);
}

std::vector<uint8_t> image_of(int size) {
  std::vector<uint8_t> image(static_cast<size_t>(size * size * 3));
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i * 31 % 89);
  return image;
}

class CapiMemory : public Capi {
 protected:
  static rknn_mem_size sizes(rknn_context context) {
    rknn_mem_size result{};
    EXPECT_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &result, sizeof result), RKNN_SUCC);
    return result;
  }
  static std::vector<int8_t> run(rknn_context context, int size) {
    EXPECT_EQ(set(context, image_of(size), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
    EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    return get<int8_t>(context, false);
  }
  static int init(rknn_context& context, const Model& model, uint32_t flags, rknn_context master = 0) {
    std::string bytes = file_bytes(model);
    rknn_init_extend extend;
    std::memset(&extend, 0xee, sizeof extend);  // samples set ctx alone
    extend.ctx = master;
    return rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), flags,
                     master != 0 ? &extend : nullptr);
  }
  static bool holds_weights(const rknn_tensor_mem& memory) {
    const Graph graph = conv_model(8).variants[0];
    const Tensor weights = *graph[graph.find("w")].constant;
    const auto* bytes = static_cast<const std::byte*>(memory.virt_addr);
    const auto* end = bytes + memory.size;
    return std::search(bytes, end, weights.bytes().begin(), weights.bytes().end()) != end;
  }
  static std::string diagnostic() { return door().last_diagnostic(); }
};

TEST_F(CapiMemory, IsSizedInAdvanceAndThenSupplied) {
  // The demo's sequence: sizes from a context that only reads, then one that runs.
  rknn_context info = 0;
  ASSERT_EQ(init(info, conv_model(8), RKNN_FLAG_COLLECT_MODEL_INFO_ONLY | RKNN_FLAG_MEM_ALLOC_OUTSIDE), RKNN_SUCC);
  const rknn_mem_size needed = sizes(info);
  EXPECT_GE(needed.total_weight_size, 24u * 27 + 24 * 4);
  EXPECT_GT(needed.total_internal_size, 0u);
  rknn_input_output_num counts{};
  EXPECT_EQ(rknn_query(info, RKNN_QUERY_IN_OUT_NUM, &counts, sizeof counts), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_run(info, nullptr), RKNN_ERR_PARAM_INVALID);
  ASSERT_EQ(rknn_destroy(info), RKNN_SUCC);

  const rknn_context context = open(conv_model(8), RKNN_FLAG_MEM_ALLOC_OUTSIDE);
  EXPECT_EQ(sizes(context).total_internal_size, needed.total_internal_size);
  rknn_tensor_attr in = attr(context, RKNN_QUERY_INPUT_ATTR), out = attr(context, RKNN_QUERY_OUTPUT_ATTR);
  in.type = RKNN_TENSOR_UINT8;
  rknn_tensor_mem* weight = rknn_create_mem(context, needed.total_weight_size);
  rknn_tensor_mem* internal = rknn_create_mem(context, needed.total_internal_size);
  rknn_tensor_mem* in_mem = rknn_create_mem(context, in.size_with_stride);
  rknn_tensor_mem* out_mem = rknn_create_mem(context, out.size);

  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);
  for (const char* name : {"rknn_set_weight_mem", "rknn_set_internal_mem", "input 'image'", "output 'relu'"}) {
    EXPECT_NE(diagnostic().find(name), std::string::npos) << diagnostic();
  }
  ASSERT_EQ(rknn_set_weight_mem(context, weight), RKNN_SUCC);
  ASSERT_EQ(rknn_set_internal_mem(context, internal), RKNN_SUCC);
  ASSERT_EQ(rknn_set_io_mem(context, in_mem, &in), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(diagnostic().find("rknn_set_weight_mem"), std::string::npos) << diagnostic();
  ASSERT_EQ(rknn_set_io_mem(context, out_mem, &out), RKNN_SUCC);
  const std::vector<uint8_t> image = image_of(8);
  for (size_t row = 0; row < 8; ++row) {
    std::memcpy(static_cast<uint8_t*>(in_mem->virt_addr) + row * in.w_stride * 3, image.data() + row * 24, 24);
  }
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  const auto* codes = static_cast<const int8_t*>(out_mem->virt_addr);
  EXPECT_EQ(std::vector<int8_t>(codes, codes + out.n_elems), run(open(conv_model(8)), 8));

  // The memory really holds what it is for.
  EXPECT_TRUE(holds_weights(*weight));
  const auto* scratch = static_cast<const char*>(internal->virt_addr);
  EXPECT_TRUE(std::any_of(scratch, scratch + internal->size, [](char c) { return c != 0; }));

  ASSERT_EQ(rknn_destroy_mem(context, internal), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find("destroyed"), std::string::npos);
  for (rknn_tensor_mem* mem : {weight, in_mem, out_mem}) EXPECT_EQ(rknn_destroy_mem(context, mem), RKNN_SUCC);
}

TEST_F(CapiMemory, TooSmallAndNotAskedForIsRefusedWithSizes) {
  const rknn_context context = open(conv_model(8), RKNN_FLAG_MEM_ALLOC_OUTSIDE);
  const rknn_mem_size needed = sizes(context);
  rknn_tensor_mem* small = rknn_create_mem(context, 100);
  EXPECT_EQ(rknn_set_weight_mem(context, small), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find(std::to_string(needed.total_weight_size)), std::string::npos) << diagnostic();
  EXPECT_EQ(rknn_set_internal_mem(context, small), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find(std::to_string(needed.total_internal_size)), std::string::npos) << diagnostic();
  EXPECT_EQ(rknn_set_weight_mem(context, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_internal_mem(context, nullptr), RKNN_ERR_PARAM_INVALID);
  const rknn_context own = open(conv_model(8));
  rknn_tensor_mem* large = rknn_create_mem(own, needed.total_internal_size + needed.total_weight_size);
  EXPECT_EQ(rknn_set_weight_mem(own, large), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_set_internal_mem(own, large), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_destroy_mem(context, small), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(own, large), RKNN_SUCC);
}

TEST_F(CapiMemory, InternalMemoryServesContextsThatRunInTurn) {
  const rknn_context large = open(conv_model(16), RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE);
  const rknn_context small = open(conv_model(8), RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE);
  EXPECT_EQ(set(large, image_of(16), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  EXPECT_EQ(rknn_run(large, nullptr), RKNN_ERR_PARAM_INVALID);  // not set yet
  rknn_tensor_mem* region = rknn_create_mem(large, sizes(large).total_internal_size);
  // A wrapper of the second model's own size over the same bytes, 4 bytes in: nobody promised an alignment.
  const uint32_t part = sizes(small).total_internal_size;
  rknn_tensor_mem* shared = rknn_create_mem_from_fd(small, region->fd, region->virt_addr, part, 4);
  ASSERT_EQ(rknn_set_internal_mem(large, region), RKNN_SUCC);
  ASSERT_EQ(rknn_set_internal_mem(small, shared), RKNN_SUCC);
  const std::vector<int8_t> expected_large = run(open(conv_model(16)), 16),
                            expected_small = run(open(conv_model(8)), 8);
  ASSERT_EQ(set(large, image_of(16), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(large, nullptr), RKNN_SUCC);
  EXPECT_EQ(run(small, 8), expected_small);  // overwrites the region
  EXPECT_EQ(get<int8_t>(large, false), expected_large);
  EXPECT_EQ(run(large, 16), expected_large);
  EXPECT_EQ(rknn_destroy_mem(large, region), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(small, shared), RKNN_SUCC);
}

TEST_F(CapiMemory, OfTheDeviceHoldsTheWeights) {
  const rknn_context context = open(conv_model(8));
  rknn_tensor_mem device{};
  EXPECT_EQ(rknn_query(context, RKNN_QUERY_DEVICE_MEM_INFO, &device, sizeof device - 1), RKNN_ERR_PARAM_INVALID);
  ASSERT_EQ(rknn_query(context, RKNN_QUERY_DEVICE_MEM_INFO, &device, sizeof device), RKNN_SUCC);
  EXPECT_GT(device.fd, 0);
  EXPECT_EQ(device.size, sizes(context).total_weight_size);
  EXPECT_TRUE(holds_weights(device));
}

TEST_F(CapiMemory, WeightsComeFromTheContextThatHasThem) {
  Model without = conv_model(16);  // another resolution, the same weights
  without.remove_weight = true;
  EXPECT_LT(file_bytes(without).size(), file_bytes(conv_model(16)).size());
  rknn_context sharer = 0, master = 0;
  EXPECT_EQ(init(sharer, without, 0), RKNN_ERR_MODEL_INVALID);
  EXPECT_NE(diagnostic().find("RKNN_FLAG_SHARE_WEIGHT_MEM"), std::string::npos) << diagnostic();
  EXPECT_EQ(init(sharer, without, RKNN_FLAG_SHARE_WEIGHT_MEM, 4711), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(init(sharer, without, RKNN_FLAG_SHARE_WEIGHT_MEM, open(int8_model())), RKNN_ERR_MODEL_INVALID);
  EXPECT_NE(diagnostic().find("1 of the 1 weights"), std::string::npos) << diagnostic();
  EXPECT_EQ(sharer, 0u);

  ASSERT_EQ(init(master, conv_model(8), 0), RKNN_SUCC);
  ASSERT_EQ(init(sharer, without, RKNN_FLAG_SHARE_WEIGHT_MEM, master), RKNN_SUCC);
  ASSERT_EQ(rknn_destroy(master), RKNN_SUCC);  // the weights stay as long as somebody uses them
  EXPECT_EQ(run(sharer, 16), run(open(conv_model(16)), 16));
  EXPECT_EQ(rknn_destroy(sharer), RKNN_SUCC);
}

TEST_F(CapiMemory, FullModelsMayShareToo) {
  const rknn_context master = open(conv_model(8));
  rknn_context sharer = 0;
  ASSERT_EQ(init(sharer, conv_model(8), RKNN_FLAG_SHARE_WEIGHT_MEM, master), RKNN_SUCC);
  EXPECT_EQ(run(sharer, 8), run(master, 8));
  EXPECT_EQ(rknn_destroy(sharer), RKNN_SUCC);
}

}  // namespace
}  // namespace openrknn::test
