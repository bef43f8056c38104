// Fast rows that visit every value once, against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

const char* const kFunctions[] = {"Relu",      "Clip",    "LeakyRelu", "Elu",      "Selu",     "Celu", "HardSigmoid",
                                  "HardSwish", "Sigmoid", "Tanh",      "Softplus", "Softsign", "SiLU", "Mish",
                                  "Gelu",      "Erf",     "Exp",       "Log",      "Sqrt"};

/// Values of every size, and the special ones.
Tensor wild_values(Random& random, int64_t count) {
  Tensor x(DType::Float32, {count});
  for (float& v : x.mutable_values<float>()) {
    v = std::ldexp(random.real(), static_cast<int>(random.integer(-40, 12)));
  }
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 3e38f, -3e38f};
  for (size_t i = 0; i < std::size(special); ++i) x.mutable_values<float>()[i * 7] = special[i];
  return x;
}

Case unary_case(const std::string& op, const Tensor& x) {
  Case c;
  c.text = op + ' ' + std::string(name(x.dtype()));
  c.node.name = c.node.op = op;
  c.inputs = {x};
  c.constant = {false};
  c.output = x.dtype();
  c.output_shape = x.shape();
  return c;
}

TEST(FastElementwise, FunctionsEqualReferenceOnEveryKindOfNumber) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(1);
  for (const char* op : kFunctions) {
    const Tensor x = wild_values(random, 2003);
    EXPECT_GE(judge(unary_case(op, x)), 1);
    EXPECT_GE(judge(unary_case(op, random.reals(DType::Float16, {1030}, 4.0f))), 1);
  }
  Case tanh_form = unary_case("Gelu", wild_values(random, 501));
  tanh_form.node.attributes["approximate"] = std::string("tanh");
  EXPECT_GE(judge(tanh_form), 1);
}

TEST(FastElementwise, SoftmaxEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(2);
  for (const int64_t length : {1, 5, 16, 17, 31, 64, 197, 1000}) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      EXPECT_GE(judge(unary_case("Softmax", random.reals(dtype, {3, 2, length}, 5.0f))), 1) << length;
    }
  }
}

TEST(FastElementwise, LayerNormalizationEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(4);
  for (const int64_t length : {1, 7, 16, 100, 192, 771}) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const bool bias : {false, true}) {
        Case c = unary_case("LayerNormalization", random.reals(dtype, {2, 3, length}, 2.0f));
        c.inputs.push_back(random.reals(dtype, {length}));
        if (bias) c.inputs.push_back(random.reals(dtype, {length}));
        c.constant = {false, true, true};
        EXPECT_GE(judge(c), 1) << length;
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
