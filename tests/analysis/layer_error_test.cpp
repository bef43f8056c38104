// Errors of one layer: figures worked out by hand, whatever type and order the numbers lie in.
#include "compiler/analysis/layer_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/model/ports.h"
#include "support/special_numbers.h"

namespace openrknn {
namespace {

using test::kInfinity, test::kNan;

/// A tensor as a layer; the tensor must outlive it.
LayerValues layer(const Tensor& tensor, const QuantParams* quant = nullptr) {
  return {.dtype = tensor.dtype(),
          .quant = quant,
          .shape = tensor.shape(),
          .form = {Layout::Logical, tensor.rank()},
          .bytes = tensor.bytes()};
}

ErrorSums sums_of(const std::vector<float>& wanted, const std::vector<float>& got) {
  const Shape shape{static_cast<int64_t>(wanted.size())};
  const Tensor a = Tensor::from<float>(shape, wanted), b = Tensor::from<float>(shape, got);
  ErrorSums sums;
  sums.add(layer(a), layer(b));
  return sums;
}

TEST(LayerError, FiguresByHand) {
  const LayerError error = sums_of({3, 4}, {3, 0}).error();
  EXPECT_DOUBLE_EQ(error.cosine, 0.6);
  EXPECT_DOUBLE_EQ(error.euclidean, 4);
  EXPECT_DOUBLE_EQ(error.max_absolute, 4);
  EXPECT_DOUBLE_EQ(error.sqnr_db, 10 * std::log10(25.0 / 16));
}

TEST(LayerError, EqualTensorsHaveNoneZerosToo) {
  for (const std::vector<float>& same : {std::vector<float>{1, -2}, std::vector<float>{0, 0}, std::vector<float>{}}) {
    const LayerError error = sums_of(same, same).error();
    EXPECT_EQ(error.cosine, 1);
    EXPECT_EQ(error.euclidean, 0);
    EXPECT_EQ(error.sqnr_db, std::numeric_limits<double>::infinity());
  }
  EXPECT_EQ(sums_of({0, 0}, {1, 0}).error().cosine, 0);
}

TEST(LayerError, SamplesAddUpAsOneLongVector) {
  ErrorSums both = sums_of({1, 2}, {1, 1});
  both.add(sums_of({3, -4}, {5, -4}));
  const LayerError wanted = sums_of({1, 2, 3, -4}, {1, 1, 5, -4}).error();
  EXPECT_DOUBLE_EQ(both.error().cosine, wanted.cosine);
  EXPECT_DOUBLE_EQ(both.error().euclidean, wanted.euclidean);
  EXPECT_DOUBLE_EQ(both.error().max_absolute, 2);
  EXPECT_EQ(both.elements(), 4);
}

TEST(LayerError, CodesStandForRealNumbers) {
  const QuantParams quant{.scale = {0.5}, .zero_point = {-10}};
  const Tensor wanted = Tensor::from<float>({2}, {5, 0}), codes = Tensor::from<int8_t>({2}, {0, -8});
  ErrorSums sums;
  sums.add(layer(wanted), layer(codes, &quant));  // 5 and 1
  EXPECT_DOUBLE_EQ(sums.error().euclidean, 1);
}

TEST(LayerError, ClippedIsWhatTheTypeCannotHold) {
  const QuantParams quant{.scale = {1}, .zero_point = {0}};
  const Tensor wanted = Tensor::from<float>({5}, {127.4F, 127.6F, -128.4F, -129, 0});
  const Tensor codes = Tensor::from<int8_t>({5}, {127, 127, -128, -128, 0});
  ErrorSums sums;
  sums.add(layer(wanted), layer(codes, &quant));
  EXPECT_DOUBLE_EQ(sums.clipped(), 0.4);

  const Tensor large = Tensor::from<float>({3}, {65504, 65520, -70000});
  ErrorSums halves;
  halves.add(layer(large), layer(cast(large, DType::Float16)));
  EXPECT_DOUBLE_EQ(halves.clipped(), 2.0 / 3);  // 65520 is the first to become infinite
  EXPECT_EQ(halves.got_not_finite(), 2);
}

TEST(LayerError, NotFiniteIsCountedAndShows) {
  const ErrorSums overflow = sums_of({1, 70000}, {1, kInfinity});
  EXPECT_EQ(overflow.got_not_finite(), 1);
  EXPECT_EQ(overflow.wanted_not_finite(), 0);
  EXPECT_EQ(overflow.error().euclidean, std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(overflow.error().cosine));
  EXPECT_TRUE(std::isnan(sums_of({1, 2}, {kNan, 2}).error().max_absolute));
}

TEST(LayerError, NotFiniteOnBothSidesIsAgreement) {
  const ErrorSums masked = sums_of({kNan, -kInfinity, 2}, {kNan, -kInfinity, 2});
  EXPECT_EQ(masked.error().euclidean, 0);
  EXPECT_EQ(masked.error().cosine, 1);
  EXPECT_EQ(masked.wanted_not_finite(), 2);
}

TEST(LayerError, OrdersInMemoryDoNotMatter) {
  const Tensor logical = Tensor::from<float>({1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor channels_last = Tensor::from<float>({1, 1, 3, 2}, {1, 4, 2, 5, 3, 6});
  LayerValues other = layer(channels_last);
  other.shape = logical.shape();
  other.form = {Layout::ChannelsLast, 4};
  ErrorSums sums;
  sums.add(layer(logical), other);
  EXPECT_EQ(sums.error().euclidean, 0);
  EXPECT_TRUE(identical(logical_tensor(other), logical));
}

TEST(LayerError, LongLayersAreAddedNumberByNumber) {
  const int64_t count = 10000;
  const QuantParams quant{.scale = {0.02}, .zero_point = {-3}};
  Tensor wanted(DType::Float32, {count});
  for (int64_t i = 0; i < count; ++i) {
    wanted.mutable_values<float>()[static_cast<size_t>(i)] = 3 * std::sin(0.37F * static_cast<float>(i));
  }
  const Tensor codes = quantize_tensor(wanted, quant, DType::Int8);
  for (const bool has_nan : {false, true}) {
    if (has_nan) wanted.mutable_values<float>()[5000] = kNan;
    double squares = 0;
    int64_t beyond = 0;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const double a = static_cast<double>(wanted.values<float>()[i]);
      const double difference = a - (codes.values<int8_t>()[i] + 3) * 0.02;
      if (!std::isnan(a)) squares += difference * difference;
      beyond += a < (-128.5 + 3) * 0.02 || a > (127.5 + 3) * 0.02;
    }
    ErrorSums sums;
    sums.add(layer(wanted), layer(codes, &quant));
    EXPECT_EQ(sums.elements(), count);
    EXPECT_EQ(sums.wanted_not_finite(), has_nan ? 1 : 0);
    EXPECT_EQ(sums.clipped(), static_cast<double>(beyond) / static_cast<double>(count));
    if (has_nan) {
      EXPECT_TRUE(std::isnan(sums.error().euclidean));
    } else {
      EXPECT_EQ(sums.error().euclidean, std::sqrt(squares));
    }
  }
}

TEST(LayerError, OtherShapesAreRefused) {
  const Tensor a = Tensor::zeros(DType::Float32, {2}), b = Tensor::zeros(DType::Float32, {3});
  ErrorSums sums;
  EXPECT_THROW(sums.add(layer(a), layer(b)), Error);
}

}  // namespace
}  // namespace openrknn
