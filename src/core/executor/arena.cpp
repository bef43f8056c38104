#include "core/executor/arena.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace openrknn {
namespace {

int64_t room(const Block& block) {
  return (block.bytes + kBufferPadding + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

bool live_together(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

int64_t place_blocks(std::span<Block> blocks) {
  int64_t total = 0;
  for (const Block& block : blocks) {
    if (block.bytes > (int64_t{1} << 62) - total - 2 * kBufferPadding) {
      fail(Code::OutOfMemory, "the values of the graph need more than 2^62 bytes together");
    }
    total += room(block);
  }
  std::vector<Block*> largest_first;
  for (Block& block : blocks) largest_first.push_back(&block);
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [](const Block* a, const Block* b) { return a->bytes > b->bytes; });

  std::vector<Block*> placed;  // by offset
  int64_t arena = 0;
  for (Block* block : largest_first) {
    int64_t end = 0, best = -1, best_gap = INT64_MAX;
    for (const Block* other : placed) {
      if (!live_together(*block, *other)) continue;
      const int64_t gap = other->offset - end;
      if (gap >= room(*block) && gap < best_gap) best = end, best_gap = gap;
      end = std::max(end, other->offset + room(*other));
    }
    block->offset = best >= 0 ? best : end;
    arena = std::max(arena, block->offset + room(*block));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), block,
                                   [](const Block* a, const Block* b) { return a->offset < b->offset; }),
                  block);
  }
  return arena;
}

}  // namespace openrknn
