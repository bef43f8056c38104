// Runs graphs that no single plan can hold: extents that depend on data, If, Loop and Scan.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/executor/run.h"

namespace openrknn {

/// The node ends a segment: only a run can tell its output extents, or which graphs it computes.
bool ends_segment(const Graph&, NodeId);
/// Some node does, or some extent is unknown: plan() refuses the graph, SegmentedRun computes it.
bool needs_segments(const Graph&);
/// For whoever needs fixed shapes: throws Error (NotBuilt) naming every node that ends a segment.
void require_fixed_shapes(const Graph&, std::string_view who);

/// Between two nodes that end a segment everything follows from the shapes of what goes in. So each such part is a
/// graph of its own, planned when its shapes are known and kept for the next time they occur.
class SegmentedRun {
 public:
  /// `options` as for plan(), without keep_all. The pool must outlive the run.
  SegmentedRun(Graph, const Arithmetic&, const PlanOptions&, ThreadPool&);
  ~SegmentedRun();
  SegmentedRun(SegmentedRun&&) noexcept;
  SegmentedRun& operator=(SegmentedRun&&) noexcept;

  /// One tensor per input; one per output. Throws Error (RuntimeBadInput, OutOfMemory, …) naming the node.
  std::vector<Tensor> run(std::span<const Tensor> inputs);
  /// Called before every segment, so at least once an iteration of a loop; what it throws ends the run.
  void set_checkpoint(std::function<void()>);
  /// Plans made so far, those of bodies included.
  int64_t plans_made() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace openrknn
