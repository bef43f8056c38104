#include "core/executor/memory_order.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace openrknn {
namespace {

constexpr Form logical(int64_t rank) { return {Layout::Logical, rank}; }
constexpr Form channels_last(int64_t rank) { return {Layout::ChannelsLast, rank}; }

TEST(MemoryOrder, IsTheSameInBothLayoutsWithoutChannelsOrWithoutSpace) {
  for (const Shape& shape : {Shape{2, 7, 1, 1}, Shape{2, 1, 5, 6}, Shape{4, 8, 1}, Shape{1, 1, 1, 1}}) {
    const int64_t rank = static_cast<int64_t>(shape.size());
    EXPECT_EQ(memory_order(shape, logical(rank)), memory_order(shape, channels_last(rank))) << to_string(shape);
  }
  EXPECT_NE(memory_order({1, 2, 3, 4}, logical(4)), memory_order({1, 2, 3, 4}, channels_last(4)));
  EXPECT_NE(memory_order({1, 2, 1, 4}, logical(4)), memory_order({1, 2, 1, 4}, channels_last(4)));
}

TEST(MemoryOrder, SeesThatFlatteningSpaceKeepsChannelsLast) {
  EXPECT_EQ(memory_order({1, 8, 4, 5}, channels_last(4)), memory_order({1, 8, 20}, channels_last(3)));
  EXPECT_NE(memory_order({1, 8, 4, 5}, channels_last(4)), memory_order({1, 160}, logical(2)));
  EXPECT_NE(memory_order({2, 8, 4, 5}, channels_last(4)), memory_order({2, 4, 40}, channels_last(3)));
}

TEST(MemoryOrder, OfABiasLikeOperandIsThatOfItsChannels) {
  EXPECT_EQ(memory_order({8, 1, 1}, logical(3)), memory_order({8, 1, 1}, channels_last(4)));
  EXPECT_EQ(physical_shape({8, 1, 1}, channels_last(4)), (Shape{1, 1, 1, 8}));
  EXPECT_NE(memory_order({4, 5, 6}, logical(3)), memory_order({4, 5, 6}, channels_last(4)));
}

TEST(TransposedOrder, SeesThatTheTransposeOfAnotherToolIsOurLayout) {
  EXPECT_EQ(transposed_order({1, 3, 4, 5}, {0, 2, 3, 1}, logical(4)), memory_order({1, 3, 4, 5}, channels_last(4)));
  EXPECT_EQ(transposed_order({1, 4, 5, 3}, {0, 3, 1, 2}, channels_last(4)), memory_order({1, 4, 5, 3}, logical(4)));
  EXPECT_NE(transposed_order({1, 3, 4, 5}, {0, 2, 3, 1}, logical(4)), memory_order({1, 3, 4, 5}, logical(4)));
}

class FormCopies : public testing::TestWithParam<int64_t> {};

TEST_P(FormCopies, EqualThePlainPermutation) {
  const int64_t element = GetParam();
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Shape shape(3 + random() % 3);
    const uint32_t largest = seed % 2 == 0 ? 5 : shape.size() == 3 ? 90 : shape.size() == 4 ? 18 : 10;
    for (int64_t& extent : shape) extent = 1 + static_cast<int64_t>(random() % largest);
    const int64_t rank = static_cast<int64_t>(shape.size()), bytes = element_count(shape) * element;
    std::vector<std::byte> in(bytes), expected(bytes), there(bytes), back(bytes);
    for (std::byte& b : in) b = static_cast<std::byte>(random());
    copy_permuted(in, shape, physical_order(Layout::ChannelsLast, rank), element, expected);
    const FormCopy to_last = form_copy(shape, logical(rank), channels_last(rank), element);
    for (int64_t tile = tile_count(to_last); tile-- > 0;) copy_tile(to_last, in.data(), there.data(), tile);
    EXPECT_EQ(there, expected) << to_string(shape);
    const FormCopy to_first = form_copy(shape, channels_last(rank), logical(rank), element);
    for (int64_t tile = 0; tile < tile_count(to_first); ++tile) copy_tile(to_first, there.data(), back.data(), tile);
    EXPECT_EQ(back, in) << to_string(shape);
  }
}
INSTANTIATE_TEST_SUITE_P(ElementBytes, FormCopies, testing::Values(1, 2, 4, 8));

TEST(FormCopy, RaisesTheRankWhileItMoves) {
  const Shape shape = {2, 3, 4};  // needed as [1, 3, 4, 2]
  std::vector<int32_t> in(24), out(24), expected;
  std::iota(in.begin(), in.end(), 0);
  for (int h = 0; h < 3; ++h) {
    for (int w = 0; w < 4; ++w) {
      for (int c = 0; c < 2; ++c) expected.push_back(c * 12 + h * 4 + w);
    }
  }
  const FormCopy copy = form_copy(shape, logical(3), channels_last(4), 4);
  for (int64_t tile = 0; tile < tile_count(copy); ++tile) {
    copy_tile(copy, reinterpret_cast<const std::byte*>(in.data()), reinterpret_cast<std::byte*>(out.data()), tile);
  }
  EXPECT_EQ(out, expected);
}

TEST(FormCopy, IsCutIntoTilesThatDependOnTheShapeAlone) {
  EXPECT_GT(tile_count(form_copy({1, 64, 112, 112}, logical(4), channels_last(4), 4)), 4);
  EXPECT_EQ(tile_count(form_copy({1, 8, 4, 4}, logical(4), channels_last(4), 4)), 1);
  EXPECT_EQ(tile_count(form_copy({1, 0, 4, 4}, logical(4), channels_last(4), 4)), 0);
}

}  // namespace
}  // namespace openrknn
