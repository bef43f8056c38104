#include "runtime/capi/external_memory.h"

#include <fmt/format.h>

#include "runtime/capi/attributes.h"
#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

constexpr uint32_t kInternalOutside = RKNN_FLAG_MEM_ALLOC_OUTSIDE | RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE;

void require_flag(const ContextState& state, uint32_t flags, const char* names) {
  if ((state.flags & flags) != 0) return;
  fail(Code::RuntimeBadArgument, "this context has memory of its own", fmt::format("initialise it with {}", names));
}

void require_size(const char* what, uint64_t given, int64_t needed) {
  if (given >= static_cast<uint64_t>(needed)) return;
  fail(Code::RuntimeBadArgument, fmt::format("the {} memory has {} bytes, {} are needed", what, given, needed),
       "see RKNN_QUERY_MEM_SIZE");
}

void set_weight_memory(ContextState& state, std::shared_ptr<MemoryEntry> memory) {
  require_flag(state, RKNN_FLAG_MEM_ALLOC_OUTSIDE, "RKNN_FLAG_MEM_ALLOC_OUTSIDE");
  const LoadedModel& model = *state.context->loaded();
  require_size("weight", memory->size(), model.weight_bytes());
  // The simulator computes from weights packed for this CPU; the program's memory holds them as the file has them.
  model.copy_weights(memory->data());
  state.weight_memory = std::move(memory);
}

void set_internal_memory(ContextState& state, std::shared_ptr<MemoryEntry> memory) {
  require_flag(state, kInternalOutside, "RKNN_FLAG_MEM_ALLOC_OUTSIDE or RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE");
  require_size("internal", memory->size(), state.context->internal_bytes());
  state.context->use_internal_memory({memory->data(), static_cast<size_t>(memory->size())});
  state.internal_memory = std::move(memory);
}

}  // namespace

void require_external_memory(const ContextState& state) {
  Diagnostics problems;
  const auto require = [&](const std::shared_ptr<MemoryEntry>& memory, const std::string& what, const char* function) {
    if (memory && !memory->destroyed) return;
    problems.add(Code::RuntimeBadArgument, {},
                 fmt::format("{} {}", what, memory ? "was destroyed" : "is to come from the program and was not set"),
                 fmt::format("call {} before rknn_run", function));
  };
  const auto require_bound = [&](Side side, const std::vector<std::optional<Binding>>& bindings, const char* word) {
    for (size_t i = 0; i < bindings.size(); ++i) {
      require(bindings[i] ? bindings[i]->memory : nullptr,
              fmt::format("the memory of {} '{}'", word, port(*state.context, side, i).name), "rknn_set_io_mem");
    }
  };
  const bool all_outside = (state.flags & RKNN_FLAG_MEM_ALLOC_OUTSIDE) != 0;
  if (all_outside) require(state.weight_memory, "the weight memory", "rknn_set_weight_mem");
  if ((state.flags & kInternalOutside) != 0) {
    require(state.internal_memory, "the internal memory", "rknn_set_internal_mem");
  }
  if (all_outside) {
    require_bound(Side::Input, state.input_bindings, "input");
    require_bound(Side::Output, state.output_bindings, "output");
  }
  problems.throw_if_any();
}

rknn_tensor_mem device_memory(ContextState& state) {
  if (state.weight_memory && !state.weight_memory->destroyed) return state.weight_memory->given;
  const LoadedModel& model = *state.context->loaded();
  if (!state.device_memory) {
    state.device_memory = state.context->device().allocate(model.weight_bytes());
    model.copy_weights(state.device_memory->data());
  }
  rknn_tensor_mem shown{};
  shown.virt_addr = state.device_memory->data();
  shown.phys_addr = state.device_memory->device_address();
  shown.fd = state.device_memory->fd();
  shown.size = static_cast<uint32_t>(std::min<int64_t>(state.device_memory->size(), UINT32_MAX));
  shown.flags = RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE;
  return shown;
}

}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_set_weight_mem(rknn_context ctx, rknn_tensor_mem* mem) {
  return with_context("rknn_set_weight_mem", ctx, [&](ContextState& state) {
    require_pointer(mem, "mem");
    set_weight_memory(state, library().find(mem));
  });
}

int rknn_set_internal_mem(rknn_context ctx, rknn_tensor_mem* mem) {
  return with_context("rknn_set_internal_mem", ctx, [&](ContextState& state) {
    require_pointer(mem, "mem");
    set_internal_memory(state, library().find(mem));
  });
}
