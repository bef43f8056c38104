// Fast arithmetic of two operands against the reference, byte for byte: laws, saturation, every form of broadcasting.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

/// Shapes of the operands and of what they broadcast to: one element, rows, vectors of every awkward length.
struct Form {
  Shape a, b, y;
};
const Form kForms[] = {
    {{1}, {1}, {1}},
    {{17}, {17}, {17}},
    {{2, 5, 7, 24}, {2, 5, 7, 24}, {2, 5, 7, 24}},
    {{40, 1000}, {40, 1000}, {40, 1000}},  // several tiles
    {{3, 7000}, {}, {3, 7000}},            // a scalar
    {{1, 1, 1}, {2, 3, 41}, {2, 3, 41}},   // … in front
    {{2, 5, 7, 24}, {24}, {2, 5, 7, 24}},  // one per channel
    {{1, 1, 1, 3}, {1, 90, 90, 3}, {1, 90, 90, 3}},
    {{5, 1025}, {1, 1025}, {5, 1025}},  // rows that fill a chunk
    {{3, 1023}, {1023}, {3, 1023}},
    {{2, 30, 30, 40}, {2, 1, 1, 40}, {2, 30, 30, 40}},  // squeeze and excite
    {{2, 1, 1, 40}, {2, 30, 30, 40}, {2, 30, 30, 40}},
    {{2, 31, 9, 16}, {2, 31, 9, 1}, {2, 31, 9, 16}},  // one per pixel
    {{200, 1}, {200, 333}, {200, 333}},
    {{3, 1}, {3, 1500}, {3, 1500}},
    {{13, 1}, {1, 29}, {13, 29}},  // row times column
    {{1, 2000}, {5, 1}, {5, 2000}},
    {{4, 1, 6, 1}, {1, 5, 1, 7}, {4, 5, 6, 7}},
    {{2, 3, 1, 5}, {2, 1, 4, 5}, {2, 3, 4, 5}},
};

Case pair_case(const std::string& op, const Tensor& a, const Tensor& b, const Shape& y) {
  Case c;
  c.text = op + ' ' + std::string(name(a.dtype())) + ' ' + to_string(a.shape()) + ' ' + to_string(b.shape());
  c.node.name = c.node.op = op;
  c.inputs = {a, b};
  c.constant = {false, false};
  c.output = a.dtype();
  c.output_shape = y;
  return c;
}
/// Parameters and integers as lower() makes them, at random.
void make_law(Case& c, Random& random, const Law& law) {
  const auto zero = [&] { return static_cast<int32_t>(random.integer(-128, 127)); };
  const auto multiplier = [&] { return static_cast<int32_t>(random.integer(16384, 32767)); };
  c.quants = {{{0.1}, {zero()}}, {{0.2}, {zero()}}, {{0.3}, {zero()}}};
  FixedPoint fixed;
  if (c.node.op == "Mul")
    fixed.scale = {{multiplier(), static_cast<int32_t>(random.integer(19, 24))}};
  else if (c.node.op == "Add" || c.node.op == "Sub")
    fixed.scale = {{multiplier(), 0}, {multiplier(), 0}, {multiplier(), static_cast<int32_t>(random.integer(28, 31))}};
  else
    fixed.scale = {{multiplier(), 15}, {multiplier(), static_cast<int32_t>(random.integer(13, 16))}};
  fixed.low = static_cast<int32_t>(random.integer(-128, -100));
  fixed.high = static_cast<int32_t>(random.integer(100, 127));
  c.node.fixed = fixed;
  c.law = &law;
}

const char* const kCodeOps[] = {"Add", "Sub", "Mul", "Max", "Min"};
const char* const kFloatOps[] = {"Add", "Sub", "Mul", "Div", "Max", "Min"};

