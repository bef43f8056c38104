#include "runtime/engine/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace openrknn {

std::unique_ptr<Memory> Memory::allocate(int64_t bytes) {
  const auto out_of_memory = [&](int reason) {
    fail(Code::OutOfMemory, fmt::format("cannot allocate {} bytes of device memory: {}", bytes, std::strerror(reason)));
  };
  if (bytes < 0) fail(Code::RuntimeBadArgument, fmt::format("cannot allocate {} bytes", bytes));
  std::unique_ptr<Memory> memory(new Memory);
  memory->fd_ = ::memfd_create("openrknn", MFD_CLOEXEC);
  if (memory->fd_ < 0) out_of_memory(errno);
  memory->owns_fd_ = true;
  memory->mapped_ = static_cast<size_t>(std::max<int64_t>(bytes, 1));
  if (::ftruncate(memory->fd_, static_cast<off_t>(memory->mapped_)) != 0) out_of_memory(errno);
  void* mapping = ::mmap(nullptr, memory->mapped_, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd_, 0);
  if (mapping == MAP_FAILED) out_of_memory(errno);
  memory->mapping_ = mapping;
  memory->data_ = static_cast<std::byte*>(mapping);
  memory->size_ = bytes;
  return memory;
}

std::unique_ptr<Memory> Memory::map(int fd, int64_t bytes, int64_t offset) {
  struct stat status {};
  // Touching pages past the end of the object behind the descriptor would be fatal.
  if (bytes < 0 || offset < 0 || ::fstat(fd, &status) != 0 ||
      (S_ISREG(status.st_mode) && (status.st_size < offset || status.st_size - offset < bytes))) {
    fail(Code::RuntimeBadArgument,
         fmt::format("file descriptor {} does not hold {} bytes at offset {}", fd, bytes, offset));
  }
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  const int64_t begin = offset / page * page;
  std::unique_ptr<Memory> memory(new Memory);
  memory->mapped_ = static_cast<size_t>(std::max<int64_t>(offset - begin + bytes, 1));
  void* mapping = ::mmap(nullptr, memory->mapped_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, begin);
  if (mapping == MAP_FAILED) {
    fail(Code::RuntimeBadArgument, fmt::format("cannot map file descriptor {}: {}", fd, std::strerror(errno)));
  }
  memory->mapping_ = mapping;
  memory->data_ = static_cast<std::byte*>(mapping) + (offset - begin);
  memory->size_ = bytes;
  memory->fd_ = fd;
  return memory;
}

Memory::~Memory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
  if (owns_fd_) ::close(fd_);
}

}  // namespace openrknn
