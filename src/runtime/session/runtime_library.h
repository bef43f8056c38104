// librknnrt as the session reaches it: opened at run time, one table of functions.
#pragma once

#include <memory>
#include <string>

#include "rknn_api.h"
#include "rknn_custom_op.h"

namespace openrknn::session {

/// Stays open as long as anybody holds it. Immutable: thread-safe.
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

  RuntimeLibrary() = default;
  ~RuntimeLibrary();
  RuntimeLibrary(const RuntimeLibrary&) = delete;
  RuntimeLibrary& operator=(const RuntimeLibrary&) = delete;

  void* handle = nullptr;
};

/// `wanted`, else $OPENRKNN_RUNTIME, else $ZTU_RKNPU2_RUNTIME_LIBRARY: that one or none. Else librknnrt.so beside this
/// program's or extension's own file, in lib/ beside it, then where the system looks. Throws SessionError naming every
/// place and what was wrong there.
std::shared_ptr<const RuntimeLibrary> open_runtime(const std::string& wanted);

}  // namespace openrknn::session
