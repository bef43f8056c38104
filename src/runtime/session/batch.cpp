// ztu_modelrt_dispatch_batch: dimension 0 of the arrays is split into tasks that spread over the cores.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/session/engine.h"
#include "runtime/session/staging.h"
#include "runtime/session/waiter.h"

namespace openrknn::session {
namespace {

/// The number of samples all arrays agree on. Throws SessionError with the documented texts.
int64_t batch_size(const std::vector<InputSpec>& specs, const std::vector<const ArrayView*>& arrays) {
  int64_t batch = -1;
  for (size_t i = 0; i < specs.size(); ++i) {
    const ArrayView& array = *arrays[i];
    if (array.shape.empty()) throw SessionError("Batch input must have ndim >= 1");
    const std::vector<int64_t>& own = specs[i].arg.shape;
    if (own.empty() || (own[0] != 1 && own[0] != 0)) {
      throw SessionError("Batch mode requires model input batch dimension == 1");
    }
    if (batch >= 0 && array.shape[0] != batch) throw SessionError("Batch size mismatch across inputs");
    batch = array.shape[0];
  }
  if (batch <= 0) throw SessionError("Batch size must be greater than 0");
  return batch;
}

void check_shape(const InputSpec& spec, const ArrayView& array) {
  const auto fits = [&](const std::vector<int64_t>& own) {
    return own.size() == array.shape.size() && std::equal(own.begin() + 1, own.end(), array.shape.begin() + 1);
  };
  const std::vector<std::vector<int64_t>>& sets = spec.arg.shapes;
  if (fits(spec.arg.shape) || std::any_of(sets.begin(), sets.end(), fits)) return;
  std::vector<int64_t> expected = spec.arg.shape;
  expected[0] = array.shape[0];
  throw SessionError(fmt::format("Batch input '{}' shape mismatch: expected {}, got {}", spec.arg.name,
                                 shape_text(expected), shape_text(array.shape)));
}

ArrayView sample(const ArrayView& array, int64_t index) {
  ArrayView view = array;
  view.shape[0] = 1;
  const auto whole = static_cast<int64_t>(dense_bytes(array));
  const int64_t step = array.strides.empty() ? whole / array.shape[0] : array.strides[0];
  view.data = static_cast<const std::byte*>(array.data) + index * step;
  return view;
}

/// Results side by side along dimension 0; those without dimensions become a vector.
Array joined(std::vector<std::vector<Array>>& results, size_t output, BlockPool& pool) {
  const Array& first = results.front()[output];
  BlockPointer block = pool.take();
  BlockArray array{.type = first.type(), .rank = std::max<uint32_t>(1, static_cast<uint32_t>(first.shape().size()))};
  array.dims[0] = 1;
  std::copy(first.shape().begin(), first.shape().end(), array.dims.begin());
  array.dims[0] *= static_cast<int64_t>(results.size());
  block->arrays.push_back(array);
  block->allocate();
  const size_t bytes = first.size() * element_bytes(first.type());
  for (size_t i = 0; i < results.size(); ++i) {
    const Array& part = results[i][output];
    if (!std::equal(part.shape().begin(), part.shape().end(), first.shape().begin(), first.shape().end())) {
      throw SessionError("Batch output attr shape mismatch");
    }
    std::memcpy(block->data(0) + i * bytes, part.data(), bytes);
  }
  return Array(block.get(), 0);
}

}  // namespace

std::vector<Array> Engine::run_batch(const OutputNames& names, const Feed& feed, int64_t timeout_ms) {
  const Clock::time_point deadline =
      timeout_ms > 0 ? Clock::now() + std::chrono::milliseconds(timeout_ms) : Clock::time_point::max();
  std::vector<size_t> selection;
  select(names, selection);
  std::vector<const ArrayView*> arrays;
  order_arrays(facts_.input_specs, feed, arrays);
  const int64_t batch = batch_size(facts_.input_specs, arrays);
  for (size_t i = 0; i < arrays.size(); ++i) check_shape(facts_.input_specs[i], *arrays[i]);

  // Every sample is submitted and waited for in order; the first failure is the batch's, the others run on.
  std::vector<std::shared_ptr<Waiter>> waiters;
  for (int64_t i = 0; i < batch; ++i) {
    Feed one{Feed::Kind::List, {}};
    for (const ArrayView* array : arrays) one.arrays.emplace_back("", sample(*array, i));
    auto waiter = std::make_shared<Waiter>();
    submit(selection, one, waiter);
    waiters.push_back(std::move(waiter));
  }
  std::vector<std::vector<Array>> results;
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    if (!waiter->wait(deadline)) {
      throw TimeoutError(fmt::format("run timed out: the batch was not done within {} ms", timeout_ms));
    }
    results.push_back(waiter->take());
  }
  std::vector<Array> outputs;
  for (size_t i = 0; i < selection.size(); ++i) outputs.push_back(joined(results, i, *output_blocks_));
  return outputs;
}

}  // namespace openrknn::session
