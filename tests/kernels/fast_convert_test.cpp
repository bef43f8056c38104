// Fast conversions and functions of one code against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

/// Every code, then some again: rows of odd lengths.
Tensor all_codes(const Shape& shape) {
  Tensor x(DType::Int8, shape);
  int code = -128;
  for (int8_t& v : x.mutable_values<int8_t>()) v = static_cast<int8_t>(code++);
  return x;
}
Case unary_case(const std::string& op, const Tensor& x, DType to) {
  Case c;
  c.text = op + ' ' + std::string(name(x.dtype())) + ' ' + to_string(x.shape()) + " to " + std::string(name(to));
  c.node.name = c.node.op = op;
  c.inputs = {x};
  c.constant = {false};
  c.output = to;
  c.output_shape = x.shape();
  c.quants = {{{0.037}, {-5}}, {{0.061}, {9}}};
  return c;
}
void make_law(Case& c, const Law& law, std::vector<std::pair<int32_t, int>> scales) {
  FixedPoint fixed;
  fixed.scale = std::move(scales);
  fixed.low = -120;
  fixed.high = 125;
  c.node.fixed = fixed;
  c.law = &law;
}

TEST(FastConvert, CodesToAnythingEqualReference) {
  for (const Law& law : all_laws()) {
    for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 257}, Shape{17000}}) {
      for (const DType to : {DType::Float32, DType::Float16, DType::Int8, DType::Int16}) {
        Case c = unary_case("Convert", all_codes(shape), to);
        if (to == DType::Int8) make_law(c, law, {{19000, 15}});
        if (to == DType::Int16) make_law(c, law, {{19000, 6}});
        if (to == DType::Int16) c.node.fixed->low = -32768, c.node.fixed->high = 32000;
        if (is_floating(to)) c.quants.pop_back();
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}
TEST(FastConvert, FloatsToCodesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(1);
  for (const int64_t count : {1, 5, 15, 16, 17, 31, 1025, 20000}) {
    for (const DType from : {DType::Float32, DType::Float16}) {
      for (const double scale : {0.0078125, 0.013, 1.0, 1e-6}) {
        for (const int zero_point : {0, 1, -128, 127, -37}) {
          Tensor x(DType::Float32, {count});
          const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 3e38f, -3e38f, 1e-40f};
          for (int64_t i = 0; i < count; ++i) {
            // Ties, what lies anywhere, and the special ones.
            const double tie = (static_cast<double>(random.integer(-300, 300)) + 0.5) * scale;
            const float any = random.real() * 300.0f * static_cast<float>(scale);
            x.mutable_values<float>()[static_cast<size_t>(i)] = i % 3 == 0   ? static_cast<float>(tie)
                                                                : i % 7 == 1 ? special[i / 7 % 9]
                                                                             : any;
          }
          Case c = unary_case("Convert", cast(x, from), DType::Int8);
          c.quants = {{}, {{scale}, {zero_point}}};
          EXPECT_GE(judge(c), 1);
        }
      }
    }
  }
}

TEST(FastLookup, FunctionsOfCodesEqualReference) {
  Random random(2);
  for (const Law& law : all_laws()) {
    for (const char* op : {"LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "ThresholdedRelu", "Sigmoid", "Tanh",
                           "Softplus", "Softsign", "SiLU", "HardSwish", "Mish", "Gelu"}) {
      Case c = unary_case(op, all_codes({2, 1, 333}), DType::Int8);
      c.inputs.push_back(random.codes({256}));
      c.constant = {false, true};
      c.quants = {c.quants[0], {}, c.quants[1]};
      make_law(c, law, {});
      EXPECT_GE(judge(c), 1);
    }
    for (const char* op : {"Relu", "Clip", "Neg", "Abs"}) {
      Case c = unary_case(op, all_codes({1000}), DType::Int8);
      c.quants[1] = c.quants[0];
      make_law(c, law, {{16384, 14}});
      EXPECT_GE(judge(c), 1);
    }
  }
}
TEST(FastLookup, OneSlopeForAllChannelsIsOneFunction) {
  Random random(3);
  for (const int64_t slopes : {1, 24}) {
    Case c = unary_case("PRelu", all_codes({2, 24, 11}), DType::Int8);
    c.inputs.push_back(random.reals(DType::Float32, {slopes, 1}));
    c.constant = {false, true};
    c.quants = {c.quants[0], {}, c.quants[1]};
    make_law(c, all_laws()[0], {{17000, 15}});
    for (int64_t i = 0; i < slopes; ++i)
      c.node.fixed->slope.push_back(static_cast<int32_t>(random.integer(-9000, 9000)));
    EXPECT_EQ(judge(c) > 0, slopes == 1);
  }
}
TEST(FastLookup, ArithmeticWithAConstantNumberEqualsReference) {
  Random random(4);
  for (const Law& law : all_laws()) {
    for (const char* op : {"Add", "Sub", "Mul", "Max", "Min"}) {
      for (const size_t varying : {0, 1}) {
        Case c = unary_case(op, all_codes({3, 5, 99}), DType::Int8);
        c.inputs.insert(c.inputs.begin() + static_cast<int64_t>(1 - varying), random.codes({1, 1}));
        c.constant = {varying != 0, varying != 1};
        c.quants = {{{0.1}, {3}}, {{0.2}, {-4}}, {{0.3}, {5}}};
        if (c.node.op == "Mul")
          make_law(c, law, {{20000, 21}});
        else if (c.node.op == "Max" || c.node.op == "Min")
          make_law(c, law, {{20000, 15}, {30000, 15}});
        else
          make_law(c, law, {{20000, 0}, {30000, 0}, {25000, 29}});
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
