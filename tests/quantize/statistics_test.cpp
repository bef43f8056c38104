#include <algorithm>
#include <cmath>

#include "support.h"
#include "support/special_numbers.h"

namespace openrknn {
namespace {

using test::Dice;
using test::kInfinity;

std::vector<float> ramp(int64_t count, float low, float step) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(low + step * static_cast<float>(i));
  return values;
}

TEST(Statistics, HoldsTheExtremesAndWhoShowedThem) {
  Statistics s;
  s.observe(7, ramp(1000, -3.0f, 0.01f));
  s.observe(2, ramp(33, 0.0f, 1.0f));
  s.observe(9, std::vector<float>{32.0f});
  EXPECT_EQ(s.samples, 3);
  EXPECT_EQ(s.elements, 1034);
  EXPECT_EQ(s.lowest, -3.0f);
  EXPECT_EQ(s.lowest_sample, 7);
  EXPECT_EQ(s.highest, 32.0f);
  EXPECT_EQ(s.highest_sample, 2) << "of two samples with the same extreme the first one is named";
}

TEST(Statistics, DoesNotDependOnOrderOrGrouping) {
  Dice dice(3);
  std::vector<Statistics> each(20);
  for (size_t i = 0; i < each.size(); ++i) {
    const Tensor t = test::uniform_tensor(dice, {dice.between(1, 300)}, -1, static_cast<double>(i % 5));
    each[i].observe(static_cast<int64_t>(i), t);
  }
  Statistics forward, backward, halves[2];
  for (size_t i = 0; i < each.size(); ++i) {
    forward.merge(each[i]);
    backward.merge(each[each.size() - 1 - i]);
    halves[i % 2].merge(each[i]);
  }
  halves[1].merge(halves[0]);
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward.bytes(), backward.bytes());
  EXPECT_EQ(forward, halves[1]);
}

TEST(Statistics, CountsWhatIsNotFiniteAndLeavesItOutOfTheRange) {
  for (const size_t bad : {size_t{0}, size_t{17}, size_t{4999}}) {
    std::vector<float> values = ramp(5000, -1.0f, 0.0001f);
    values[bad] = bad == 17 ? kInfinity : std::nanf("");
    Statistics s;
    s.observe(4, std::vector<float>{0.5f});
    s.observe(6, values);
    EXPECT_EQ(s.not_finite, 1);
    EXPECT_EQ(s.not_finite_sample, 6);
    EXPECT_LE(s.highest, 0.5f);
    EXPECT_GE(s.lowest, -1.0f);
  }
  Statistics nothing;
  nothing.observe(0, std::vector<float>{kInfinity, -kInfinity});
  EXPECT_EQ(nothing.elements, nothing.not_finite);
  EXPECT_EQ(nothing.lowest_sample, -1);
}

TEST(Statistics, KnowsOneZero) {
  Statistics a, b;
  a.observe(0, std::vector<float>{0.0f, -0.0f});
  b.observe(0, std::vector<float>{-0.0f, 0.0f});
  EXPECT_EQ(a.bytes(), b.bytes());
}

TEST(Statistics, SurvivesSerialisation) {
  Statistics s;
  s.observe(3, std::vector<float>{-2.5f, 7.25f, std::nanf("")});
  EXPECT_EQ(Statistics::from_bytes(s.bytes()), s);
  EXPECT_EQ(Statistics::from_bytes(Statistics{}.bytes()), Statistics{});
  const std::string bytes = s.bytes();
  EXPECT_THROW(Statistics::from_bytes(bytes.substr(0, bytes.size() - 1)), Error);
  EXPECT_THROW(Statistics::from_bytes(bytes + "x"), Error);
  EXPECT_THROW(Statistics::from_bytes(""), Error);
}

TEST(Statistics, ReadsFloat16) {
  Statistics s;
  s.observe(0, cast(Tensor::from<float>({3}, {-1.5f, 0.25f, 2.0f}), DType::Float16));
  EXPECT_EQ(s.lowest, -1.5f);
  EXPECT_EQ(s.highest, 2.0f);
}

// The published examples of the toolkit's manual and users (scale, zero point).
TEST(ParamsOfRange, GivesTheToolkitsNumbers) {
  const auto expect = [](double low, double high, double scale, int32_t zero_point) {
    const QuantParams p = params_of_range(low, high, DType::Int8, false);
    EXPECT_NEAR(p.scale[0], scale, scale * 1e-6);
    EXPECT_EQ(p.zero_point[0], zero_point) << low << ".." << high;
  };
  expect(0, 6, 0.023529411764705882, -128);
  expect(-1, 1, 0.00784313725490196, 0);  // exactly -0.5: half to even
  expect(0, 1, 0.00392156862745098, -128);
  expect(-8130.87890625, 3119.26806640625, 44.118223, 56);
}

TEST(ParamsOfRange, ContainsZeroAlways) {
  EXPECT_EQ(params_of_range(3, 5, DType::Int8, false), params_of_range(0, 5, DType::Int8, false));
  EXPECT_EQ(params_of_range(-5, -3, DType::Int8, false), params_of_range(-5, 0, DType::Int8, false));
  EXPECT_EQ(params_of_range(-5, -3, DType::Int8, false).zero_point[0], 127);
  EXPECT_EQ(params_of_range(0, 0, DType::Int8, false), (QuantParams{{1.0}, {-128}}));
}

TEST(ParamsOfRange, SymmetricHasZeroPointZero) {
  EXPECT_EQ(params_of_range(-1, 12.7, DType::Int8, true), (QuantParams{{12.7 / 127}, {0}}));
  EXPECT_EQ(params_of_range(-25.4, 1, DType::Int8, true), (QuantParams{{25.4 / 127}, {0}}));
}

TEST(ParamsOfRange, StaysFiniteAtTheEndsOfFloat32) {
  for (const double v : {1e-45, 3.4e38}) {
    const QuantParams p = params_of_range(-v, v, DType::Int8, false);
    EXPECT_GT(p.scale[0], 0);
    EXPECT_TRUE(std::isfinite(p.scale[0]));
    EXPECT_EQ(p.zero_point[0], 0);
  }
}

TEST(Choose, ClampsIntoTheNaturalRange) {
  Statistics s;
  s.observe(0, std::vector<float>{-0.1f, 1.1f});
  RangeSpec spec;
  spec.natural = {0.0, 1.0};
  EXPECT_EQ(choose(s, spec), (QuantParams{{1.0 / 255}, {-128}}));
  Statistics narrow;
  narrow.observe(0, std::vector<float>{0.2f, 0.5f});
  EXPECT_EQ(choose(narrow, spec), (QuantParams{{0.5 / 255}, {-128}})) << "calibrated, not widened";
}

TEST(Choose, GivesAnEmptyTensorScaleOne) { EXPECT_EQ(choose(Statistics{}, {}), (QuantParams{{1.0}, {-128}})); }

}  // namespace
}  // namespace openrknn
