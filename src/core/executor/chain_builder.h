// Which nodes join the step before them while a plan is made.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/executor/chain.h"
#include "core/executor/plan_draft.h"

namespace openrknn {

/// Where a node joins: the step that computes its input `input`.
struct Joint {
  size_t step = 0, input = 0;
};

class ChainBuilder {
 public:
  /// `nodes`: all that the plan runs. Everything must outlive the builder.
  ChainBuilder(const Graph&, std::span<const NodeId> nodes, Draft&, Plan&);

  /// An elementwise node joins the step that computes one of its inputs if nobody else reads that value and all other
  /// inputs are there before the step.
  std::optional<Joint> find(NodeId, const NodeForms&, const Prepared&) const;
  /// `operands` are the node's inputs as the draft knows them.
  void join(NodeId, const Joint&, const std::vector<int>& operands, Form output, Prepared);
  /// Writes the chains into the plan's steps.
  void finish();

 private:
  bool computes_only(size_t step, int storage) const;
  bool is_there_before(size_t step, ValueId, Form) const;
  void add_operand(size_t step, int operand);

  const Graph& graph_;
  Draft& draft_;
  Plan& plan_;
  std::vector<int> readers_;        // by ValueId; being an output of the graph counts
  std::map<size_t, Chain> chains_;  // by step
};

}  // namespace openrknn
