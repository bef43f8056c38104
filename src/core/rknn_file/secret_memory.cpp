#include "core/rknn_file/secret_memory.h"

#include <fmt/format.h>
#include <string.h>  // explicit_bzero
#include <sys/mman.h>

#include "core/base/error.h"

namespace openrknn {

SecretMemory::SecretMemory(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    fail(Code::OutOfMemory, fmt::format("no memory for the {} bytes of the decrypted model", bytes));
  }
  data_ = static_cast<std::byte*>(mapping);
  ::madvise(mapping, bytes, MADV_DONTDUMP);
  ::mlock(mapping, bytes);  // best effort: the usual limit is 8 MB
}

SecretMemory::~SecretMemory() {
  if (data_ == nullptr) return;
  if (::mprotect(data_, size_, PROT_READ | PROT_WRITE) == 0) wipe(bytes());
  ::munmap(data_, size_);  // unlocks as well
}

void SecretMemory::make_read_only() const {
  if (data_ != nullptr) ::mprotect(data_, size_, PROT_READ);
}

void wipe(std::span<std::byte> bytes) {
  if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace openrknn
