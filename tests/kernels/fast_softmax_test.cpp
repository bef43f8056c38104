// Softmax along any dimension, rows short and long, against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct AxisShape {
  Shape shape;
  int64_t axis;
};
const AxisShape kAxisShapes[] = {
    {{1, 5}, 0},          {{3, 1, 7}, 1},  {{7, 3}, 0},     {{2, 16, 100}, 1}, {{1, 4, 16, 70}, 2}, {{5, 17, 64}, 1},
    {{2, 1000, 3, 5}, 1}, {{19, 2, 2}, 0}, {{3, 40, 2}, 1}, {{3000, 2}, 1},    {{7, 1}, 1},         {{5, 3, 7}, 2},
    {{100, 16}, 1},       {{33, 9}, 1},    {{40, 13}, 1},   {{9, 17}, 1},      {{6, 197}, 1}};

Case axis_case(const AxisShape& s, Tensor x) {
  Case c;
  c.text = to_string(s.shape) + " along " + std::to_string(s.axis) + ' ' + std::string(name(x.dtype()));
  c.node.name = c.node.op = "Softmax";
  c.node.attributes["axis"] = s.axis;
  c.output = x.dtype();
  c.output_shape = s.shape;
  c.inputs = {std::move(x)};
  c.constant = {false};
  return c;
}

/// LogSoftmax has rows along contiguous axes.
void judge_both(Case c, bool contiguous) {
  EXPECT_GE(judge(c), 1) << c.text;
  c.node.op = "LogSoftmax";
  if (contiguous) {
    EXPECT_GE(judge(c), 1) << c.text;
  }
}
bool is_contiguous(const AxisShape& s) {
  const Shape inner(s.shape.begin() + s.axis + 1, s.shape.end());
  return element_count(inner) == 1;
}

TEST(FastSoftmax, EveryAxisEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const AxisShape& s : kAxisShapes) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const float scale : {1.0f, 60.0f}) {  // 60: terms vanish, some as subnormals
        Random random(seed++);
        judge_both(axis_case(s, random.reals(dtype, s.shape, scale)), is_contiguous(s));
      }
    }
  }
}
TEST(FastSoftmax, MaskedAndInvalidValuesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 100;
  for (const AxisShape& s : kAxisShapes) {
    Random random(seed++);
    Tensor x = random.reals(DType::Float32, s.shape, 3.0f);
    for (float& v : x.mutable_values<float>()) {
      const int64_t kind = random.integer(0, 60);
      if (kind < 20) v = -INFINITY;
      if (kind == 20) v = NAN;
      if (kind == 21) v = INFINITY;
      if (kind == 22) v = -0.0f;
    }
    judge_both(axis_case(s, x), is_contiguous(s));
    judge_both(axis_case(s, cast(x, DType::Float16)), is_contiguous(s));
  }
}

}  // namespace
}  // namespace openrknn
