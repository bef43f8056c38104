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
const MatMulShape kShapes[] = {
    {{1, 64}, {64, 10}, {1, 10}},
    {{49, 33}, {33, 70}, {49, 70}},
    {{2, 13, 20}, {20, 32}, {2, 13, 32}},
    {{2, 3, 17, 16}, {2, 3, 16, 17}, {2, 3, 17, 17}, false},
    {{4, 1, 9, 40}, {3, 40, 33}, {4, 3, 9, 33}, false},
    {{5, 7, 5}, {1, 5, 1}, {5, 7, 1}, true},
    {{30, 1500}, {1500, 40}, {30, 40}},  // several chunks of k
    {{197, 8}, {8, 3}, {197, 3}},
};

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
  for (const MatMulShape& s : kShapes) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const char* activation : {"", "Gelu"}) {
        Random random(seed);
        Case c = base_case(s, dtype, std::string(activation) + " seed " + std::to_string(seed));
        ++seed;
        c.inputs = {random.reals(dtype, s.a), random.reals(dtype, s.b)};
        if (*activation) {
          c.node.attributes["activation"] = std::string(activation);
          c.inputs.push_back(random.reals(DType::Float32, {s.b.back()}));
        }
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}

TEST(FastMatMul, Int8EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 100;
  for (const MatMulShape& s : kShapes) {
    if (s.b.size() != 2) continue;
    for (const Law& law : all_laws()) {
      Random random(seed);
      Case c = base_case(s, DType::Int8, "seed " + std::to_string(seed));
      ++seed;
      const int64_t columns = s.b.back();
      QuantParams b{std::vector<double>(static_cast<size_t>(columns), 0.01), {}, 1};
      FixedPoint fixed;
      Tensor bias(DType::Int32, {columns});
      for (int32_t& v : bias.mutable_values<int32_t>()) {
        v = static_cast<int32_t>(random.integer(-30000, 30000));
        b.zero_point.push_back(static_cast<int32_t>(random.integer(-128, 127)));
        fixed.channel.push_back(static_cast<uint16_t>(random.integer(1, 16384)));
      }
      fixed.scale = {{20000, 24}};
      fixed.low = -128;
      fixed.high = 127;
      c.node.fixed = fixed;
      c.inputs = {random.codes(s.a), random.codes(s.b), bias};
      c.quants = {{{0.1}, {static_cast<int32_t>(random.integer(-128, 127))}}, b, {}, {{0.1}, {-3}}};
      c.law = &law;
      EXPECT_GE(judge(c), 1) << c.text;
    }
  }
}

}  // namespace
}  // namespace openrknn
