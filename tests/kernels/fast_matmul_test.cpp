// Fast MatMul rows against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct MatMulShape {
  Shape a, b, y;
  bool constant_b = true;
};
const MatMulShape kMatMulShapes[] = {
    {{1, 64}, {64, 10}, {1, 10}},
    {{49, 33}, {33, 70}, {49, 70}},
    {{2, 13, 20}, {20, 32}, {2, 13, 32}},
    {{2, 3, 17, 16}, {2, 3, 16, 17}, {2, 3, 17, 17}, false},
    {{4, 1, 9, 40}, {3, 40, 33}, {4, 3, 9, 33}, false},
    {{5, 7, 5}, {1, 5, 1}, {5, 7, 1}, true},
    {{3, 6, 5}, {3, 5, 18}, {3, 6, 18}, true},        // a constant for each matrix
    {{2, 9, 30}, {30, 47}, {2, 9, 47}, false},        // one computed matrix for all
    {{196, 64}, {3, 64, 196}, {3, 196, 196}, false},  // one computed left side for all, several tiles
    {{7, 1501}, {1501, 66}, {7, 66}, false},
    {{1, 3}, {3, 1}, {1, 1}, false},
    {{20}, {3, 20, 7}, {3, 7}, false},  // vectors
    {{6, 4, 33}, {33}, {6, 4}},
    {{41}, {41}, {}, false},
    {{30, 1500}, {1500, 40}, {30, 40}},  // several chunks of k
    {{197, 8}, {8, 3}, {197, 3}},
};

int64_t columns_of(const MatMulShape& s) { return s.b.size() == 1 ? 1 : s.b.back(); }

Case base_case(const MatMulShape& s, DType dtype, const std::string& text) {
  Case c;
  c.text = to_string(s.a) + " x " + to_string(s.b) + ' ' + std::string(name(dtype)) + ' ' + text;
  c.node.name = c.node.op = "MatMul";
  c.constant = {false, s.constant_b, true, true};
  c.output = dtype;
  c.output_shape = s.y;
  return c;
}

TEST(FastMatMul, FloatEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const MatMulShape& s : kMatMulShapes) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const char* activation : {"", "Gelu"}) {
        Random random(seed);
        Case c = base_case(s, dtype, std::string(activation) + " seed " + std::to_string(seed));
        ++seed;
        c.inputs = {random.reals(dtype, s.a), random.reals(dtype, s.b)};
        if (*activation) {
          c.node.attributes["activation"] = std::string(activation);
          c.inputs.push_back(random.reals(DType::Float32, {columns_of(s)}));
        }
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}

/// A right side with parameters per column; accumulators that saturate the output now and then.
Case matmul_code_case(const MatMulShape& s, const Law& law, int32_t zero_point, uint32_t seed) {
  Random random(seed);
  Case c = base_case(s, DType::Int8, "zero point " + std::to_string(zero_point) + " seed " + std::to_string(seed));
  const int64_t columns = columns_of(s);
  QuantParams b{std::vector<double>(static_cast<size_t>(columns), 0.01), {}, static_cast<int>(s.b.size()) - 1};
  FixedPoint fixed;
  Tensor bias(DType::Int32, {columns});
  for (int32_t& v : bias.mutable_values<int32_t>()) {
    v = static_cast<int32_t>(random.integer(-30000, 30000));
    b.zero_point.push_back(static_cast<int32_t>(random.integer(-128, 127)));
    fixed.channel.push_back(static_cast<uint16_t>(random.integer(1, 16384)));
  }
  if (s.b.size() == 1) b.axis = -1;
  fixed.scale = {{20000, 24}};
  fixed.low = -128;
  fixed.high = 127;
  c.node.fixed = fixed;
  c.inputs = {random.codes(s.a), random.codes(s.b), bias};
  c.quants = {{{0.1}, {zero_point}}, b, {}, {{0.1}, {-3}}};
  c.law = &law;
  return c;
}

TEST(FastMatMul, InfinitiesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 50;
  for (const MatMulShape& s : kMatMulShapes) {
    Random random(seed);
    Case c = base_case(s, DType::Float32, "infinities seed " + std::to_string(seed));
    ++seed;
    c.inputs = {random.reals(DType::Float32, s.a), random.reals(DType::Float32, s.b)};
    for (float& v : c.inputs[0].mutable_values<float>()) {
      const int64_t kind = random.integer(0, 400);
      if (kind == 0) v = INFINITY;
      if (kind == 1) v = -INFINITY;
      if (kind == 2) v = -0.0f;
    }
    EXPECT_GE(judge(c), 1) << c.text;
  }
}

TEST(FastMatMul, Int8EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 100;
  for (const MatMulShape& s : kMatMulShapes) {
    for (const Law& law : all_laws()) {
      for (const int32_t zero_point : {-128, 127, static_cast<int32_t>(seed % 200) - 100}) {
        EXPECT_GE(judge(matmul_code_case(s, law, zero_point, seed)), 1);
        ++seed;
      }
    }
  }
}
TEST(FastMatMul, Int8OfTwoComputedOperandsEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 400;
  for (const MatMulShape& s : kMatMulShapes) {
    for (const int32_t zero_point : {-128, 0, 127}) {
      Case c = matmul_code_case(s, all_laws()[seed % all_laws().size()], -zero_point - (zero_point < 0), seed);
      ++seed;
      c.inputs.resize(2);
      c.constant = {false, false};
      c.node.fixed->channel.clear();
      c.quants = {c.quants[0], {{0.1}, {zero_point}}, {{0.1}, {5}}};
      EXPECT_GE(judge(c), 1) << c.text;
    }
  }
}
TEST(FastMatMul, Int8ExtremesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  for (const int8_t a : {-128, 127}) {
    for (const int8_t b : {-128, 127}) {
      for (const bool constant : {false, true}) {
        Case c = matmul_code_case({{13, 1001}, {1001, 35}, {13, 35}, constant}, all_laws()[0], a < 0 ? 127 : -128, 1);
        for (int8_t& v : c.inputs[0].mutable_values<int8_t>()) v = a;
        for (int8_t& v : c.inputs[1].mutable_values<int8_t>()) v = b;
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
