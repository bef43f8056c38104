// Graph -> Plan: how this CPU computes a graph. Layouts, kernels and memory are fixed here; printable, never stored.
#pragma once

#include <memory>
#include <string>

#include "core/kernels/kernel.h"

namespace openrknn {

/// Computes a Custom node once: `buffers` of its inputs, then of its outputs, whole and in logical order (null where
/// one is left out). Runs of one Plan may call it at the same time. What it throws ends the run.
using CustomCompute = std::function<void(std::span<const Buffer> buffers)>;
/// The code of one Custom node; empty: there is none, and a run that meets the node fails (RuntimeUnregisteredOp).
using CustomCode = std::function<CustomCompute(const Graph&, NodeId)>;

struct PlanOptions {
  CpuFeatures cpu = detect_cpu();
  bool ideal = false;              ///< integers in real numbers, rounded once (reference kernels)
  bool reference_only = false;     ///< only kernels/reference: what the fast ones are judged against
  bool keep_all = false;           ///< every value stays readable after the run (analysis); more memory, no fusion
  bool fuse = true;                ///< elementwise nodes join the step before them; false: each node is a step
  std::span<const Kernel> custom;  ///< further rows, preferred over built-in ones
  CustomCode custom_code;          ///< asked for every Custom node
};

class Plan;

/// Throws Error (KernelMissing) listing every node without a kernel. The Plan keeps what it needs of the graph; the
/// Weights must outlive it. Immutable afterwards: may be shared by any number of Runs and threads.
std::shared_ptr<const Plan> plan(const Graph&, const Arithmetic&, const PlanOptions&, Weights&);

struct PlanSummary {
  int64_t steps = 0;
  int64_t conversions = 0;  ///< layout conversions that remain
  int64_t arena_bytes = 0;
  int64_t reference_steps = 0;  ///< steps left to a reference kernel
  int64_t fused_nodes = 0;      ///< nodes computed within another node's step
};
PlanSummary summary(const Plan&);
/// The layout the plan keeps a value in: inputs given to a Run in it are not permuted again.
Layout layout(const Plan&, ValueId);
/// One line a step: node, kernel, layouts, offsets.
std::string to_text(const Plan&);

/// Computes one node whose inputs are all constants, by reference kernels: the Evaluator of schema inference and
/// folding.
std::optional<std::vector<Tensor>> evaluate(const Graph&, NodeId);

}  // namespace openrknn
