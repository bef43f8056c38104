// reg_custom_op: operators that the user's own code computes, in golden, calibration, analysis and simulator alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/executor/plan.h"

namespace openrknn {

struct CustomOperatorCode {
  std::string type;  ///< op_type, in whatever domain
  /// Types of the outputs from those of the inputs. Empty: what the file says of them.
  std::function<std::vector<CustomDeclaration::Type>(const Attributes&, std::span<const CustomDeclaration::Type>)>
      infer;
  /// Outputs from inputs: dense, logical order, float32 for real numbers. Called from any thread, by several at once
  /// while a build is calibrated. What it throws ends the run. Empty: the operator can be built, not run here.
  std::function<std::vector<Tensor>(const Attributes&, std::span<const Tensor>)> compute;
};

/// What importers are told of them.
std::vector<CustomDeclaration> declarations(const std::vector<CustomOperatorCode>&);
/// What a Plan of a graph with such nodes asks.
CustomCode custom_code(std::vector<CustomOperatorCode>);

/// A Custom node, as code needs it: what a graph says of it, without the graph.
struct CustomNode {
  struct Type {
    bool is_given = false;  ///< false: an optional input that is left out
    DType dtype = DType::Float32;
    Shape shape;
  };
  std::string name;
  Attributes attributes;
  std::vector<Type> inputs, outputs;
};
CustomNode custom_node(const Graph&, NodeId);

/// Runs the code on the memory of all inputs, then outputs, and checks its results. Throws Error (RuntimeCallFailed)
/// naming the node.
void compute_custom(const CustomOperatorCode&, const CustomNode&, std::span<std::byte* const> buffers);

}  // namespace openrknn
