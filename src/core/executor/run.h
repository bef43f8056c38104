// Run: one execution in progress of a Plan. One per thread of control; cheap to reuse.
#pragma once

#include <memory>
#include <span>

#include "core/base/thread_pool.h"
#include "core/executor/memory_order.h"
#include "core/executor/plan.h"

namespace openrknn {

class Run {
 public:
  Run(std::shared_ptr<const Plan>, ThreadPool&);
  /// Computes in memory of the caller: at least summary().arena_bytes, at a multiple of 64 (else Error
  /// InvalidArgument). Results lie there too, and are lost when somebody else writes there.
  Run(std::shared_ptr<const Plan>, ThreadPool&, std::span<std::byte> arena);
  ~Run();
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;

  /// An input (logical layout; dtype and shape must match, else Error RuntimeBadInput), or any value before it is
  /// read: "single" analysis feeds golden values in. Inputs stay for later runs; a computed value is replaced once, in
  /// the pass under way or, given before its node ran, when that node has run. Computed values that share their memory
  /// with another one still wanted (Reshape) are refused unless the plan has keep_all.
  /// `given` says in which layout the bytes are; shape() is always the logical one's permutation by it.
  void set(ValueId, const Tensor&, Layout given = Layout::Logical);
  /// Runs the next node and returns it; None at the end (the next step() starts over). Profile, snapshot and cancel
  /// are loops around it.
  NodeId step();
  /// The next step() starts over; results of the latest pass stay readable until then.
  void restart();
  /// All steps from the start.
  void run();
  /// Logical layout, a copy. Valid for graph outputs after the run, for what the last step wrote, and for every value
  /// with PlanOptions::keep_all. Throws Error (GraphUnknownName) otherwise.
  Tensor get(ValueId) const;
  /// The bytes where they lie, in the plan's physical order, without a copy: what order-free statistics read.
  std::span<const std::byte> raw(ValueId) const;
  /// The bytes of any copy that is there, and their order: a value that readers take in another layout than its writer
  /// gave lives on as a copy in theirs. Throws like get().
  struct StoredBytes {
    std::span<const std::byte> bytes;
    Form form;
  };
  StoredBytes stored(ValueId) const;
  /// The layout the plan keeps the value in; inputs given in it are not permuted again.
  Layout layout(ValueId) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Convenience: all inputs in, all outputs out.
std::vector<Tensor> run_graph(const Graph&, const Arithmetic&, std::span<const Tensor> inputs, ThreadPool&,
                              const PlanOptions& = {});

}  // namespace openrknn
