// rknn_inputs_set, rknn_outputs_get, rknn_outputs_release.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "runtime/capi/arrays.h"
#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

GivenArray array_of(const rknn_input& input) {
  GivenArray array;
  array.data = static_cast<const std::byte*>(input.buf);
  array.size = input.size;
  array.pass_through = input.pass_through != 0;
  if (array.pass_through) return array;  // type and fmt mean nothing then
  require_enumerators(input.type, input.fmt);
  array.type = input.type;
  array.fmt = input.fmt;
  return array;
}

/// Which output each element means: what `index` says if that is a selection, else its position. Several programs
/// leave every index at 0 and expect output i at element i.
std::vector<uint32_t> selection(const rknn_output* outputs, uint32_t n, size_t available) {
  std::vector<uint32_t> indices;
  std::set<uint32_t> distinct;
  for (uint32_t i = 0; i < n; ++i) {
    indices.push_back(outputs[i].index);
    if (outputs[i].index < available) distinct.insert(outputs[i].index);
  }
  if (distinct.size() == n) return indices;
  for (uint32_t i = 0; i < n; ++i) indices[i] = i;
  return indices;
}

void fill(ContextState& state, rknn_output& output, uint32_t index) {
  const Tensor array = state.context->output_array(index, output.want_float != 0);
  const std::span<const std::byte> bytes = array.bytes();
  if (output.is_prealloc != 0) {
    require_pointer(output.buf, "the output's buffer");
    if (output.size < bytes.size()) {
      fail(Code::RuntimeBadOutput,
           fmt::format("the buffer of output {} has {} bytes, {} are needed", index, output.size, bytes.size()));
    }
  } else {
    // A fresh buffer each time: results of earlier calls stay valid until they are released.
    void* buffer = std::malloc(std::max<size_t>(bytes.size(), 1));
    if (buffer == nullptr)
      fail(Code::OutOfMemory, fmt::format("cannot allocate {} bytes for output {}", bytes.size(), index));
    state.output_buffers.insert(buffer);
    output.buf = buffer;
  }
  if (!bytes.empty()) std::memcpy(output.buf, bytes.data(), bytes.size());
  output.index = index;
  output.size = static_cast<uint32_t>(bytes.size());
}

void release(ContextState& state, rknn_output& output) {
  if (output.is_prealloc != 0 || state.output_buffers.erase(output.buf) == 0) return;
  std::free(output.buf);
  output.buf = nullptr;
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_inputs_set(rknn_context context, uint32_t n_inputs, rknn_input inputs[]) {
  return with_context("rknn_inputs_set", context, [&](ContextState& state) {
    require_pointer(inputs, "inputs");
    const size_t available = count(*state.context, Side::Input);
    for (uint32_t i = 0; i < n_inputs; ++i) {
      if (inputs[i].index >= available) {
        fail(Code::RuntimeBadInput, fmt::format("there is no input {}, the model has {}", inputs[i].index, available));
      }
      set_input(*state.context, inputs[i].index, array_of(inputs[i]));
    }
  });
}

int rknn_outputs_get(rknn_context context, uint32_t n_outputs, rknn_output outputs[], rknn_output_extend* extend) {
  return with_context("rknn_outputs_get", context, [&](ContextState& state) {
    require_pointer(outputs, "outputs");
    if (const std::exception_ptr failure = state.background.failure()) std::rethrow_exception(failure);
    const size_t available = count(*state.context, Side::Output);
    if (n_outputs > available) {
      fail(Code::RuntimeBadArgument, fmt::format("{} outputs are asked for, the model has {}", n_outputs, available));
    }
    const std::vector<uint32_t> indices = selection(outputs, n_outputs, available);
    uint32_t done = 0;
    try {
      for (; done < n_outputs; ++done) fill(state, outputs[done], indices[done]);
    } catch (...) {
      for (uint32_t i = 0; i < done; ++i) release(state, outputs[i]);
      throw;
    }
    if (extend != nullptr) extend->frame_id = state.frames;
  });
}

int rknn_outputs_release(rknn_context context, uint32_t n_ouputs, rknn_output outputs[]) {
  return with_context("rknn_outputs_release", context, [&](ContextState& state) {
    require_pointer(outputs, "outputs");
    for (uint32_t i = 0; i < n_ouputs; ++i) release(state, outputs[i]);
  });
}
