// Fast pools and reductions against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct PoolShape {
  Shape x, y;
  std::vector<int64_t> kernel, strides, pads;
};
const PoolShape kPools[] = {
    {{1, 12, 12, 64}, {1, 6, 6, 64}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {{2, 7, 9, 5}, {2, 6, 8, 5}, {2, 2}, {1, 1}, {0, 0, 0, 0}},
    {{1, 8, 8, 131}, {1, 8, 8, 131}, {5, 5}, {1, 1}, {2, 2, 2, 2}},
    {{1, 4, 4, 33}, {1, 6, 6, 33}, {2, 2}, {1, 1}, {2, 2, 1, 1}},  // the first window lies in the padding altogether
    {{1, 3, 25, 96}, {1, 1, 12, 96}, {3, 2}, {3, 2}, {0, 0, 0, 0}},
};

Case unary_case(const std::string& op, const Tensor& x, const Shape& y) {
  Case c;
  c.text = op + ' ' + std::string(name(x.dtype())) + ' ' + to_string(x.shape());
  c.node.name = c.node.op = op;
  c.inputs = {x};
  c.constant = {false};
  c.output = x.dtype();
  c.output_shape = y;
  return c;
}
Case pool_case(const std::string& op, const Tensor& x, const PoolShape& s) {
  Case c = unary_case(op, x, s.y);
  c.layout = Layout::ChannelsLast;
  if (op.starts_with("Global")) {
    c.output_shape = {s.x[0], 1, 1, s.x[3]};
    return c;
  }
  c.node.attributes["kernel_shape"] = s.kernel;
  c.node.attributes["strides"] = s.strides;
  c.node.attributes["pads"] = s.pads;
  return c;
}
/// `scales` multipliers around 1 / `divisor`.
void make_law(Case& c, Random& random, const Law& law, int scales, int64_t divisor) {
  const auto zero = [&] { return static_cast<int32_t>(random.integer(-128, 127)); };
  c.quants = {{{0.1}, {zero()}}, {{0.1}, {zero()}}};
  FixedPoint fixed;
  int shift = 14;
  for (; divisor > 1; divisor /= 2) ++shift;
  for (int i = 0; i < scales; ++i) {
    fixed.scale.push_back({static_cast<int32_t>(random.integer(16384, 32767)), std::min(shift, 31)});
  }
  fixed.low = static_cast<int32_t>(random.integer(-128, -110));
  fixed.high = static_cast<int32_t>(random.integer(110, 127));
  c.node.fixed = fixed;
  c.law = &law;
}

TEST(FastPool, FloatsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(5);
  for (const PoolShape& s : kPools) {
    for (const char* op : {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}) {
      for (const DType dtype : {DType::Float32, DType::Float16}) {
        for (const int64_t count_padding : {0, 1}) {
          Case c = pool_case(op, random.reals(dtype, s.x), s);
          // A window of padding alone divides 0 by 0, whose NaN has the sign the CPU likes.
          if (c.node.op == "AveragePool" && s.pads[0] == s.kernel[0] && count_padding == 0) continue;
          c.node.attributes["count_include_pad"] = count_padding;
          EXPECT_GE(judge(c), 1);
        }
      }
    }
  }
}
TEST(FastPool, SpecialFloatsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(6);
  const PoolShape& s = kPools[0];
  Tensor x = random.reals(DType::Float32, s.x);
  const float special[] = {INFINITY, -0.0f, 1e-40f, 6e-8f, 65504.0f, 3e38f, NAN};
  for (size_t i = 0; i < 70; ++i) x.mutable_values<float>()[i * 101] = special[i % std::size(special)];
  for (const char* op : {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}) {
    for (const DType dtype : {DType::Float32, DType::Float16}) EXPECT_GE(judge(pool_case(op, cast(x, dtype), s)), 1);
  }
}
TEST(FastPool, MaximumOfCodesEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(7);
  for (const PoolShape& s : kPools) {
    Case c = pool_case("MaxPool", random.codes(s.x), s);
    c.quants = {{{0.1}, {3}}, {{0.1}, {3}}};
    EXPECT_GE(judge(c), 1);
  }
}
TEST(FastPool, AverageOfCodesEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(8);
  for (const Law& law : all_laws()) {
    for (const PoolShape& s : kPools) {
      for (const int64_t count_padding : {0, 1}) {
        const int64_t taps = s.kernel[0] * s.kernel[1];
        for (const int64_t scales : {int64_t{1}, taps}) {
          Case c = pool_case("AveragePool", random.codes(s.x), s);
          c.node.attributes["count_include_pad"] = count_padding;
          make_law(c, random, law, static_cast<int>(scales), taps);
          EXPECT_GE(judge(c), 1);
        }
      }
    }
  }
}

/// Which dimensions go: one run of them, wherever it lies.
struct Reduction {
  Shape x;
  std::vector<int64_t> axes;
};
TEST(FastReduce, CodesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  const Reduction reductions[] = {{{2, 9, 7, 40}, {1, 2}}, {{1, 60, 60, 16}, {1, 2}},
                                  {{3, 197, 192}, {1}},    {{2, 3, 1000}, {2}},
                                  {{5, 63}, {1}},          {{5, 64}, {0}},
                                  {{7, 1, 3}, {1}},        {{4, 2, 300}, {0, 1}},
                                  {{3, 5, 2, 1}, {1, 2}},  {{2, 4, 1, 700}, {1, 2}},
                                  {{130, 2}, {0, 1}},      {{1, 1, 1}, {2}}};
  Random random(9);
  for (const Law& law : all_laws()) {
    for (const Reduction& r : reductions) {
      Shape y = r.x;
      int64_t count = 1;
      for (const int64_t axis : r.axes) {
        count *= y[static_cast<size_t>(axis)];
        y[static_cast<size_t>(axis)] = 1;
      }
      for (const char* op : {"ReduceMean", "ReduceSum"}) {
        Case c = unary_case(op, random.codes(r.x), y);
        c.node.attributes["axes"] = r.axes;
        make_law(c, random, law, 1, count);
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}
TEST(FastReduce, GlobalAverageOfCodesEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(10);
  for (const Law& law : all_laws()) {
    for (const PoolShape& s : kPools) {
      Case c = pool_case("GlobalAveragePool", random.codes(s.x), s);
      make_law(c, random, law, 1, s.x[1] * s.x[2]);
      EXPECT_GE(judge(c), 1);
      // Saturated everywhere: the largest sums.
      for (int8_t& v : c.inputs[0].mutable_values<int8_t>()) v = 127;
      c.quants[0].zero_point = {-128};
      EXPECT_GE(judge(c), 1);
    }
  }
}
TEST(FastReduce, KeptDimensionsBetweenReducedOnesAreLeftToTheReference) {
  Random random(11);
  Case c = unary_case("ReduceMean", random.codes({4, 5, 6}), {1, 5, 1});
  c.node.attributes["axes"] = std::vector<int64_t>{0, 2};
  make_law(c, random, all_laws()[0], 1, 24);
  EXPECT_EQ(judge(c), 0);
}

}  // namespace
}  // namespace openrknn
