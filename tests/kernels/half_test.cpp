#include "core/kernels/reference/half.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace openrknn {
namespace {

TEST(Halves, LoadEveryPatternAsTheDtypeDoes) {
  std::vector<Float16> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i].bits = static_cast<uint16_t>(i);
  std::vector<float> floats(halves.size());
  reference::load_halves(halves.data(), floats.data(), static_cast<int64_t>(halves.size()));
  for (size_t i = 0; i < halves.size(); ++i) {
    const uint32_t expected = std::bit_cast<uint32_t>(half_bits_to_float(halves[i].bits));
    ASSERT_EQ(std::bit_cast<uint32_t>(floats[i]), expected) << i;
  }
}

TEST(Halves, StoreAsTheDtypeDoes) {
  std::mt19937 engine(3);
  std::vector<float> floats;
  for (int i = 0; i < 1000000; ++i) floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(engine())));
  // Around every half: the value itself, the tie above it, and both neighbours of the tie.
  for (uint32_t half = 0; half < 65536; ++half) {
    const uint32_t bits = std::bit_cast<uint32_t>(half_bits_to_float(static_cast<uint16_t>(half)));
    for (const uint32_t add : {0u, 0xfffu, 0x1000u, 0x1001u}) floats.push_back(std::bit_cast<float>(bits + add));
  }
  std::vector<Float16> halves(floats.size());
  reference::store_halves(floats.data(), halves.data(), static_cast<int64_t>(floats.size()));
  for (size_t i = 0; i < floats.size(); ++i) {
    ASSERT_EQ(halves[i].bits, float_to_half_bits(floats[i])) << std::bit_cast<uint32_t>(floats[i]) << ", seed 3";
  }
}

}  // namespace
}  // namespace openrknn
