// What a model returns, as the graph's outputs.
#pragma once

#include <string>

#include "compiler/importers/importer.h"
#include "compiler/importers/torchscript/interpreter.h"

namespace openrknn::torchscript {

/// Every tensor in `result`, in order; what is an input, a constant or comes twice is a tensor of its own. Or those
/// that `outputs` of the options names. Throws Error.
void add_outputs(Interpreter&, const Value& result, const ImportOptions&, const std::string& file);

}  // namespace openrknn::torchscript
