// Fast QuantizeLinear and DequantizeLinear rows against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct LinearShape {
  Shape x, parameters;
  int64_t axis = 0, block = 0;
};
const LinearShape kLinearShapes[] = {
    {{1}, {}},
    {{3, 5, 7}, {}},
    {{20000}, {}},
    {{2, 7, 33}, {7}, 1},
    {{5, 43}, {43}, 1},      // scales lie along the elements
    {{3, 1500}, {1500}, 1},  // and do not fit one stretch
    {{2, 6, 35}, {2, 3, 35}, 1, 2},
    {{4, 10}, {4, 3}, 1, 4},
    {{40, 500}, {500}, 1},  // tiles begin in the middle of a row
};
constexpr DType kCodeTypes[] = {DType::Int8, DType::UInt8, DType::Int16, DType::UInt16};

int64_t any_code(Random& random, DType dtype) {
  return random.integer(static_cast<int64_t>(lowest_code(dtype)), static_cast<int64_t>(highest_code(dtype)));
}
Tensor codes_of(Random& random, DType dtype, const Shape& shape) {
  Tensor x(DType::Int32, shape);
  for (int32_t& v : x.mutable_values<int32_t>()) v = static_cast<int32_t>(any_code(random, dtype));
  return cast(x, dtype);
}
Case linear_case(Random& random, const std::string& op, const LinearShape& s, DType codes, bool zero_point,
                 float scale) {
  Case c;
  c.text = op + ' ' + to_string(s.x) + ' ' + to_string(s.parameters) + ' ' + std::string(name(codes)) + " scale " +
           std::to_string(scale) + (zero_point ? " zero point" : "");
  c.node.name = c.node.op = op;
  if (!s.parameters.empty()) c.node.attributes["axis"] = s.axis;
  if (s.block != 0) c.node.attributes["block_size"] = s.block;
  Tensor scales(DType::Float32, s.parameters);
  for (float& v : scales.mutable_values<float>())
    v = scale * (1.0f + static_cast<float>(random.integer(0, 100)) * 0.01f);
  c.inputs = {{}, scales};
  if (zero_point) c.inputs.push_back(codes_of(random, codes, s.parameters));
  c.constant.assign(c.inputs.size(), false);
  c.output_shape = s.x;
  return c;
}

TEST(FastQuantizeLinear, EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(1);
  for (const LinearShape& s : kLinearShapes) {
    for (const DType to : kCodeTypes) {
      for (const DType from : {DType::Float32, DType::Float16}) {
        for (const float scale : {0.5f, 0.013f, 1e-6f, -0.25f, 0.0f, INFINITY}) {
          Case c = linear_case(random, "QuantizeLinear", s, to, random.integer(0, 3) != 0, scale);
          Tensor x(DType::Float32, s.x);
          const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 3e38f, -3e38f, 1e-40f};
          for (float& v : x.mutable_values<float>()) {
            const int64_t kind = random.integer(0, 3);
            const float tie = static_cast<float>(random.integer(-300, 300)) + 0.5f;  // of scale 0.5, if nothing else
            v = kind == 0 ? special[random.integer(0, 8)] : kind == 1 ? tie * 0.5f : random.real() * 300.0f;
          }
          c.inputs[0] = cast(x, from);
          c.output = to;
          c.node.attributes["to"] = static_cast<int64_t>(to);
          EXPECT_GE(judge(c), 1) << c.text;
        }
      }
    }
  }
}
TEST(FastDequantizeLinear, EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(2);
  for (const LinearShape& s : kLinearShapes) {
    for (const DType from : kCodeTypes) {
      for (const DType to : {DType::Float32, DType::Float16}) {
        Case c = linear_case(random, "DequantizeLinear", s, from, random.integer(0, 3) != 0, 0.037f);
        c.inputs[0] = codes_of(random, from, s.x);
        c.output = to;
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}
TEST(FastDequantizeLinear, SumsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(3);
  for (const LinearShape& s : kLinearShapes) {
    Case c = linear_case(random, "DequantizeLinear", s, DType::Int32, false, 0.001f);
    Tensor x(DType::Int32, s.x);
    for (int32_t& v : x.mutable_values<int32_t>()) v = static_cast<int32_t>(random.integer(INT32_MIN, INT32_MAX));
    c.inputs[0] = x;
    EXPECT_GE(judge(c), 1) << c.text;
  }
}

}  // namespace
}  // namespace openrknn
