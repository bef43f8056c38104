#include "compiler/analysis/graph_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/ports.h"

namespace openrknn {
namespace {

/// Real numbers as the value holds them.
Tensor represented(const Tensor& real, const Value& value) {
  return value.quant ? quantize_tensor(real, *value.quant, value.dtype) : cast(real, value.dtype);
}

}  // namespace

GraphStream::GraphStream(const Graph& graph, std::shared_ptr<const Plan> plan, ThreadPool& pool)
    : graph_(graph), pool_(pool), run_(std::move(plan), pool) {}

ValueId GraphStream::id_of(std::string_view layer) const {
  const ValueId id = graph_.find(layer);
  if (id == ValueId::None) fail(Code::GraphUnknownName, fmt::format("there is no layer '{}'", layer));
  return id;
}

void GraphStream::start(std::span<const Tensor> inputs) {
  if (inputs.size() != graph_.inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", inputs.size(), graph_.inputs.size()));
  }
  run_.restart();
  is_there_.assign(static_cast<size_t>(graph_.value_count()), false);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph_.inputs[i];
    run_.set(id, represented(inputs[i], graph_[id]));
    is_there_[static_cast<size_t>(id)] = true;
  }
}

void GraphStream::advance(std::string_view layer) {
  const ValueId id = id_of(layer);
  if (graph_[id].constant) return;
  while (!is_there_[static_cast<size_t>(id)]) {
    const NodeId node = run_.step();
    if (node == NodeId::None) fail(Code::Internal, fmt::format("no step computes the layer '{}'", layer));
    for (const ValueId output : graph_[node].outputs) {
      if (output != ValueId::None) is_there_[static_cast<size_t>(output)] = true;
    }
  }
}

LayerValues GraphStream::values(std::string_view layer) const {
  const ValueId id = id_of(layer);
  const Value& value = graph_[id];
  const Run::StoredBytes stored = run_.stored(id);
  return {.dtype = value.dtype,
          .quant = value.quant ? &*value.quant : nullptr,
          .shape = value.shape,
          .form = stored.form,
          .bytes = stored.bytes};
}

Tensor GraphStream::represented_here(const Tensor& real, const Value& value) {
  constexpr int64_t kChunk = 16384;
  if (buffer_.empty()) {
    int64_t largest = 0;
    for (int32_t i = 0; i < graph_.value_count(); ++i) {
      const Value& each = graph_[ValueId(i)];
      if (!each.constant) largest = std::max(largest, byte_size(each.dtype, element_count(each.shape)));
    }
    buffer_.resize(static_cast<size_t>(largest));
  }
  const int64_t element = bit_width(value.dtype) / 8, real_element = bit_width(real.dtype()) / 8;
  pool_.parallel_for((real.size() + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
    const int64_t first = chunk * kChunk, count = std::min(kChunk, real.size() - first);
    const auto part = real.bytes().subspan(static_cast<size_t>(first * real_element));
    const Tensor codes = represented(Tensor::view(real.dtype(), {count}, part, nullptr), value);
    std::copy(codes.bytes().begin(), codes.bytes().end(), buffer_.begin() + first * element);
  });
  return Tensor::view(value.dtype, real.shape(), buffer_, nullptr);
}

void GraphStream::replace(std::string_view layer, const LayerValues& real) {
  const LayerValues own = values(layer);
  const ValueId id = id_of(layer);
  // In the order of the layer's own bytes where possible: then the real numbers are read where they lie.
  const bool is_plain = own.form.rank == static_cast<int64_t>(own.shape.size()) && real.quant == nullptr;
  const bool direct = is_plain && same_order(own, real);
  const Tensor numbers =
      direct ? Tensor::view(real.dtype, physical_shape(own.shape, own.form), real.bytes, nullptr) : real_tensor(real);
  const Tensor given = represented_here(numbers, graph_[id]);
  // A Reshape is its input under another shape: it has the new numbers already, and the input may still be wanted.
  const Tensor held = direct ? Tensor() : logical_tensor(own);
  const std::span<const std::byte> present = direct ? own.bytes : held.bytes();
  if (std::equal(present.begin(), present.end(), given.bytes().begin(), given.bytes().end())) return;
  run_.set(id, given, direct ? own.form.layout : Layout::Logical);
}

}  // namespace openrknn
