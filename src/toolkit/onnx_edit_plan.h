// What an OnnxEdit asks of one model: checked, and turned into changes of its file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/exporters/onnx/edit.h"
#include "compiler/importers/onnx/wire.h"
#include "toolkit/dimension_equation.h"
#include "toolkit/onnx_edit.h"

namespace openrknn {

/// An input of the model as a dataset gives it.
struct EditedInput {
  std::string name;
  std::optional<std::vector<DeclaredExtent>> shape;  ///< as it was; nullopt: not declared
  std::optional<DimensionEquation> equation;         ///< nullopt: it stays
};

struct OnnxEditPlan {
  onnx_export::GraphEdit changes;
  std::vector<EditedInput> inputs;  ///< those a run takes, in order
  std::vector<std::string> texts;
};

/// Adds every problem; the plan is good for something only if there is none.
OnnxEditPlan plan_onnx_edit(const onnx::ModelProto&, const OnnxEdit&, Diagnostics&);

/// Names of values and nodes that are not taken yet.
class FreshNames {
 public:
  explicit FreshNames(const onnx::GraphProto&);
  std::string make(const std::string& wish);

 private:
  std::set<std::string> taken_;
};

/// Nodes that lead the value `from`, whose dimensions are `groups`, by these steps to the value `to`.
std::vector<onnx_export::NodeMessage> nodes_of(const std::vector<DimensionStep>&, const DimensionGroups& groups,
                                               const BoundEquation&, const std::string& from, const std::string& to,
                                               FreshNames&);

}  // namespace openrknn
