// Memory of results and of copied inputs: blocks that go back to a pool with their last reference, so that a session at
// work neither allocates nor touches fresh pages.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "openrknn/session_types.hpp"
#include "rknn_api.h"

namespace openrknn::session {

/// One array inside a block.
struct BlockArray {
  ElementType type = ElementType::Float32;
  uint32_t rank = 0;
  std::array<int64_t, RKNN_MAX_DIMS> dims{};
  size_t offset = 0, elements = 0;

  std::span<const int64_t> shape() const { return {dims.data(), rank}; }
  size_t bytes() const { return elements * element_bytes(type); }
};

class BlockPool;

/// Arrays side by side in one 64-byte aligned buffer. Reference-counted by hand: a shared_ptr would allocate its
/// counter again for every call.
class Block {
 public:
  std::vector<BlockArray> arrays;  ///< offsets are set by allocate()

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;  ///< the last one gives the block back to its pool

  /// Places `arrays` and makes room for them; the contents are undefined. Throws std::bad_alloc.
  void allocate();
  std::byte* data(size_t index) const { return memory_.get() + arrays[index].offset; }

 private:
  friend class BlockPool;
  struct Free {
    void operator()(std::byte*) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  size_t capacity_ = 0;
  std::atomic<size_t> references_ = 0;
  std::shared_ptr<BlockPool> pool_;  // null while it lies in the pool
};

/// A reference to a block. Null unless taken from a pool.
class BlockPointer {
 public:
  BlockPointer() = default;
  explicit BlockPointer(Block* block) noexcept : block_(block) {}  ///< takes the reference over
  BlockPointer(BlockPointer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockPointer& operator=(BlockPointer&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockPointer() { reset(); }
  void reset() noexcept {
    if (block_ != nullptr) std::exchange(block_, nullptr)->release();
  }
  Block* get() const { return block_; }
  Block* operator->() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  Block* block_ = nullptr;
};

/// Thread-safe. Blocks keep it alive.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  /// At most `kept` unused blocks are held back.
  explicit BlockPool(size_t kept) : kept_(kept) { unused_.reserve(kept); }
  BlockPointer take();

 private:
  friend class Block;
  void give_back(Block*) noexcept;

  const size_t kept_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> unused_;
};

}  // namespace openrknn::session
