// A graph that is run step by step: golden, or the built graph on the simulator's kernels. Memory is one arena, planned
// by liveness: layers are looked at while they are there, none is kept.
#pragma once

#include <memory>

#include "compiler/analysis/layer_stream.h"
#include "core/executor/run.h"

namespace openrknn {

class GraphStream : public LayerStream {
 public:
  /// The plan is one of `graph` without fusion (PlanOptions::fuse = false); graph and pool must outlive the stream.
  GraphStream(const Graph& graph, std::shared_ptr<const Plan>, ThreadPool&);
  void start(std::span<const Tensor> inputs) override;
  void advance(std::string_view layer) override;
  LayerValues values(std::string_view layer) const override;
  void replace(std::string_view layer, const LayerValues& real) override;

 private:
  ValueId id_of(std::string_view layer) const;
  /// As the value holds them, in buffer_.
  Tensor represented_here(const Tensor& real, const Value&);
  const Graph& graph_;
  ThreadPool& pool_;
  Run run_;
  std::vector<bool> is_there_;  // by value: given or computed in this sample
  // One for all layers, of the largest's size: allocations that come and go would cost several times as much, because
  // the allocator keeps what is freed for later.
  std::vector<std::byte> buffer_;
};

}  // namespace openrknn
