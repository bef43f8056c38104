// Shapes and types of the graph's inputs: what the file says, completed by what the caller says.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "compiler/importers/onnx/wire.h"
#include "core/base/error.h"

namespace openrknn::onnx {

struct InputPlan {
  std::string name;
  DType dtype = DType::Float32;
  Shape shape;
  std::optional<Tensor> frozen;  ///< an initial value: the input is a constant
};

/// Dtype and shape of a tensor inside the model as translating the nodes before it gives them; nullopt if that fails.
using InferTensor = std::function<std::optional<std::pair<DType, Shape>>(Bytes name)>;

/// One plan for each of `names` that `is_needed`, in order. `options` are aligned with `names`. Adds to `problems` what
/// is missing or does not fit (ImportUnknownDimension, ImportShapeMismatch, ImportUnsupportedType, InvalidArgument).
std::vector<InputPlan> plan_inputs(const GraphProto&, const std::vector<Bytes>& names,
                                   const std::function<bool(Bytes)>& is_needed, const ImportOptions&,
                                   const InferTensor&, const std::string& file, Diagnostics& problems);

}  // namespace openrknn::onnx
