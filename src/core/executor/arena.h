// Where each buffer lies in the arena, by its life.
#pragma once

#include <cstdint>
#include <span>

namespace openrknn {

inline constexpr int64_t kBufferAlignment = 64;
inline constexpr int64_t kBufferPadding = 64;  ///< readable bytes after each buffer

/// A buffer that holds `bytes` from step `first` to step `last`, both included.
struct Block {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
  int64_t offset = -1;  ///< set by place_blocks
};

/// Sets the offsets so that blocks which live at the same time do not overlap, and returns the size of the arena.
/// Largest first, each into the smallest gap that holds it. Throws Error (OutOfMemory) beyond 2^62 bytes.
int64_t place_blocks(std::span<Block>);

}  // namespace openrknn
