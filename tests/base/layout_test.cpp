#include "core/base/layout.h"

#include <gtest/gtest.h>

#include "core/base/tensor.h"

namespace openrknn {
namespace {

TEST(Layout, ChannelsLastMovesTheSecondDimensionBehindTheOthers) {
  EXPECT_EQ(physical_shape({1, 3, 8, 9}, Layout::ChannelsLast), (Shape{1, 8, 9, 3}));
  EXPECT_EQ(physical_shape({1, 3, 8}, Layout::ChannelsLast), (Shape{1, 8, 3}));
  EXPECT_EQ(physical_shape({4, 5}, Layout::ChannelsLast), (Shape{4, 5}));
  EXPECT_EQ(physical_shape({1, 3, 8, 9}, Layout::Logical), (Shape{1, 3, 8, 9}));
}

TEST(Layout, CubesHoldChannelsInBlocksAndFillTheRest) {
  const CubeLayout cube = cube_layout(1, 3, 2, 2, 2, 2);  // C = 3 in blocks of 2: one lane is padding
  const std::vector<int8_t> planar = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<int8_t> blocked(16), back(12);
  const int8_t fill = -9;
  nchw_to_cube(reinterpret_cast<const std::byte*>(planar.data()), cube, 1, reinterpret_cast<const std::byte*>(&fill),
               reinterpret_cast<std::byte*>(blocked.data()));
  EXPECT_EQ(blocked, (std::vector<int8_t>{1, 5, 2, 6, 3, 7, 4, 8, 9, -9, 10, -9, 11, -9, 12, -9}));
  cube_to_nchw(reinterpret_cast<const std::byte*>(blocked.data()), cube, 1, reinterpret_cast<std::byte*>(back.data()));
  EXPECT_EQ(back, planar);
}

TEST(CopyPermuted, HandlesElementsOfAnySize) {
  const std::vector<uint8_t> in = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // 2 x 2 elements of 3 bytes
  std::vector<uint8_t> out(12);
  copy_permuted(std::as_bytes(std::span(in)), {2, 2}, {1, 0}, 3, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(out, (std::vector<uint8_t>{1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12}));
}

}  // namespace
}  // namespace openrknn
