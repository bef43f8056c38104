#include "compiler/quantize/lower_integers.h"

#include "core/kernels/fixed_point.h"
#include "support.h"

namespace openrknn {
namespace {

double value_of(std::pair<int32_t, int> m) { return std::ldexp(m.first, -m.second); }

TEST(MultiplierOf, IsWithinHalfAStepAndInRange) {
  test::Dice dice(5);
  for (int i = 0; i < 20000; ++i) {
    const double factor =
        std::ldexp(1.0 + static_cast<double>(dice.up_to(1 << 24)) / (1 << 24), static_cast<int>(dice.between(-17, 13)));
    const auto m = multiplier_of(factor);
    ASSERT_GE(m.first, 1 << 14) << factor;
    ASSERT_LT(m.first, 1 << 15) << factor;
    ASSERT_GE(m.second, 0);
    ASSERT_LE(m.second, 31);
    ASSERT_LE(std::abs(value_of(m) - factor), std::ldexp(0.5, -m.second)) << factor;
  }
}

// 2^15 would be negative in 16 signed bits: the carry moves to the shift instead.
TEST(MultiplierOf, NeverReachesTwoToTheFifteen) {
  const double almost_one = 1 - std::ldexp(1.0, -20);
  EXPECT_EQ(multiplier_of(almost_one), (std::pair<int32_t, int>(1 << 14, 14)));
  EXPECT_EQ(multiplier_of(1.0), (std::pair<int32_t, int>(1 << 14, 14)));
  EXPECT_EQ(multiplier_of(1 - std::ldexp(1.0, -15)), (std::pair<int32_t, int>(32767, 15)));
}

TEST(MultiplierOf, StopsAtShift31AndAtShift0) {
  EXPECT_EQ(multiplier_of(std::ldexp(1.0, -31)), (std::pair<int32_t, int>(1, 31)));
  EXPECT_EQ(multiplier_of(std::ldexp(1.5, -18)), (std::pair<int32_t, int>(3 << 12, 31)));
  EXPECT_EQ(multiplier_of(20000.0), (std::pair<int32_t, int>(20000, 0)));
  EXPECT_EQ(multiplier_of(32767.9), (std::pair<int32_t, int>(32767, 0)));
  EXPECT_EQ(multiplier_of(1e9), (std::pair<int32_t, int>(32767, 0)));
  EXPECT_EQ(multiplier_of(0), (std::pair<int32_t, int>(0, 0)));
}

QuantParams params(double low, double high) { return params_of_range(low, high, DType::Int8, false); }

struct CurveCase {
  Curve curve;
  double low, high;  // of the output
};
std::vector<CurveCase> curve_cases() {
  const double inf = std::numeric_limits<double>::infinity();
  std::vector<CurveCase> cases;
  for (const double high : {0.01, 0.5, 6.0, 40.0, 900.0}) {
    for (const CurveKind kind : {CurveKind::SiLU, CurveKind::Gelu, CurveKind::GeluTanh, CurveKind::HardSwish,
                                 CurveKind::Mish, CurveKind::Softplus}) {
      cases.push_back({{kind, 0, 0, 0, 0, inf}, -0.2, high});
    }
    cases.push_back({{CurveKind::Elu, 1, 0, 0, 0, inf}, -0.9, high});
  }
  cases.push_back({{CurveKind::Sigmoid}, 0, 1});
  cases.push_back({{CurveKind::Sigmoid}, 0, 0.03});
  cases.push_back({{CurveKind::Tanh}, -1, 1});
  cases.push_back({{CurveKind::HardSigmoid, 0.2, 0.5}, 0, 1});
  return cases;
}

// Every pre-activation, far beyond the table too: the stored table is within one code of the curve itself.
TEST(ActivationTable, IsWithinOneCodeOfTheCurveEverywhere) {
  for (const CurveCase& c : curve_cases()) {
    const QuantParams out = params(c.low, c.high);
    const double limit = pre_activation_limit(c.curve, out), scale = limit / 32768;
    const std::vector<int16_t> table = activation_table(c.curve, limit, out);
    ASSERT_EQ(table.size(), 513u);
    double worst = 0;
    for (int64_t p = -300000; p <= 300000; p += 37) {
      const double real = apply(c.curve, static_cast<double>(p) * scale);
      const double exact = std::clamp(real / out.scale[0] + out.zero_point[0], -128.0, 127.0);
      const int32_t code =
          interpolate_table(table.data(), static_cast<int32_t>(saturate16(p)), out.zero_point[0], -128, 127);
      worst = std::max(worst, std::abs(code - exact));
    }
    // An entry holds at most 256 codes: where the curve is steep, the last interval below the top of the range bends.
    const bool steep = c.curve.kind == CurveKind::Sigmoid && c.high < 0.1;
    EXPECT_LT(worst, steep          ? 2.0
                     : c.high > 500 ? 1.0
                                    : 0.75)
        << "curve " << static_cast<int>(c.curve.kind) << " out " << c.low << ".." << c.high << " limit " << limit;
  }
}

// A network whose output range is much wider than where the curve bends: the limit must still reach the range's end.
TEST(PreActivationLimit, CoversTheOutputRange) {
  const Curve silu{CurveKind::SiLU};
  for (const double high : {0.5, 5.0, 300.0, 1e5}) {
    const double limit = pre_activation_limit(silu, params(-0.28, high));
    EXPECT_GE(limit, high * 0.99);
    EXPECT_LE(limit, std::max(high * 1.3, 32.0));
  }
}

TEST(ClampOf, TurnsReluAndClipIntoCodes) {
  const QuantParams out = params(-2, 6);  // scale 8/255, zero point -64
  EXPECT_EQ(clamp_of(Curve{CurveKind::Relu, 0, 0, 0, 0, INFINITY}, out).low, out.zero_point[0]);
  EXPECT_EQ(clamp_of(Curve{CurveKind::Relu, 0, 0, 0, 0, INFINITY}, out).high, 127);
  const CodeClamp clip = clamp_of(Curve{CurveKind::Clip, 0, 0, 0, -1, 3}, out);
  EXPECT_EQ(clip.low, -96);
  EXPECT_EQ(clip.high, 32);
  EXPECT_EQ(clamp_of(std::nullopt, out).low, -128);
}

}  // namespace
}  // namespace openrknn
