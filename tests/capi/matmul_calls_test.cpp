// What matrix products refuse, and that refusing is all that happens.
#include <cstdlib>

#include "capi/fixture.h"
#include "capi/matmul_case.h"

namespace openrknn::test {
namespace {

std::string diagnostic() {
  const openrknn_functions* door = nullptr;
  EXPECT_EQ(rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &door, sizeof door), RKNN_SUCC);
  return door->last_diagnostic();
}

/// What creating it complains about.
std::string complaint(const MatmulCase& c, int expected_code = RKNN_ERR_PARAM_INVALID) {
  MatmulProgram program;
  EXPECT_EQ(program.create(c), expected_code);
  EXPECT_EQ(program.context, 0u);
  return diagnostic();
}

/// The platform of matrix products while it lives.
class OnTarget {
 public:
  explicit OnTarget(const char* name) { ::setenv("OPENRKNN_TARGET", name, 1); }
  ~OnTarget() { ::unsetenv("OPENRKNN_TARGET"); }
};

TEST(MatmulCalls, ShapesThatDoNotFitAreNamed) {
  EXPECT_NE(complaint({1, 1, 40, 16}).find("K is 40, FLOAT16_MM_FLOAT16_TO_FLOAT32 on RK3588 needs a multiple of 32"),
            std::string::npos);
  EXPECT_NE(complaint({1, 1, 32, 8}).find("N is 8"), std::string::npos);
  EXPECT_NE(complaint({2, 1, 32, 16}).find("N is 16, INT8_MM_INT8_TO_INT32 on RK3588 needs a multiple of 32"),
            std::string::npos);
  EXPECT_NE(complaint({10, 1, 32, 32}).find("multiple of 64"), std::string::npos);
  EXPECT_NE(complaint({1, 0, 32, 16}).find("M is 0"), std::string::npos);
  EXPECT_NE(complaint({1, 1, 10272, 16}).find("K is 10272, at most 10240"), std::string::npos);
  EXPECT_NE(complaint({1, 1, -32, 16}).find("K is -32"), std::string::npos);
  EXPECT_NE(complaint({1, 2000000000, 32, 2000000000}).find("more than 4 GB"), std::string::npos);
  MatmulCase grouped{8, 1, 64, 64};
  grouped.b_quant = RKNN_QUANT_TYPE_PER_GROUP_SYM;
  EXPECT_NE(complaint(grouped).find("group_size is 0"), std::string::npos);
}

TEST(MatmulCalls, EnumeratorsOutOfRangeAreNamed) {
  EXPECT_NE(complaint({13, 1, 32, 64}).find("type 13"), std::string::npos);
  EXPECT_NE(complaint({-1, 1, 32, 64}).find("type -1"), std::string::npos);
  EXPECT_NE(complaint({2, 1, 32, 32, 3}).find("B_layout is 3"), std::string::npos);
  EXPECT_NE(complaint({2, 1, 32, 32, 0, 2}).find("AC_layout is 2"), std::string::npos);
  EXPECT_NE(complaint({2, 1, 32, 32, 0, 0, 6}).find("B_quant_type is 6"), std::string::npos);
}

TEST(MatmulCalls, PlatformsHaveTheirOwnBlocksAndTypes) {
  {
    const OnTarget target("rk3566");
    MatmulProgram program;
    ASSERT_EQ(program.create({1, 2, 16, 8, RKNN_MM_LAYOUT_NATIVE, RKNN_MM_LAYOUT_NATIVE}), RKNN_SUCC);
    EXPECT_EQ(std::vector<uint32_t>(program.io.A.dims, program.io.A.dims + 3), (std::vector<uint32_t>{4, 2, 4}));
    EXPECT_EQ(std::vector<uint32_t>(program.io.B.dims, program.io.B.dims + 4), (std::vector<uint32_t>{1, 1, 8, 16}));
    EXPECT_EQ(rknn_matmul_set_core_mask(program.context, RKNN_NPU_CORE_0), RKNN_ERR_FAIL);
    EXPECT_NE(complaint({7, 1, 32, 64}, RKNN_ERR_FAIL).find("int4 needs RK3588 or RK3576"), std::string::npos);
  }
  {
    const OnTarget target("rk3576");  // segments of 4096
    MatmulCase c{2, 1, 4128, 32};
    c.fill();
    Bytes input = encode(c.b, DType::Int8), output(input.size());
    rknn_matmul_info info = c.info();
    ASSERT_EQ(rknn_B_normal_layout_to_native_layout(input.data(), output.data(), 4128, 32, &info), RKNN_SUCC);
    EXPECT_EQ(output, encode(native_b(c.b, 4128, 32, 32, 32, 4096), DType::Int8));
  }
  {
    const OnTarget target("rv1106");
    EXPECT_NE(complaint({2, 1, 32, 32}, RKNN_ERR_FAIL).find("has no matrix products"), std::string::npos);
  }
  {
    const OnTarget target("toaster");
    EXPECT_NE(complaint({2, 1, 32, 32}, RKNN_ERR_FAIL).find("OPENRKNN_TARGET is 'toaster'"), std::string::npos);
  }
}

TEST(MatmulCalls, RunNamesTheMatrixWithoutMemory) {
  MatmulProgram program;
  ASSERT_EQ(program.create({2, 1, 32, 32}), RKNN_SUCC);
  EXPECT_EQ(rknn_matmul_run(program.context), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find("A has no memory"), std::string::npos);
  program.allocate();
  EXPECT_EQ(rknn_matmul_run(program.context), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(program.context, program.memory[1]), RKNN_SUCC);
  program.memory[1] = nullptr;
  EXPECT_EQ(rknn_matmul_run(program.context), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find("B has no memory any more"), std::string::npos);
}

TEST(MatmulCalls, MemoryIsCheckedWhenItIsSet) {
  MatmulProgram program;
  ASSERT_EQ(program.create({2, 4, 32, 32}), RKNN_SUCC);
  rknn_tensor_mem* small = rknn_create_mem(program.context, program.io.A.size - 1);
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, small, &program.io.A), RKNN_ERR_PARAM_INVALID);
  EXPECT_NE(diagnostic().find("the memory for A has 127 bytes"), std::string::npos);
  rknn_matmul_tensor_attr unknown = program.io.A;
  std::memset(unknown.name, 'x', sizeof unknown.name);
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, small, &unknown), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, nullptr, &program.io.A), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, small, nullptr), RKNN_ERR_PARAM_INVALID);
  rknn_tensor_mem own{};
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, &own, &program.io.A), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_mem_sync(program.context, small, RKNN_MEMORY_SYNC_BIDIRECTIONAL), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy_mem(program.context, small), RKNN_SUCC);
}

