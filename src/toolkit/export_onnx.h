// A model as an ONNX file: golden in float32, or the quantized graph with QuantizeLinear and DequantizeLinear.
#pragma once

#include <filesystem>

#include "core/graph/graph.h"
#include "core/model/model.h"

namespace openrknn {

/// The compiled graph of the largest input shapes, one item of a batch; inputs are the source model's (without mean and
/// std). Half a file is never left. Throws Error (NotBuilt, FileUnwritable).
void export_onnx(const Model&, const std::filesystem::path&);
/// A float graph as it stands.
void export_onnx(const Graph&, const std::filesystem::path&);

}  // namespace openrknn
