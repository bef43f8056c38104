// librknnrt as the session reaches it: opened at run time, one table of functions.
#pragma once

#include <memory>
#include <string>

#include "rknn_api.h"
#include "rknn_custom_op.h"

namespace openrknn::session {

/// Stays open for the life of the process. Immutable: thread-safe.
struct RuntimeLibrary {
  std::string path;

  decltype(&rknn_init) init = nullptr;
  decltype(&rknn_dup_context) dup_context = nullptr;
  decltype(&rknn_destroy) destroy = nullptr;
  decltype(&rknn_query) query = nullptr;
  decltype(&rknn_inputs_set) inputs_set = nullptr;
  decltype(&rknn_set_core_mask) set_core_mask = nullptr;
  decltype(&rknn_run) run = nullptr;
  decltype(&rknn_outputs_get) outputs_get = nullptr;
  decltype(&rknn_outputs_release) outputs_release = nullptr;

  // Null in libraries that lack them: what needs them is refused by name (require).
  decltype(&rknn_set_input_shapes) set_input_shapes = nullptr;
  decltype(&rknn_register_custom_ops) register_custom_ops = nullptr;
  decltype(&rknn_create_mem) create_mem = nullptr;
  decltype(&rknn_create_mem_from_fd) create_mem_from_fd = nullptr;
  decltype(&rknn_destroy_mem) destroy_mem = nullptr;
  decltype(&rknn_set_io_mem) set_io_mem = nullptr;
  decltype(&rknn_mem_sync) mem_sync = nullptr;
};

[[noreturn]] void refuse_missing(const RuntimeLibrary&, const char* name);
/// Throws SessionError naming the function unless the library has it.
template <class F>
void require(const RuntimeLibrary& library, F function, const char* name) {
  if (function == nullptr) refuse_missing(library, name);
}

/// `wanted`, else $OPENRKNN_RUNTIME, else $ZTU_RKNPU2_RUNTIME_LIBRARY: that one or none. Else librknnrt.so beside this
/// program's or extension's own file, in lib/ beside it, then where the system looks. Throws SessionError naming every
/// place and what was wrong there.
std::shared_ptr<const RuntimeLibrary> open_runtime(const std::string& wanted);

}  // namespace openrknn::session
