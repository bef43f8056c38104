// Memory that both the caller and a device see.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace openrknn {

/// A buffer with what a device needs to find it. On the simulator: anonymous shared memory behind a file descriptor,
/// so that programs that pass the descriptor on (RGA, GPU, another process) find a real one.
class Memory {
 public:
  /// Zero-filled, page-aligned. Throws Error (OutOfMemory) naming the amount.
  static std::unique_ptr<Memory> allocate(int64_t bytes);
  /// Maps `bytes` at `offset` of a descriptor, which stays the caller's. Throws Error (RuntimeBadArgument).
  static std::unique_ptr<Memory> map(int fd, int64_t bytes, int64_t offset);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* data() const { return data_; }
  int64_t size() const { return size_; }
  int fd() const { return fd_; }
  uint64_t device_address() const { return 0; }  ///< none on the simulator

  /// Makes the CPU's writes visible to the device, and the other way round. Nothing to do on the simulator.
  void sync_to_device() const {}
  void sync_from_device() const {}

 private:
  Memory() = default;
  std::byte* data_ = nullptr;  // of the caller's bytes
  int64_t size_ = 0;
  void* mapping_ = nullptr;  // begins at a page boundary at or before data_
  size_t mapped_ = 0;
  int fd_ = -1;
  bool owns_fd_ = false;
};

}  // namespace openrknn
