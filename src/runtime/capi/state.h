// What this library knows between calls: contexts by handle, memory by address, devices by target.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "runtime/capi/api.h"
#include "runtime/capi/background.h"
#include "runtime/engine/context.h"

namespace openrknn::capi {

/// What rknn_create_mem* made. `shown` is what the program sees and may overwrite; `given` is what we go by.
struct MemoryEntry {
  rknn_tensor_mem shown{};
  rknn_tensor_mem given{};
  std::unique_ptr<Memory> memory;  ///< null: the caller's own bytes
  std::atomic<bool> destroyed = false;

  std::byte* data() const { return static_cast<std::byte*>(given.virt_addr) + given.offset; }
  uint64_t size() const { return given.size; }
};

/// An input or output that lives in memory of the program (rknn_set_io_mem).
struct Binding {
  std::shared_ptr<MemoryEntry> memory;
  rknn_tensor_attr attr{};
};

/// What the environment asked for when a context was made.
struct Environment {
  int log_level = 0;         ///< RKNN_LOG_LEVEL
  std::string dump_folder;   ///< RKNN_DUMP_DIR
  bool dump_native = false;  ///< RKNN_DUMP_QUANT
  Latency latency;           ///< OPENRKNN_SIM_LATENCY
};

/// What an rknn_context stands for. `mutex` is held during every call on it, and no run is under way then but in
/// rknn_wait. cancel() of the engine's context is the exception: from any thread, without the mutex.
struct ContextState {
  std::mutex mutex;
  std::unique_ptr<Context> context;
  uint32_t flags = 0;
  Environment environment;
  uint64_t frames = 0;  ///< runs that were begun
  Background background;
  std::vector<std::optional<Binding>> input_bindings, output_bindings;
  std::set<void*> output_buffers;                               ///< from rknn_outputs_get, not released yet
  std::string perf_text;                                        ///< what rknn_perf_detail points at
  std::string arithmetic, target;                               ///< texts the door hands out
  std::shared_ptr<MemoryEntry> weight_memory, internal_memory;  ///< of the program (external_memory.h)
  std::unique_ptr<Memory> device_memory;                        ///< what RKNN_QUERY_DEVICE_MEM_INFO shows

  ContextState(std::unique_ptr<Context>, uint32_t flags, Environment);
  ~ContextState();
};

struct MatmulState;  // matmul_state.h

/// The one state of the process. Thread-safe. Handles are numbers that were given out, never addresses: a wrong one is
/// an error, not a crash.
class Library {
 public:
  rknn_context add(std::shared_ptr<ContextState>);
  /// Throws Error (RuntimeBadHandle).
  std::shared_ptr<ContextState> find(rknn_context) const;
  std::shared_ptr<ContextState> remove(rknn_context);

  /// Matmul contexts have handles of the same kind, and none of them is a context.
  rknn_context add(std::shared_ptr<MatmulState>);
  std::shared_ptr<MatmulState> find_matmul(rknn_context) const;
  std::shared_ptr<MatmulState> remove_matmul(rknn_context);
  bool is_matmul(rknn_context) const;
  /// Throws Error (RuntimeBadHandle) unless it is a context of either kind: what memory may be made for.
  void require_handle(rknn_context) const;

  rknn_tensor_mem* add(std::shared_ptr<MemoryEntry>);
  /// Throws Error (RuntimeBadArgument) for an address that rknn_create_mem* did not return, or that was destroyed.
  std::shared_ptr<MemoryEntry> find(const rknn_tensor_mem*) const;
  std::shared_ptr<MemoryEntry> remove(const rknn_tensor_mem*);

  /// Contexts for the same SoC share its cores, as on a board.
  std::shared_ptr<Device> device(const Target&);

 private:
  mutable std::shared_mutex mutex_;
  rknn_context next_ = 0x5b000010;  // looks like an address and is none
  std::map<rknn_context, std::shared_ptr<ContextState>> contexts_;
  std::map<rknn_context, std::shared_ptr<MatmulState>> matmuls_;
  std::map<const rknn_tensor_mem*, std::shared_ptr<MemoryEntry>> memories_;
  std::map<std::string_view, std::shared_ptr<Device>> devices_;
};

Library& library();

}  // namespace openrknn::capi
