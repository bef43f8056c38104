// Control flow that is decided while importing.
#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void branch(Translation& t) {
  const std::vector<int64_t> condition = t.known_ints(0, "the condition");
  if (condition.size() != 1) t.fail(Code::ImportShapeMismatch, "the condition must be one boolean");
  const AttributeProto* taken = t.attribute(condition[0] != 0 ? "then_branch" : "else_branch", AttributeKind::Graph);
  if (taken == nullptr || taken->graph == nullptr)
    t.fail(Code::ImportBadFile, "a branch is missing", "export the model again");
  inline_branch(t.builder(), t.scope(), t.node(), *taken->graph, t.origin());
}

constexpr OperatorRow kRows[] = {{"If", 1, 28, branch}};

}  // namespace

std::span<const OperatorRow> control_operators() { return kRows; }

}  // namespace openrknn::onnx
