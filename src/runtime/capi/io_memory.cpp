#include "runtime/capi/io_memory.h"

#include <fmt/format.h>

#include <cstring>

#include "runtime/capi/arrays.h"
#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

bool same_name(const rknn_tensor_attr& attr, const Context& context, Side side) {
  if (attr.index >= count(context, side)) return false;
  const rknn_tensor_attr own = logical_attr(context, side, attr.index);
  return std::strncmp(attr.name, own.name, RKNN_MAX_NAME_LEN) == 0;
}

/// An attribute does not say which side it is of; its name and index do, and where both sides have them, its dims.
Side side_of(const rknn_tensor_attr& attr, const Context& context) {
  const bool input = same_name(attr, context, Side::Input), output = same_name(attr, context, Side::Output);
  if (input != output) return input ? Side::Input : Side::Output;
  if (!input) {
    fail(Code::RuntimeBadArgument,
         fmt::format("attr (index {}, name '{}') is of no input or output of this context", attr.index,
                     std::string(attr.name, strnlen(attr.name, RKNN_MAX_NAME_LEN))));
  }
  for (const auto attr_of : {logical_attr, native_attr, native_nhwc_attr}) {
    const rknn_tensor_attr own = attr_of(context, Side::Output, attr.index);
    const rknn_tensor_attr other = attr_of(context, Side::Input, attr.index);
    const auto same = [&](const rknn_tensor_attr& a) {
      return a.n_dims == attr.n_dims && std::equal(a.dims, a.dims + RKNN_MAX_DIMS, attr.dims);
    };
    if (same(own) != same(other)) return same(own) ? Side::Output : Side::Input;
  }
  return Side::Input;
}

void require_alive(const Binding& binding) {
  if (!binding.memory->destroyed) return;
  fail(Code::RuntimeBadArgument,
       fmt::format("the memory bound to '{}' was destroyed", std::string_view(binding.attr.name)),
       "bind another with rknn_set_io_mem before running");
}

GivenArray array_of(const Binding& binding) {
  const rknn_tensor_attr& attr = binding.attr;
  GivenArray array{.data = binding.memory->data(), .size = binding.memory->size(), .type = attr.type, .fmt = attr.fmt};
  array.pass_through = attr.pass_through != 0;
  array.w_stride = attr.w_stride;
  array.h_stride = attr.h_stride;
  return array;
}

void require_room(const Context& context, const Binding& binding) {
  const uint64_t needed = output_bytes(context, binding.attr.index, binding.attr);
  if (binding.memory->size() >= needed) return;
  fail(Code::RuntimeBadArgument, fmt::format("the memory for output '{}' has {} bytes, {} are needed",
                                             std::string_view(binding.attr.name), binding.memory->size(), needed));
}

void bind_memory(ContextState& state, std::shared_ptr<MemoryEntry> memory, const rknn_tensor_attr& attr) {
  const Context& context = *state.context;
  const Side side = side_of(attr, context);
  require_enumerators(attr.type, attr.fmt);
  if (!element_type(attr.type)) {
    fail(Code::RuntimeBadArgument, fmt::format("attr.type {} is no rknn_tensor_type", static_cast<int>(attr.type)));
  }
  Binding binding{std::move(memory), attr};
  // attr.size is not looked at: programs change the type and leave the size of the former one.
  if (side == Side::Output) require_room(context, binding);
  auto& bindings = side == Side::Input ? state.input_bindings : state.output_bindings;
  bindings[attr.index] = std::move(binding);
}

}  // namespace

void require_bound_memory(const ContextState& state) {
  for (const auto& binding : state.input_bindings) {
    if (binding) require_alive(*binding);
  }
  for (const auto& binding : state.output_bindings) {
    if (!binding) continue;
    require_alive(*binding);
    require_room(*state.context, *binding);
  }
}

void require_inputs_set(const ContextState& state) {
  std::vector<bool> bound;
  for (const auto& binding : state.input_bindings) bound.push_back(binding.has_value());
  state.context->require_inputs(bound);
}

void read_bound_inputs(ContextState& state) {
  for (size_t i = 0; i < state.input_bindings.size(); ++i) {
    const std::optional<Binding>& binding = state.input_bindings[i];
    if (!binding) continue;
    set_input(*state.context, i, array_of(*binding));
  }
}

void write_bound_outputs(const ContextState& state) {
  for (size_t i = 0; i < state.output_bindings.size(); ++i) {
    const std::optional<Binding>& binding = state.output_bindings[i];
    if (binding) write_output(*state.context, i, binding->attr, binding->memory->data());
  }
}

}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_set_io_mem(rknn_context ctx, rknn_tensor_mem* mem, rknn_tensor_attr* attr) {
  return with_context("rknn_set_io_mem", ctx, [&](ContextState& state) {
    require_pointer(mem, "mem");
    require_pointer(attr, "attr");
    bind_memory(state, library().find(mem), *attr);
  });
}
