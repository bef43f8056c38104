// Matrix products of every type in every layout, against a second implementation (matmul_case.h).
#include "capi/matmul_case.h"

#include <thread>

namespace openrknn::test {
namespace {

std::string layout_name(int layout) {
  return layout == RKNN_MM_LAYOUT_NORM ? "Norm" : layout == RKNN_MM_LAYOUT_NATIVE ? "Native" : "Transposed";
}
std::string name_of(const testing::TestParamInfo<MatmulCase>& info) {
  const MatmulCase& c = info.param;
  return "Type" + std::to_string(c.type) + "_B" + layout_name(c.b_layout) + "_AC" + layout_name(c.ac_layout) +
         "_Quant" + std::to_string(c.b_quant) + "_" + std::to_string(c.m) + "x" + std::to_string(c.k) + "x" +
         std::to_string(c.n);
}
constexpr int kTypes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15};

class MatmulNumbers : public testing::TestWithParam<MatmulCase> {};

TEST_P(MatmulNumbers, AreThoseOfTheTable) {
  MatmulCase c = GetParam();
  c.fill();
  const bool has_params = c.b_quant != RKNN_QUANT_TYPE_PER_LAYER_SYM;
  if (has_params) c.fill_params();
  MatmulProgram program;
  ASSERT_EQ(program.create(c), RKNN_SUCC);
  program.allocate();
  if (has_params) {
    ASSERT_EQ(program.set_params("A", c.sa, c.za), RKNN_SUCC);
    ASSERT_EQ(program.set_params("B", c.sb, c.zb), RKNN_SUCC);
    ASSERT_EQ(program.set_params("C", c.sc, c.zc), RKNN_SUCC);
  }
  program.write(0, c.a_bytes());
  program.write(1, c.b_bytes());
  for (int run = 0; run < 2; ++run) {
    std::memset(program.memory[2]->virt_addr, 0xee, program.memory[2]->size);
    ASSERT_EQ(rknn_matmul_run(program.context), RKNN_SUCC);
    EXPECT_EQ(program.result(), c.c_bytes()) << "seed " << c.seed;
  }
}

std::vector<MatmulCase> layout_cases() {
  std::vector<MatmulCase> cases;
  for (const int type : kTypes) {
    for (const int b_layout : {RKNN_MM_LAYOUT_NORM, RKNN_MM_LAYOUT_NATIVE, RKNN_MM_LAYOUT_TP_NORM}) {
      for (const int ac_layout : {RKNN_MM_LAYOUT_NORM, RKNN_MM_LAYOUT_NATIVE}) {
        cases.push_back({type, 5, 96, 192, b_layout, ac_layout});
      }
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Layouts, MatmulNumbers, testing::ValuesIn(layout_cases()), name_of);

std::vector<MatmulCase> shape_cases() {
  std::vector<MatmulCase> cases;
  for (const int type : {1, 2, 9, 10}) {
    cases.push_back({type, 1, 32, 64});
    cases.push_back({type, 300, 64, 64, RKNN_MM_LAYOUT_NATIVE, RKNN_MM_LAYOUT_NATIVE});
    cases.push_back({type, 2, 8256, 64, RKNN_MM_LAYOUT_NATIVE});  // two segments of k
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Shapes, MatmulNumbers, testing::ValuesIn(shape_cases()), name_of);

std::vector<MatmulCase> quantized_cases() {
  std::vector<MatmulCase> cases;
  for (const int type : {2, 3, 5, 6, 7, 8, 9, 11, 12, 15}) {
    for (int quant = RKNN_QUANT_TYPE_PER_LAYER_ASYM; quant <= RKNN_QUANT_TYPE_PER_GROUP_ASYM; ++quant) {
      const bool grouped = quant >= RKNN_QUANT_TYPE_PER_GROUP_SYM;
      cases.push_back({type, 3, 128, 64, RKNN_MM_LAYOUT_NORM, RKNN_MM_LAYOUT_NORM, quant, grouped ? 32 : 0});
    }
  }
  cases.push_back({9, 2, 2048, 64, RKNN_MM_LAYOUT_NATIVE, RKNN_MM_LAYOUT_NORM, RKNN_QUANT_TYPE_PER_GROUP_SYM, 2048});
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Quantized, MatmulNumbers, testing::ValuesIn(quantized_cases()), name_of);

TEST(Matmul, SumsThatFloat32CannotHoldAreExact) {
  for (const int type : {2, 3, 9, 11}) {
    MatmulCase c{type, 2, 10240, 64};
    c.fill();
    std::fill(c.a.begin(), c.a.end(), 127);
    std::fill(c.b.begin(), c.b.end(), type == 11 ? 7 : 127);
    for (size_t i = 0; i < c.b.size(); i += 3) c.b[i] = 5;
    MatmulProgram program;
    ASSERT_EQ(program.create(c), RKNN_SUCC);
    program.allocate();
    program.write(0, c.a_bytes());
    program.write(1, c.b_bytes());
    ASSERT_EQ(rknn_matmul_run(program.context), RKNN_SUCC);
    EXPECT_EQ(program.result(), c.c_bytes()) << type;
  }
}

TEST(Matmul, CreateTellsWhatTheMatricesAre) {
  MatmulProgram program;
  std::memset(&program.io, 0xee, sizeof program.io);
  ASSERT_EQ(program.create({1, 1, 32, 16}), RKNN_SUCC);
  const rknn_matmul_io_attr& io = program.io;
  EXPECT_STREQ(io.A.name, "A");
  EXPECT_EQ(std::vector<uint32_t>(io.A.dims, io.A.dims + io.A.n_dims), (std::vector<uint32_t>{1, 32}));
  EXPECT_EQ(io.A.size, 64u);
  EXPECT_EQ(io.A.type, RKNN_TENSOR_FLOAT16);
  EXPECT_EQ(std::vector<uint32_t>(io.B.dims, io.B.dims + io.B.n_dims), (std::vector<uint32_t>{32, 16}));
  EXPECT_EQ(io.B.size, 1024u);
  EXPECT_STREQ(io.C.name, "C");
  EXPECT_EQ(io.C.size, 64u);
  EXPECT_EQ(io.C.type, RKNN_TENSOR_FLOAT32);

  MatmulProgram native;
  ASSERT_EQ(native.create({10, 3, 64, 128, RKNN_MM_LAYOUT_NATIVE, RKNN_MM_LAYOUT_NATIVE}), RKNN_SUCC);
  EXPECT_EQ(std::vector<uint32_t>(native.io.A.dims, native.io.A.dims + 3), (std::vector<uint32_t>{2, 3, 32}));
  EXPECT_EQ(std::vector<uint32_t>(native.io.B.dims, native.io.B.dims + 4), (std::vector<uint32_t>{2, 2, 64, 32}));
  EXPECT_EQ(std::vector<uint32_t>(native.io.C.dims, native.io.C.dims + 3), (std::vector<uint32_t>{16, 3, 8}));
  EXPECT_EQ(native.io.A.size, 3u * 64 / 2);
  EXPECT_EQ(native.io.A.type, RKNN_TENSOR_INT4);
}

TEST(Matmul, ConvertsBFromNormalToNativeLayout) {
  for (const int type : {1, 2, 7}) {
    for (const auto& [k, n] : {std::pair<int64_t, int64_t>{64, 128}, {8256, 64}, {40, 24}}) {  // whole, cut, padded
      MatmulCase c{type, 1, k, n};
      c.fill();
      const TypeFacts& f = c.type_facts();
      const Bytes expected = encode(native_b(c.b, k, n, f.b_n, f.b_k), f.b);
      Bytes input = encode(c.b, f.b), output(expected.size(), 0xee);
      rknn_matmul_info info = c.info();
      ASSERT_EQ(rknn_B_normal_layout_to_native_layout(input.data(), output.data(), static_cast<int>(k),
                                                      static_cast<int>(n), &info),
                RKNN_SUCC);
      EXPECT_EQ(output, expected) << type << " " << k << " " << n;
    }
  }
}

TEST(Matmul, PerChannelSumsKeepTheirRatioAndTellTheScale) {
  MatmulCase c{2, 1, 32, 32, RKNN_MM_LAYOUT_NORM, RKNN_MM_LAYOUT_NORM, RKNN_QUANT_TYPE_PER_CHANNEL_SYM};
  MatmulProgram program;
  ASSERT_EQ(program.create(c), RKNN_SUCC);
  std::vector<float> scale(32, 0.5f);
  scale[3] = 2.0f;
  ASSERT_EQ(program.set_params("B", scale, {}), RKNN_SUCC);
  rknn_quant_params params{};
  float combined = 0;
  ASSERT_EQ(rknn_matmul_get_quant_params(program.context, &params, &combined), RKNN_SUCC);
  EXPECT_EQ(combined, 2.0f);
  ASSERT_EQ(params.scale_len, 32);
  EXPECT_EQ(params.scale[0], 0.25f);
  EXPECT_EQ(params.scale[3], 1.0f);
  std::vector<float> own(32);
  params.scale = own.data();
  ASSERT_EQ(rknn_matmul_get_quant_params(program.context, &params, &combined), RKNN_SUCC);
  EXPECT_EQ(own[3], 1.0f);
  params.scale_len = 31;
  EXPECT_EQ(rknn_matmul_get_quant_params(program.context, &params, &combined), RKNN_ERR_PARAM_INVALID);
  MatmulProgram other;
  ASSERT_EQ(other.create({9, 1, 32, 32}), RKNN_SUCC);
  EXPECT_EQ(rknn_matmul_get_quant_params(other.context, &params, &combined), RKNN_ERR_PARAM_INVALID);
}

TEST(Matmul, SwitchesBetweenItsShapes) {
  const MatmulCase small{2, 1, 32, 64}, large{2, 40, 64, 64};
  rknn_matmul_info info = large.info();
  rknn_matmul_shape shapes[] = {{40, 64, 64}, {1, 32, 64}};
  rknn_matmul_io_attr io[2];
  MatmulProgram program;
  ASSERT_EQ(rknn_matmul_create_dynamic_shape(&program.context, &info, 2, shapes, io), RKNN_SUCC);
  program.io = io[0];
  EXPECT_EQ(io[1].A.size, 32u);
  rknn_tensor_mem* early = rknn_create_mem(program.context, io[0].A.size);
  EXPECT_EQ(rknn_matmul_set_io_mem(program.context, early, &io[0].A), RKNN_ERR_FAIL);  // no shape yet
  rknn_destroy_mem(program.context, early);
  EXPECT_EQ(rknn_matmul_run(program.context), RKNN_ERR_FAIL);
  rknn_matmul_shape unknown{2, 32, 64};
  EXPECT_EQ(rknn_matmul_set_dynamic_shape(program.context, &unknown), RKNN_ERR_FAIL);
  ASSERT_EQ(rknn_matmul_set_dynamic_shape(program.context, &shapes[0]), RKNN_SUCC);
  program.allocate();
  int index = 0;
  for (MatmulCase c : {large, small, large}) {
    c.seed = static_cast<uint32_t>(++index);
    c.fill();
    rknn_matmul_shape shape{static_cast<int>(c.m), static_cast<int>(c.k), static_cast<int>(c.n)};
    ASSERT_EQ(rknn_matmul_set_dynamic_shape(program.context, &shape), RKNN_SUCC);
    std::memcpy(program.memory[0]->virt_addr, c.a_bytes().data(), c.a_bytes().size());
    std::memcpy(program.memory[1]->virt_addr, c.b_bytes().data(), c.b_bytes().size());
    ASSERT_EQ(rknn_matmul_run(program.context), RKNN_SUCC);
    Bytes result = program.result();
    result.resize(c.c_bytes().size());
    EXPECT_EQ(result, c.c_bytes());
  }
}

TEST(Matmul, ContextsRunAtTheSameTime) {
  std::vector<std::thread> threads;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([seed] {
      MatmulCase c{seed % 2 == 0 ? 2 : 1, 4, 64, 64};
      c.seed = seed;
      c.fill();
      MatmulProgram program;
      EXPECT_EQ(program.create(c), RKNN_SUCC);
      program.allocate();
      EXPECT_EQ(rknn_matmul_set_core_mask(program.context, RKNN_NPU_CORE_0_1), RKNN_SUCC);
      program.write(0, c.a_bytes());
      program.write(1, c.b_bytes());
      for (int run = 0; run < 20; ++run) {
        EXPECT_EQ(rknn_matmul_run(program.context), RKNN_SUCC);
        EXPECT_EQ(program.result(), c.c_bytes());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace openrknn::test