TEST(FastBinary, EveryPairOfCodesEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Tensor a(DType::Int8, {256, 256}), b(DType::Int8, {256, 256});
  for (int i = 0; i < 65536; ++i) {
    a.mutable_values<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i / 256 - 128);
    b.mutable_values<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i % 256 - 128);
  }
  uint32_t seed = 10;
  for (const char* op : kCodeOps) {
    for (const Law& law : all_laws()) {
      for (int repeat = 0; repeat < 3; ++repeat) {
        Random random(seed);
        Case c = pair_case(op, a, b, a.shape());
        c.text += " seed " + std::to_string(seed++);
        make_law(c, random, law);
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}
TEST(FastBinary, TiesOfCodesRoundToEven) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(20);
  for (const char* op : kCodeOps) {
    for (const Law& law : all_laws()) {
      for (const int zero_point : {0, 1, -7}) {
        Case c = pair_case(op, random.codes({4096}), random.codes({4096}), {4096});
        c.quants = {{{0.1}, {0}}, {{0.1}, {3}}, {{0.2}, {zero_point}}};
        FixedPoint fixed;  // every other result lies half way between two codes
        if (c.node.op == "Mul")
          fixed.scale = {{1 << 14, 15}};
        else if (c.node.op == "Max" || c.node.op == "Min")
          fixed.scale = {{1 << 14, 15}, {1 << 14, 16}};
        else
          fixed.scale = {{1 << 14, 0}, {1 << 14, 0}, {1 << 14, 29}};
        c.node.fixed = fixed;
        c.law = &law;
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}
TEST(FastBinary, BroadcastCodesEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(30);
  for (const char* op : kCodeOps) {
    for (const Form& form : kForms) {
      Case c = pair_case(op, random.codes(form.a), random.codes(form.b), form.y);
      make_law(c, random, all_laws()[static_cast<size_t>(random.integer(0, 1)) % all_laws().size()]);
      EXPECT_GE(judge(c), 1);
    }
  }
}
TEST(FastBinary, MultipliersBeyondTheExactRangeAreLeftToTheReference) {
  Random random(31);
  Case c = pair_case("Mul", random.codes({5}), random.codes({5}), {5});
  make_law(c, random, all_laws()[0]);
  c.node.fixed->scale = {{1 << 20, 25}};
  EXPECT_EQ(judge(c), 0);
}
TEST(FastBinary, OperandsThatRoundBeforeTheyAreAddedAreLeftToTheReference) {
  Random random(32);
  Case c = pair_case("Add", random.codes({5}), random.codes({5}), {5});
  make_law(c, random, all_laws()[0]);
  c.node.fixed->scale[1].second = 3;
  EXPECT_EQ(judge(c), 0);
}

TEST(FastBinary, BroadcastFloatsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(40);
  for (const char* op : kFloatOps) {
    for (const Form& form : kForms) {
      for (const DType dtype : {DType::Float32, DType::Float16}) {
        Case c = pair_case(op, random.reals(dtype, form.a, 3.0f), random.reals(dtype, form.b, 3.0f), form.y);
        EXPECT_GE(judge(c), 1);
        c.node.attributes["activation"] = std::string("Sigmoid");
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}
TEST(FastBinary, SpecialFloatsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  const float special[] = {0.0f,  -0.0f, 1.0f,   -1.0f,    INFINITY,  -INFINITY, 1e-40f, -1e-40f,
                           6e-8f, 3e38f, -3e38f, 65504.0f, -65504.0f, 1.5f,      3e-5f,  NAN};
  const int64_t count = std::size(special);
  Tensor a(DType::Float32, {count, 1}), b(DType::Float32, {1, count});
  for (int64_t i = 0; i < count; ++i) {
    a.mutable_values<float>()[static_cast<size_t>(i)] = b.mutable_values<float>()[static_cast<size_t>(i)] = special[i];
  }
  for (const char* op : kFloatOps) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const char* activation : {"", "Relu", "Clip"}) {
        Case c = pair_case(op, cast(a, dtype), cast(b, dtype), {count, count});
        if (*activation != 0) c.node.attributes["activation"] = std::string(activation);
        c.node.attributes["activation_max"] = 6.0;
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
