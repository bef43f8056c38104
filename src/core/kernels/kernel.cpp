#include "core/kernels/kernel.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base/thread_pool.h"

namespace openrknn {
namespace {

constexpr size_t kAlignment = 64, kReadablePadding = 64;

/// Zeroed memory as Buffer promises it: aligned, and readable a little past its end.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t size) : storage_(size + kAlignment + kReadablePadding) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + (kAlignment - address % kAlignment) % kAlignment;
  }
  std::byte* data() { return data_; }

 private:
  std::vector<std::byte> storage_;
  std::byte* data_;
};

size_t operand_bytes(const Operand& operand) {
  return static_cast<size_t>(byte_size(operand.dtype, element_count(operand.shape)));
}

void check_inputs(const Call& call, std::span<const Tensor> inputs) {
  const Location where{.node = call.node.name};
  if (inputs.size() != call.inputs.size()) {
    fail(Code::Internal, where,
         fmt::format("{} tensors given for the {} inputs of {}", inputs.size(), call.inputs.size(), call.node.op));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Operand& operand = call.inputs[i];
    if (!operand.present) continue;
    if (inputs[i].dtype() != operand.dtype || inputs[i].bytes().size() != operand_bytes(operand)) {
      fail(Code::Internal, where,
           fmt::format("input {} of {} is {}{}, expected {}{}", i, call.node.op, name(inputs[i].dtype()),
                       to_string(inputs[i].shape()), name(operand.dtype), to_string(operand.shape)));
    }
  }
}

}  // namespace

Weights::Packed Weights::get(const std::string& key, const std::function<std::vector<std::byte>()>& build) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = packed_.find(key); found != packed_.end()) return found->second;
  }
  // Built without the lock: packing is slow, and other keys should not wait for it. If two threads build the same
  // key, the first one in stays, so that every holder shares one copy.
  Packed packed = std::make_shared<const std::vector<std::byte>>(build());
  const std::lock_guard lock(mutex_);
  return packed_.emplace(key, std::move(packed)).first->second;
}

std::string Weights::identity(const Tensor& tensor) {
  return fmt::format("{}:{}:{}", static_cast<const void*>(tensor.bytes().data()), tensor.bytes().size(),
                     name(tensor.dtype()));
}

int64_t Weights::bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t total = 0;
  for (const auto& [key, packed] : packed_) total += static_cast<int64_t>(packed->size());
  return total;
}

std::vector<Tensor> run_kernel(const Kernel& kernel, const Call& call, std::span<const Tensor> inputs,
                               Weights& weights) {
  check_inputs(call, inputs);
  std::vector<AlignedBytes> memory;
  std::vector<Buffer> buffers;
  memory.reserve(call.inputs.size() + call.outputs.size());
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    buffers.push_back({});
    if (!call.inputs[i].present) continue;
    const std::span<const std::byte> bytes = inputs[i].bytes();
    memory.emplace_back(bytes.size());
    buffers.back().data = memory.back().data();
    if (!bytes.empty()) std::memcpy(buffers.back().data, bytes.data(), bytes.size());
  }
  for (const Operand& operand : call.outputs) {
    buffers.push_back({});
    if (!operand.present) continue;
    memory.emplace_back(operand_bytes(operand));
    buffers.back().data = memory.back().data();
  }
  const FloatEnvironment environment;
  const Prepared prepared = kernel.prepare(call, weights);
  AlignedBytes scratch(static_cast<size_t>(prepared.scratch));
  for (int64_t tile = 0; tile < prepared.tiles; ++tile) kernel.run(prepared, buffers, tile, scratch.data());
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const Operand& operand = call.outputs[i];
    if (!operand.present) {
      outputs.emplace_back();
      continue;
    }
    Tensor tensor(operand.dtype, operand.shape);
    const std::span<std::byte> bytes = tensor.mutable_bytes();
    if (!bytes.empty()) std::memcpy(bytes.data(), buffers[call.inputs.size() + i].data, bytes.size());
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

}  // namespace openrknn
