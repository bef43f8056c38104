// Fast MatMul and Conv rows on integers that stand for themselves, byte for byte. Numbers that are codes and a shift
// take the products of bytes; others must come out right all the same.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

/// Numbers low … high, moved by `shift`.
Tensor integers(Random& random, DType dtype, const Shape& shape, int64_t low, int64_t high, int64_t shift) {
  Tensor x(dtype, shape);
  auto* values = reinterpret_cast<int32_t*>(x.mutable_bytes().data());
  for (int64_t i = 0; i < x.size(); ++i) {
    values[i] = static_cast<int32_t>(static_cast<uint32_t>(random.integer(low, high) + shift));
  }
  return x;
}
struct IntegerRange {
  int64_t low = 0, high = 255, shift = 0;
};
constexpr IntegerRange kCodeRanges[] = {
    {-128, 127},         {0, 255},     {0, 255, -255}, {0, 255, -130}, {0, 255, INT32_MAX - 255},
    {0, 255, INT32_MIN}, {0, 0, 70000}};
constexpr IntegerRange kWideRanges[] = {{0, 256}, {-40000, 40000}, {INT32_MIN, INT32_MAX}};

struct IntegerMatMulShape {
  Shape a, b, y;
};
const IntegerMatMulShape kIntegerMatMulShapes[] = {
    {{1, 64}, {64, 10}, {1, 10}},
    {{97, 33}, {33, 70}, {97, 70}},
    {{2, 13, 20}, {20, 300}, {2, 13, 300}},  // two blocks of columns
    {{2, 3, 17, 16}, {2, 3, 16, 17}, {2, 3, 17, 17}},
    {{4, 1, 9, 40}, {3, 40, 33}, {4, 3, 9, 33}},
    {{20}, {3, 20, 7}, {3, 7}},
    {{6, 4, 33}, {33}, {6, 4}},
    {{41}, {41}, {}},
    {{30, 1501}, {1501, 40}, {30, 40}},  // several chunks of k
    {{1, 1}, {1, 1}, {1, 1}},
};

Case matmul_case(const IntegerMatMulShape& s, DType dtype, const IntegerRange& a, const IntegerRange& b,
                 bool constant_b, uint32_t seed) {
  Random random(seed);
  Case c;
  c.text = to_string(s.a) + " x " + to_string(s.b) + ' ' + std::string(name(dtype)) + (constant_b ? " constant" : "") +
           " a " + std::to_string(a.low + a.shift) + " b " + std::to_string(b.low + b.shift) + " seed " +
           std::to_string(seed);
  c.node.name = c.node.op = "MatMul";
  c.inputs = {integers(random, dtype, s.a, a.low, a.high, a.shift),
              integers(random, dtype, s.b, b.low, b.high, b.shift)};
  c.constant = {false, constant_b};
  c.output = dtype;
  c.output_shape = s.y;
  if (seed % 2 == 0) {
    c.inputs.push_back(integers(random, dtype, {s.b.size() == 1 ? 1 : s.b.back()}, INT32_MIN, INT32_MAX, 0));
    c.constant.push_back(seed % 4 == 0);
  }
  return c;
}

TEST(FastIntegerMatMul, EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const IntegerMatMulShape& s : kIntegerMatMulShapes) {
    for (const IntegerRange& a : kCodeRanges) {
      for (const IntegerRange& b : kCodeRanges) {
        ++seed;
        const DType dtype = seed % 3 == 0 ? DType::UInt32 : DType::Int32;
        EXPECT_GE(judge(matmul_case(s, dtype, a, b, seed % 5 < 3, seed)), 1);
      }
    }
  }
}
TEST(FastIntegerMatMul, NumbersThatAreNoCodesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1000;
  for (const IntegerMatMulShape& s : kIntegerMatMulShapes) {
    for (const IntegerRange& wide : kWideRanges) {
      EXPECT_GE(judge(matmul_case(s, DType::Int32, wide, kCodeRanges[1], true, ++seed)), 1);
      EXPECT_GE(judge(matmul_case(s, DType::Int32, wide, kCodeRanges[1], false, ++seed)), 1);
      EXPECT_GE(judge(matmul_case(s, DType::Int32, kCodeRanges[1], wide, false, ++seed)), 1);
      EXPECT_GE(judge(matmul_case(s, DType::Int32, wide, wide, false, ++seed)), 1);
    }
  }
}
TEST(FastIntegerMatMul, RowsWithZeroPointsOfTheirOwnEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Case c = matmul_case({{29, 65}, {65, 40}, {29, 40}}, DType::Int32, kCodeRanges[1], kCodeRanges[0], true, 1);
  Random random(2);
  int32_t* values = c.inputs[0].mutable_values<int32_t>().data();
  for (int64_t row = 0; row < 29; ++row) {
    const int64_t zero_point = random.integer(0, 255);
    for (int64_t k = 0; k < 65; ++k) values[row * 65 + k] -= static_cast<int32_t>(zero_point);
    if (row % 7 == 3) values[row * 65 + row] = 100000;  // this row is no codes
  }
  EXPECT_GE(judge(c), 1);
}

struct IntegerConvShape {
  Shape x, w, y;  // x and y channels last
  std::vector<int64_t> strides, pads, dilations;
  int64_t group = 1;
};
const IntegerConvShape kIntegerConvShapes[] = {
    {{1, 9, 11, 5}, {17, 5, 3, 3}, {1, 9, 11, 17}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
    {{2, 14, 14, 64}, {70, 64, 1, 1}, {2, 14, 14, 70}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
    {{1, 12, 13, 8}, {12, 4, 3, 2}, {1, 5, 8, 12}, {2, 2}, {0, 2, 1, 1}, {1, 1}, 2},
    {{1, 12, 12, 3}, {33, 3, 5, 5}, {1, 6, 6, 33}, {1, 1}, {1, 1, 1, 1}, {2, 2}},
    {{3, 40, 6}, {9, 6, 3}, {3, 40, 9}, {1}, {1, 1}, {1}},
    {{1, 4, 5, 6, 7}, {8, 7, 2, 3, 3}, {1, 5, 5, 6, 8}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 1}},
};

TEST(FastIntegerConv, EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const IntegerConvShape& s : kIntegerConvShapes) {
    for (const IntegerRange& x :
         {kCodeRanges[0], kCodeRanges[1], kCodeRanges[3], IntegerRange{100, 255, 0}, kWideRanges[0], kWideRanges[2]}) {
      Random random(++seed);
      const IntegerRange& w = kCodeRanges[seed % 4];
      Case c;
      c.text = to_string(s.x) + " * " + to_string(s.w) + " seed " + std::to_string(seed);
      c.node.name = c.node.op = "Conv";
      c.node.attributes = {{"kernel_shape", std::vector<int64_t>(s.w.begin() + 2, s.w.end())},
                           {"strides", s.strides},
                           {"pads", s.pads},
                           {"dilations", s.dilations},
                           {"group", s.group}};
      c.inputs = {integers(random, DType::Int32, s.x, x.low, x.high, x.shift),
                  integers(random, DType::Int32, s.w, w.low, w.high, w.shift)};
      c.constant = {false, true};
      if (seed % 2 == 0) {
        c.inputs.push_back(integers(random, DType::Int32, {s.w[0]}, INT32_MIN, INT32_MAX, 0));
        c.constant.push_back(true);
      }
      c.layout = Layout::ChannelsLast;
      c.output = DType::Int32;
      c.output_shape = s.y;
      EXPECT_GE(judge(c), 1) << c.text;
    }
  }
}

}  // namespace
}  // namespace openrknn
