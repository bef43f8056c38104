// A context for runs on the caller's own device memory, and that memory. It is apart from the workers' contexts because
// a bound memory would win over their inputs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "openrknn/io_binding.hpp"
#include "runtime/session/model_context.h"
#include "runtime/session/model_facts.h"
#include "runtime/session/recorder.h"

namespace openrknn::session {

/// One input or output as memory of the device.
struct DevicePort {
  NodeArg logical;          ///< as the session presents it
  rknn_tensor_attr attr{};  ///< as it is bound
  uint64_t bytes = 0;       ///< that the memory must have
};

struct DeviceBuffer;

/// Thread-safe: the mutex is held during every call on the context.
class ZeroCopy {
 public:
  ZeroCopy(std::shared_ptr<ModelContext>, const ModelFacts&, const SessionOptions&);

  const std::vector<NodeArg>& native_inputs() const { return native_inputs_; }
  const std::vector<NodeArg>& native_outputs() const { return native_outputs_; }
  const std::vector<DevicePort>& ports(IoKind kind) const { return kind == IoKind::Input ? inputs_ : outputs_; }
  /// Throws SessionError ("Unknown input name: x").
  const DevicePort& find(IoKind, const std::string& name) const;

  /// Makes the memories the ones a run uses; only those that changed are bound. Under the mutex.
  void bind(IoKind, const std::function<std::shared_ptr<DeviceBuffer>(const std::string& name)>& memory_of);

  /// One run of what is bound, with its line if lines are wanted. Under the mutex.
  void run(ZeroCopyTimes&);

  std::mutex& mutex() { return mutex_; }
  ModelContext& context() { return *context_; }

 private:
  std::vector<DevicePort> inputs_, outputs_;
  std::vector<NodeArg> native_inputs_, native_outputs_;
  std::mutex mutex_;
  const std::shared_ptr<ModelContext> context_;
  const bool prints_ = print_wanted();
  uint64_t runs_ = 0;
  /// What is bound, by port. Weak: a memory that is gone is bound anew even at the same address.
  std::vector<std::weak_ptr<DeviceBuffer>> bound_inputs_, bound_outputs_;
};

/// Memory of one port: the runtime's, or an imported descriptor's.
struct DeviceBuffer {
  std::shared_ptr<ZeroCopy> owner;
  IoKind kind = IoKind::Input;
  DevicePort port;
  rknn_tensor_mem* memory = nullptr;
  int fd = -1;  ///< duplicated, of an imported one; closed with the buffer

  DeviceBuffer() = default;
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(memory->virt_addr) + memory->offset; }
  void sync(rknn_mem_sync_mode) const;
};

/// Between logical order (dense) and what `attr` says: NHWC rows with a stride, NC1HWC2, or the same order.
void to_device(const DevicePort&, const std::byte* dense, std::byte* out);
void from_device(const DevicePort&, const std::byte* in, std::byte* dense);

}  // namespace openrknn::session
