#include "core/executor/arena.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/base/error.h"

namespace openrknn {
namespace {

TEST(PlaceBlocks, SharesMemoryOfBlocksThatNeverMeet) {
  std::vector<Block> chain = {{.bytes = 1000, .first = 0, .last = 1},
                              {.bytes = 1000, .first = 1, .last = 2},
                              {.bytes = 1000, .first = 2, .last = 3},
                              {.bytes = 1000, .first = 3, .last = 4}};
  EXPECT_EQ(place_blocks(chain), 2 * 1088);  // 1000 bytes and 64 of padding, rounded up to 64
}

TEST(PlaceBlocks, FillsTheSmallestGapThatFits) {
  std::vector<Block> blocks = {{.bytes = 6336, .first = 0, .last = 0},  // leaves a gap of 6400 at time 1
                               {.bytes = 6336, .first = 0, .last = 9},
                               {.bytes = 1216, .first = 1, .last = 9}};
  EXPECT_EQ(place_blocks(blocks), 12800);
  EXPECT_EQ(blocks[2].offset, 0);
}

TEST(PlaceBlocks, RefusesMoreThanCanBeAddressed) {
  std::vector<Block> blocks = {{.bytes = int64_t{1} << 61}, {.bytes = int64_t{1} << 61}, {.bytes = 1}};
  EXPECT_THROW(place_blocks(blocks), Error);
}

TEST(PlaceBlocks, KeepsLivingBlocksApartWithPaddingBetween) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<Block> blocks(1 + random() % 60);
    for (Block& block : blocks) {
      block.bytes = random() % 5000;
      block.first = static_cast<int64_t>(random() % 40) - 1;
      block.last = block.first + static_cast<int64_t>(random() % 10);
    }
    const int64_t total = place_blocks(blocks);
    for (size_t a = 0; a < blocks.size(); ++a) {
      ASSERT_EQ(blocks[a].offset % kBufferAlignment, 0);
      ASSERT_GE(blocks[a].offset, 0);
      ASSERT_LE(blocks[a].offset + blocks[a].bytes + kBufferPadding, total);
      for (size_t b = 0; b < a; ++b) {
        const bool meet = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
        if (!meet) continue;
        const bool apart = blocks[a].offset + blocks[a].bytes + kBufferPadding <= blocks[b].offset ||
                           blocks[b].offset + blocks[b].bytes + kBufferPadding <= blocks[a].offset;
        ASSERT_TRUE(apart) << a << " and " << b;
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
