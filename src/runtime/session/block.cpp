#include "runtime/session/block.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace openrknn::session {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and what vector instructions like

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void Block::Free::operator()(std::byte* memory) const { std::free(memory); }

void Block::allocate() {
  size_t total = 0;
  for (BlockArray& array : arrays) {
    array.elements = 1;
    for (const int64_t extent : array.shape()) array.elements *= static_cast<size_t>(extent);
    array.offset = total;
    total += aligned(array.bytes());
  }
  total = std::max(total, kAlignment);
  if (total <= capacity_) return;
  memory_.reset();
  capacity_ = 0;
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, total)));
  if (!memory_) throw std::bad_alloc();
  capacity_ = total;
}

void Block::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<BlockPool> pool = std::move(pool_);  // may be the last one who knows the pool
  pool->give_back(this);
}

BlockPointer BlockPool::take() {
  std::unique_ptr<Block> block;
  {
    const std::lock_guard lock(mutex_);
    if (!unused_.empty()) {
      block = std::move(unused_.back());
      unused_.pop_back();
    }
  }
  if (!block) block = std::make_unique<Block>();
  block->arrays.clear();
  block->pool_ = shared_from_this();
  block->references_.store(1, std::memory_order_relaxed);
  return BlockPointer(block.release());
}

void BlockPool::give_back(Block* block) noexcept {
  std::unique_ptr<Block> owned(block);
  const std::lock_guard lock(mutex_);
  if (unused_.size() < kept_) unused_.push_back(std::move(owned));  // room was reserved
}

}  // namespace openrknn::session

namespace openrknn {

Array::Array(session::Block* block, size_t index) noexcept : block_(block), index_(index) { block_->add_reference(); }
Array::Array(const Array& other) noexcept : block_(other.block_), index_(other.index_) {
  if (block_ != nullptr) block_->add_reference();
}
Array::Array(Array&& other) noexcept : block_(std::exchange(other.block_, nullptr)), index_(other.index_) {}
Array& Array::operator=(Array other) noexcept {
  std::swap(block_, other.block_);
  std::swap(index_, other.index_);
  return *this;
}
Array::~Array() {
  if (block_ != nullptr) block_->release();
}

ElementType Array::type() const { return block_->arrays[index_].type; }
std::span<const int64_t> Array::shape() const {
  return block_ == nullptr ? std::span<const int64_t>() : block_->arrays[index_].shape();
}
size_t Array::size() const { return block_ == nullptr ? 0 : block_->arrays[index_].elements; }
void* Array::data() const { return block_ == nullptr ? nullptr : block_->data(index_); }
std::span<float> Array::floats() const {
  if (block_ == nullptr) return {};
  if (type() != ElementType::Float32) throw std::logic_error("the array holds no float32");
  return {static_cast<float*>(data()), size()};
}

}  // namespace openrknn
