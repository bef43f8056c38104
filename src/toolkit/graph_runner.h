// Runs a graph as it stands on arrays from the outside: golden, `Graph.run`, `run --against`.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/executor/run.h"
#include "core/executor/segments.h"
#include "core/model/ports.h"

namespace openrknn {

/// Not thread-safe: one run at a time per object.
class GraphRunner {
 public:
  /// threads 0 = all of the machine. The options let tests ask for reference kernels or another CPU kind.
  explicit GraphRunner(Graph, int threads = 0, PlanOptions = {}, const Arithmetic& = {});
  ~GraphRunner();
  /// One array per graph input, in the layout of the source (Graph::input_orders), any numeric dtype (converted by
  /// value). Throws Error (RuntimeBadInput) listing every wrong count, shape and name. Outputs are laid out likewise,
  /// in the graph's dtypes.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs);
  /// For graphs whose shapes depend on data: called between parts of a run; what it throws ends the run.
  void set_checkpoint(std::function<void()>);
  const Graph& graph() const { return graph_; }

 private:
  std::vector<Tensor> run_logical(const std::vector<Tensor>& inputs);
  Graph graph_;
  std::vector<Port> inputs_, outputs_;
  ThreadPool pool_;
  Weights weights_;
  std::optional<Run> run_;             // one plan holds the whole graph, or
  std::optional<SegmentedRun> parts_;  // shapes depend on data
};

/// A compiled model of one set of shapes and no batch, else Error (NotBuilt), with every integer law replaced by real
/// numbers that are rounded once (docs/arithmetic.md, "ideal"): arrays and outputs as the simulator takes and gives
/// them.
std::vector<Tensor> run_ideal(const Model&, const std::vector<Tensor>& inputs, PortLayout, int threads = 0);

}  // namespace openrknn
