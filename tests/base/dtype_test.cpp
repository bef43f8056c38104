#include "core/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace openrknn {
namespace {

TEST(Half, EveryBitPatternSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = half_bits_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_bits_to_float(float_to_half_bits(value))));
    } else {
      ASSERT_EQ(float_to_half_bits(value), half) << "bits " << bits;
    }
  }
}

TEST(Half, RoundsToTheNearestNeighbourAndTiesToEven) {
  // Halfway between every two neighbours, and one float step to either side of it.
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const uint16_t low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const float middle = (half_bits_to_float(low) + half_bits_to_float(high)) / 2;
    ASSERT_EQ(float_to_half_bits(middle), bits % 2 == 0 ? low : high) << "bits " << bits;
    ASSERT_EQ(float_to_half_bits(std::nextafterf(middle, 0.0f)), low) << "bits " << bits;
    ASSERT_EQ(float_to_half_bits(std::nextafterf(middle, 1e9f)), high) << "bits " << bits;
  }
}

TEST(Half, OverflowsToInfinityFrom65520) {
  EXPECT_EQ(float_to_half_bits(65504.0f), 0x7bff);
  EXPECT_EQ(float_to_half_bits(std::nextafterf(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(float_to_half_bits(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half_bits(-1e30f), 0xfc00);
  EXPECT_EQ(float_to_half_bits(-0.0f), 0x8000);
}

TEST(BFloat16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(float_to_bfloat16_bits(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bfloat16_bits(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // tie, even stays
  EXPECT_EQ(float_to_bfloat16_bits(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // tie, odd moves up
  EXPECT_TRUE(std::isnan(bfloat16_bits_to_float(float_to_bfloat16_bits(std::bit_cast<float>(0x7f800001u)))));
}

TEST(DType, NamesAndSizesAgree) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
    EXPECT_EQ(byte_size(dtype, 8), bit_width(dtype));
  }
  EXPECT_EQ(byte_size(DType::Int4, 3), 2);
  EXPECT_EQ(lowest_code(DType::Int8), -128);
  EXPECT_EQ(highest_code(DType::UInt4), 15);
  EXPECT_EQ(highest_code(DType::UInt32), 4294967295);
  EXPECT_FALSE(dtype_from_name("float").has_value());
}

}  // namespace
}  // namespace openrknn
