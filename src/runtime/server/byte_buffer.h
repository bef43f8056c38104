// A body: bytes without an initial value, whose position `aligned` lies on a 64-byte boundary, so that the tensors
// behind a JSON header can be used where they were received.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace openrknn::server {

class ByteBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  ByteBuffer() = default;
  /// Throws std::bad_alloc.
  explicit ByteBuffer(size_t size, size_t aligned = 0)
      : lead_((kAlignment - aligned % kAlignment) % kAlignment),
        size_(size),
        memory_(static_cast<std::byte*>(::operator new(lead_ + size + 1, std::align_val_t(kAlignment)))) {}

  std::byte* data() { return memory_.get() + lead_; }
  const std::byte* data() const { return memory_.get() + lead_; }
  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }
  };
  size_t lead_ = 0, size_ = 0;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace openrknn::server
