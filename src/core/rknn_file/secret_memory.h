// Memory for what must not be found elsewhere: keys and decrypted models.
#pragma once

#include <cstddef>
#include <span>

namespace openrknn {

/// Anonymous memory that belongs to no file: kept out of core dumps, out of swap as far as the system allows
/// (RLIMIT_MEMLOCK), zeroed before it is given back. Aligned to pages, zero at first.
class SecretMemory {
 public:
  explicit SecretMemory(size_t bytes);  ///< throws Error (OutOfMemory) naming the amount
  ~SecretMemory();
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;

  std::span<std::byte> bytes() const { return {data_, size_}; }
  void make_read_only() const;

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Zeroes the bytes; no optimiser leaves that out.
void wipe(std::span<std::byte>);

}  // namespace openrknn
