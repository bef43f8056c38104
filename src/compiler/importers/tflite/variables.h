// Variables: what a model keeps from run to run.
#pragma once

#include <functional>

#include "compiler/importers/tflite/model.h"

namespace openrknn::tflite {

inline constexpr int32_t kCallOnce = 129, kVarHandle = 142, kReadVariable = 143, kAssignVariable = 144;

/// Takes the operators of variables out of the model: a variable has what its graph of initialisation assigns when a
/// run begins, as in the first run of a fresh interpreter, and what reads it afterwards reads the tensor that was
/// assigned last. `subgraph` reads another graph of the file. Throws Error.
void resolve_variables(SourceModel&, const std::function<SourceModel(size_t)>& subgraph);

}  // namespace openrknn::tflite
