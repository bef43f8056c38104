#include "runtime/capi/state.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/base/error.h"
#include "runtime/capi/matmul_state.h"
#include "runtime/engine/devices/simulator.h"

namespace openrknn::capi {

ContextState::ContextState(std::unique_ptr<Context> engine_context, uint32_t init_flags, Environment asked)
    : context(std::move(engine_context)),
      flags(init_flags),
      environment(std::move(asked)),
      input_bindings(context->graph().inputs.size()),
      output_bindings(context->graph().outputs.size()),
      arithmetic(fmt::format("{}/{}", context->model().arithmetic.family, context->model().arithmetic.version)),
      target(context->model().target) {
  context->set_profiling((flags & RKNN_FLAG_COLLECT_PERF_MASK) != 0 || environment.log_level >= 4);
  context->set_keep_values(environment.log_level >= 5);
  context->set_latency(environment.latency);
}

ContextState::~ContextState() {
  background.wait();
  for (void* buffer : output_buffers) std::free(buffer);
}

Library& library() {
  // Never destroyed: threads of the pools may still run when the process exits.
  static Library* const the_library = new Library;
  return *the_library;
}

rknn_context Library::add(std::shared_ptr<ContextState> state) {
  const std::unique_lock lock(mutex_);
  next_ += 16;
  contexts_.emplace(next_, std::move(state));
  return next_;
}

std::shared_ptr<ContextState> Library::find(rknn_context handle) const {
  const std::shared_lock lock(mutex_);
  const auto found = contexts_.find(handle);
  if (found == contexts_.end()) {
    fail(Code::RuntimeBadHandle, fmt::format("{:#x} is not a context, or it was destroyed", handle));
  }
  return found->second;
}

std::shared_ptr<ContextState> Library::remove(rknn_context handle) {
  std::shared_ptr<ContextState> state = find(handle);
  const std::unique_lock lock(mutex_);
  if (contexts_.erase(handle) == 0) fail(Code::RuntimeBadHandle, fmt::format("context {:#x} was destroyed", handle));
  return state;
}

rknn_context Library::add(std::shared_ptr<MatmulState> state) {
  const std::unique_lock lock(mutex_);
  next_ += 16;
  matmuls_.emplace(next_, std::move(state));
  return next_;
}

std::shared_ptr<MatmulState> Library::find_matmul(rknn_context handle) const {
  const std::shared_lock lock(mutex_);
  const auto found = matmuls_.find(handle);
  if (found == matmuls_.end()) {
    fail(Code::RuntimeBadHandle, fmt::format("{:#x} is not a matmul context, or it was destroyed", handle));
  }
  return found->second;
}

std::shared_ptr<MatmulState> Library::remove_matmul(rknn_context handle) {
  std::shared_ptr<MatmulState> state = find_matmul(handle);
  const std::unique_lock lock(mutex_);
  if (matmuls_.erase(handle) == 0) {
    fail(Code::RuntimeBadHandle, fmt::format("matmul context {:#x} was destroyed", handle));
  }
  return state;
}

bool Library::is_matmul(rknn_context handle) const {
  const std::shared_lock lock(mutex_);
  return matmuls_.contains(handle);
}

void Library::require_handle(rknn_context handle) const {
  if (!is_matmul(handle)) find(handle);
}

rknn_tensor_mem* Library::add(std::shared_ptr<MemoryEntry> entry) {
  entry->shown = entry->given;
  rknn_tensor_mem* const address = &entry->shown;
  const std::unique_lock lock(mutex_);
  memories_.emplace(address, std::move(entry));
  return address;
}

std::shared_ptr<MemoryEntry> Library::find(const rknn_tensor_mem* address) const {
  const std::shared_lock lock(mutex_);
  const auto found = memories_.find(address);
  if (found == memories_.end()) {
    fail(Code::RuntimeBadArgument, "the rknn_tensor_mem was not made by rknn_create_mem*, or it was destroyed");
  }
  return found->second;
}

std::shared_ptr<MemoryEntry> Library::remove(const rknn_tensor_mem* address) {
  std::shared_ptr<MemoryEntry> entry = find(address);
  const std::unique_lock lock(mutex_);
  memories_.erase(address);
  entry->destroyed = true;
  return entry;
}

std::shared_ptr<Device> Library::device(const Target& target) {
  const std::unique_lock lock(mutex_);
  std::shared_ptr<Device>& device = devices_[target.name];
  if (!device) device = make_simulator(target, default_thread_count());
  return device;
}

}  // namespace openrknn::capi
