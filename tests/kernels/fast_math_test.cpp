// core/kernels/math.h and reference/trigonometry.h against double libm over every float exponent and sign, every 4099th
// bit pattern.
#include "core/kernels/math.h"
#include "core/kernels/reference/trigonometry.h"

#include <gtest/gtest.h>

#include <cmath>

namespace openrknn {
namespace {

constexpr double kAny = 1e300;
constexpr float kMaxFloat = 0x1.fffffep127f;

/// Spacing of floats at y.
double ulp_at(double y) {
  if (std::fabs(y) < 0x1p-126) return 0x1p-149;
  int exponent = 0;
  std::frexp(y, &exponent);
  return std::ldexp(1.0, exponent - 24);
}

/// What math.h promises of one function on [low, high]: error in ULP, or error / max(1, |x|).
struct Promise {
  const char* name;
  float (*ours)(float);
  double (*exact)(double);
  double ulps = kAny, absolute = kAny;
  float low = -INFINITY, high = INFINITY;
};

double exact_softplus(double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double exact_gelu_tanh(double x) { return x * 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

const Promise kPromises[] = {
    {"exp", [](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }, 1.1, kAny, -87.0f},
    {"exp subnormal", [](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }, 1.5},
    {"expm1", [](float x) { return math::expm1(x); }, [](double x) { return std::expm1(x); }, 1.5},
    {"log", [](float x) { return math::log(x); }, [](double x) { return std::log(x); }, 0.8},
    {"erf", [](float x) { return math::erf(x); }, [](double x) { return std::erf(x); }, 1.2},
    {"tanh", [](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); }, 2.5},
    {"sin", [](float x) { return math::sin(x); }, [](double x) { return std::sin(x); }, 1.6},
    {"cos", [](float x) { return math::cos(x); }, [](double x) { return std::cos(x); }, 1.6},
    {"tan", reference::tan, [](double x) { return std::tan(x); }, 1.6},
    {"asin", reference::asin, [](double x) { return std::asin(x); }, 0.51},
    {"acos", reference::acos, [](double x) { return std::acos(x); }, 0.51},
    {"atan", reference::atan, [](double x) { return std::atan(x); }, 0.51},
    {"sinh", reference::sinh, [](double x) { return std::sinh(x); }, 0.51},
    {"cosh", reference::cosh, [](double x) { return std::cosh(x); }, 0.51},
    {"asinh", reference::asinh, [](double x) { return std::asinh(x); }, 0.51},
    {"acosh", reference::acosh, [](double x) { return std::acosh(x); }, 0.51},
    {"atanh", reference::atanh, [](double x) { return std::atanh(x); }, 0.51},
    {"sigmoid", [](float x) { return math::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }, 2.5, kAny,
     -87.0f},
    {"sigmoid far below", [](float x) { return math::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); },
     kAny, 1e-37, -INFINITY, -87.0f},
    {"silu", [](float x) { return math::silu(x); }, [](double x) { return x / (1 + std::exp(-x)); }, 2.5, kAny, -87.0f},
    {"silu far below", [](float x) { return math::silu(x); }, [](double x) { return x / (1 + std::exp(-x)); }, kAny,
     3e-37, -kMaxFloat, -87.0f},
    {"gelu_erf", [](float x) { return math::gelu_erf(x); },
     [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }, kAny, 2e-7, -kMaxFloat},
    {"gelu_tanh", [](float x) { return math::gelu_tanh(x); }, exact_gelu_tanh, kAny, 2e-7, -kMaxFloat},
    {"softplus", [](float x) { return math::softplus(x); }, exact_softplus, 3.0},
    {"mish", [](float x) { return math::mish(x); }, [](double x) { return x * std::tanh(exact_softplus(x)); }, 4.0,
     kAny, -87.0f},
    {"hard_swish", [](float x) { return math::hard_swish(x); },
     [](double x) { return x * std::fmax(0.0, std::fmin(1.0, x / 6 + 0.5)); }, kAny, 2e-7, -kMaxFloat},
    {"elu", [](float x) { return math::elu(x, 0.75f); }, [](double x) { return x > 0 ? x : 0.75 * std::expm1(x); },
     2.0},
};

class MathFunction : public testing::TestWithParam<Promise> {};

TEST_P(MathFunction, KeepsItsPromisedErrorEverywhere) {
  const Promise& promise = GetParam();
  for (uint64_t pattern = 0; pattern < (uint64_t{1} << 32); pattern += 4099) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(pattern));
    if (std::isnan(x) || x < promise.low || x > promise.high) continue;
    const double exact = promise.exact(x);
    const float ours = promise.ours(x);
    if (std::isnan(exact)) {
      ASSERT_TRUE(std::isnan(ours)) << promise.name << "(" << x << ")";
    } else if (std::isinf(static_cast<float>(exact))) {
      ASSERT_EQ(ours, static_cast<float>(exact)) << promise.name << "(" << x << ")";
    } else {
      const double error = std::fabs(ours - exact);
      ASSERT_LE(error, promise.ulps * ulp_at(exact)) << promise.name << "(" << x << ")";
      ASSERT_LE(error / std::fmax(1.0, std::fabs(x)), promise.absolute) << promise.name << "(" << x << ")";
    }
  }
}

TEST_P(MathFunction, GivesTheOneQuietNaNForEveryNaN) {
  for (const uint32_t pattern : {0x7fc00000u, 0xffc00000u, 0x7fc12345u, 0xffffffffu, 0x7f800001u}) {
    EXPECT_EQ(std::bit_cast<uint32_t>(GetParam().ours(std::bit_cast<float>(pattern))), 0x7fc00000u) << GetParam().name;
  }
}

std::string case_name(const testing::TestParamInfo<Promise>& row) {
  std::string name = row.param.name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, MathFunction, testing::ValuesIn(kPromises), case_name);

TEST(Math, LimitsAtInfinityAreThoseOfTheFunction) {
  EXPECT_EQ(math::exp(-INFINITY), 0.0f);
  EXPECT_EQ(math::exp(INFINITY), INFINITY);
  EXPECT_EQ(math::log(0.0f), -INFINITY);
  EXPECT_TRUE(std::isnan(math::log(-1.0f)));
  EXPECT_EQ(math::sigmoid(-INFINITY), 0.0f);
  EXPECT_EQ(math::silu(-INFINITY), 0.0f);
  EXPECT_EQ(math::silu(INFINITY), INFINITY);
  EXPECT_EQ(math::gelu_erf(-INFINITY), 0.0f);
  EXPECT_EQ(math::gelu_tanh(-INFINITY), 0.0f);
  EXPECT_EQ(math::mish(-INFINITY), 0.0f);
  EXPECT_EQ(math::hard_swish(-INFINITY), 0.0f);
  EXPECT_EQ(math::elu(-INFINITY, 1.0f), -1.0f);
  EXPECT_TRUE(std::isnan(math::sin(INFINITY)));
}

TEST(Math, OddFunctionsKeepMinusZero) {
  EXPECT_TRUE(std::signbit(math::sin(-0.0f)));
  EXPECT_TRUE(std::signbit(math::tanh(-0.0f)));
  EXPECT_TRUE(std::signbit(math::erf(-0.0f)));
  EXPECT_TRUE(std::signbit(math::expm1(-0.0f)));
  for (float (*function)(float) :
       {reference::tan, reference::asin, reference::atan, reference::sinh, reference::asinh, reference::atanh}) {
    EXPECT_TRUE(std::signbit(function(-0.0f)));
  }
}

}  // namespace
}  // namespace openrknn