TEST(MatmulCalls, QuantizationThatMeansNothingIsRefused) {
  MatmulProgram exact, halves, channels;
  ASSERT_EQ(exact.create({2, 1, 32, 32}), RKNN_SUCC);
  EXPECT_EQ(exact.set_params("B", {0.0f}, {0}), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(exact.set_params("B", {NAN}, {0}), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(exact.set_params("B", {1.0f}, {3}), RKNN_ERR_PARAM_INVALID);  // symmetric
  EXPECT_EQ(exact.set_params("B", {1.0f, 2.0f}, {}), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(exact.set_params("A", {1.0f}, {3}), RKNN_ERR_PARAM_INVALID);  // sums have no scale to go with it
  EXPECT_EQ(exact.set_params("D", {1.0f}, {0}), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(exact.set_params("A", {1.0f}, {0}), RKNN_SUCC);
  EXPECT_EQ(exact.set_params("B", {1.0f}, {}), RKNN_SUCC);
  rknn_quant_params params{};
  params.name[0] = 'B';
  params.scale_len = 1;
  EXPECT_EQ(rknn_matmul_set_quant_params(exact.context, &params), RKNN_ERR_PARAM_INVALID);  // scale is NULL
  params.scale_len = -1;
  EXPECT_EQ(rknn_matmul_set_quant_params(exact.context, &params), RKNN_ERR_PARAM_INVALID);
  ASSERT_EQ(halves.create({1, 1, 32, 32}), RKNN_SUCC);
  EXPECT_EQ(halves.set_params("A", {1.0f}, {0}), RKNN_ERR_PARAM_INVALID);
  ASSERT_EQ(channels.create({5, 1, 32, 32, 0, 0, RKNN_QUANT_TYPE_PER_CHANNEL_SYM}), RKNN_SUCC);
  EXPECT_EQ(channels.set_params("B", std::vector<float>(31, 1.0f), {}), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(channels.set_params("B", std::vector<float>(32, 1.0f), {}), RKNN_SUCC);
}

TEST(MatmulCalls, NullPointersAreErrors) {
  rknn_matmul_ctx context = 42;
  rknn_matmul_info info = MatmulCase{2, 1, 32, 32}.info();
  rknn_matmul_io_attr io;
  rknn_matmul_shape shape{1, 32, 32};
  EXPECT_EQ(rknn_matmul_create(nullptr, &info, &io), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_create(&context, nullptr, &io), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(context, 0u);
  EXPECT_EQ(rknn_matmul_create(&context, &info, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_create_dynamic_shape(&context, &info, 1, nullptr, &io), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_create_dynamic_shape(&context, &info, 0, &shape, &io), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_create_dynamic_shape(&context, &info, 1, &shape, nullptr), RKNN_ERR_PARAM_INVALID);
  char byte = 0;
  EXPECT_EQ(rknn_B_normal_layout_to_native_layout(nullptr, &byte, 32, 32, &info), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_B_normal_layout_to_native_layout(&byte, nullptr, 32, 32, &info), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_B_normal_layout_to_native_layout(&byte, &byte, 32, 32, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_B_normal_layout_to_native_layout(&byte, &byte, 0, 32, &info), RKNN_ERR_PARAM_INVALID);
  MatmulProgram program;
  ASSERT_EQ(program.create({2, 1, 32, 32}), RKNN_SUCC);
  float scale = 0;
  EXPECT_EQ(rknn_matmul_set_quant_params(program.context, nullptr), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_get_quant_params(program.context, nullptr, &scale), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_matmul_set_dynamic_shape(program.context, nullptr), RKNN_ERR_PARAM_INVALID);
}

using MatmulHandles = Capi;

TEST_F(MatmulHandles, ContextsOfTheTwoKindsAreNotMixedUp) {
  const rknn_context model = open(int8_model());
  MatmulProgram program;
  ASSERT_EQ(program.create({2, 1, 32, 32}), RKNN_SUCC);
  EXPECT_EQ(rknn_matmul_run(model), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_run(program.context, nullptr), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_destroy(program.context), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_matmul_destroy(model), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_matmul_run(0), RKNN_ERR_CTX_INVALID);
  const rknn_matmul_ctx gone = program.context;
  EXPECT_EQ(rknn_matmul_destroy(gone), RKNN_SUCC);
  EXPECT_EQ(rknn_matmul_destroy(gone), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_matmul_set_core_mask(gone, RKNN_NPU_CORE_AUTO), RKNN_ERR_CTX_INVALID);
  EXPECT_EQ(rknn_create_mem(gone, 16), nullptr);
  program.context = 0;
}

TEST(MatmulCalls, CoreMasksAreThoseOfThePlatform) {
  MatmulProgram program;
  ASSERT_EQ(program.create({2, 1, 32, 32}), RKNN_SUCC);
  for (const int mask : {0, 1, 2, 3, 4, 7, 0xffff}) {
    EXPECT_EQ(rknn_matmul_set_core_mask(program.context, static_cast<rknn_core_mask>(mask)), RKNN_SUCC) << mask;
  }
  for (const int mask : {5, 6, 8, 0x10000}) {
    EXPECT_EQ(rknn_matmul_set_core_mask(program.context, static_cast<rknn_core_mask>(mask)), RKNN_ERR_FAIL) << mask;
  }
}

}  // namespace
}  // namespace openrknn::test
