// Graph -> ONNX: the inverse of importers/onnx. What is written is docs/onnx_export.md.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/graph/graph.h"

namespace openrknn {

/// The opset and file version written. 21 is the first with QuantizeLinear of 4 and 16 bits; onnxruntime 1.18 reads it.
inline constexpr int64_t kOnnxOpset = 21, kOnnxIrVersion = 10;
/// Where operators go that ONNX does not have, under our own names and attributes.
inline constexpr std::string_view kOnnxOwnDomain = "openrknn";

struct OnnxNames {
  /// What the outside calls the graph's inputs and outputs (names of ports); empty: as the graph does.
  std::vector<std::string> inputs, outputs;
  std::string graph = "openrknn";
  std::map<std::string, std::string> metadata;  ///< further properties of the file
};

/// Writes a float graph, or a quantized one with QuantizeLinear and DequantizeLinear around the values kept as codes
/// and Cast around those kept as float16. Inputs and outputs are float32 where they stand for real numbers. Throws
/// Error (NotBuilt for a node ONNX cannot say, FileUnwritable for more than 2 GiB) before anything is written.
void write_onnx(const Graph&, const OnnxNames&, Sink&);

}  // namespace openrknn
