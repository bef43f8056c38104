// Device memory bound to the inputs and outputs of a session, so that a run copies nothing. C++20, Apache-2.0.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openrknn/session.hpp"

namespace openrknn {

namespace session {
class ZeroCopy;
struct DeviceBuffer;
}  // namespace session

enum class IoKind : uint8_t { Input, Output };

/// What rknn_tensor_mem and rknn_tensor_attr say of a device array.
struct DeviceMemoryInfo {
  uint64_t size = 0, attr_size = 0, size_with_stride = 0;
  int32_t fd = -1, offset = 0;
  uint64_t virt_addr = 0;
  uint32_t w_stride = 0, h_stride = 0;
  int format = 0;  ///< rknn_tensor_format
  bool pass_through = false;
  bool owned = false;  ///< allocated by the runtime, not imported
};

/// Memory of one input or output in the model's own element type and the layout the runtime wants. Copies share it.
/// It keeps the context it belongs to, not the session's workers. Not to be written while a run uses it.
class DeviceArray {
 public:
  /// Throws SessionError (unknown name, no memory). `mem_flags`: rknn_mem_alloc_flags; a hint.
  DeviceArray(Session&, const std::string& name, IoKind, uint64_t mem_flags = 0);
  /// Wraps `size` bytes at `offset` of a dma-buf or memfd. The descriptor is duplicated. `address`: of its mapping, if
  /// the caller has one.
  DeviceArray(Session&, const std::string& name, IoKind, int fd, uint64_t size, int32_t offset = 0,
              void* address = nullptr);

  ElementType type() const;
  const std::vector<int64_t>& shape() const;  ///< logical
  const std::string& name() const;

  /// Converts from and to the runtime's layout; the shapes must agree, the types too. Both sync.
  void write(const ArrayView&);
  void read(std::byte* out) const;  ///< dense, logical order
  size_t dense_bytes() const;

  void sync_to_device() const;
  void sync_from_device() const;
  DeviceMemoryInfo memory_info() const;

 private:
  friend class IoBinding;
  std::shared_ptr<session::DeviceBuffer> buffer_;
};

/// Which memory a run reads and writes. Thread-safe; runs of one session's bindings follow one another.
class IoBinding {
 public:
  explicit IoBinding(std::shared_ptr<session::ZeroCopy>);

  /// Throws SessionError with the documented texts if the array does not fit.
  void bind_input(const std::string& name, DeviceArray);
  void bind_output(const std::string& name, DeviceArray);
  void clear_inputs();
  void clear_outputs();
  /// In the order they were bound first.
  std::vector<DeviceArray> outputs() const;
  void synchronize_inputs() const;
  void synchronize_outputs() const;

  /// Blocks. Throws SessionError unless everything is bound, or if the runtime fails.
  void run();

  bool belongs_to(Session&) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace openrknn
