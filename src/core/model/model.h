// Model: what a compile gives and a .rknn holds.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// How the outside sees one input or output. Position i belongs to graph.inputs[i] / graph.outputs[i] of every variant.
struct Port {
  std::string name;               ///< as in the source model
  DType dtype = DType::Float32;   ///< as in the source model
  std::vector<int> source_order;  ///< source dims[i] = logical dims[source_order[i]]; empty = same order
  std::vector<float> mean, std;   ///< inputs: x' = (x - mean[c]) / std[c]; empty = none. One entry a channel
  std::string pixel_format;       ///< inputs: frames of this format (pixel_format.h); empty = whatever the shape says
  bool operator==(const Port&) const = default;
};

struct Model {
  std::vector<Graph> variants;  ///< one per input-shape set, largest first; constants and QuantParams shared
  std::vector<Port> inputs, outputs;
  std::string target;  ///< "rk3588"
  std::string custom_string, tool_version;
  std::string source_framework;  ///< "ONNX"
  Arithmetic arithmetic;
  int64_t batch = 1;             ///< items the engine computes one by one, over the cores; no dimension of the graphs
  bool single_core = false;      ///< runs on one core at a time: masks of several are refused
  bool sparse = false;           ///< layers of 4:2 sparse weights are computed as such on the NPU (docs/sparsity.md)
  bool compress_weight = false;  ///< the file's weights are packed (docs/rknn_file.md)
  bool remove_weight = false;    ///< the file is written without the weights of its layers (docs/rknn_file.md)
  std::optional<Graph> golden;   ///< only with keep_golden
  std::map<std::string, Tensor> sections;  ///< extra sections by name: pass log, notes; one day register programs
};

/// A shape as the outside sees it: the first extent counts the items of the whole batch; a scalar becomes a list of
/// them.
Shape with_batch(Shape, int64_t batch);

}  // namespace openrknn
