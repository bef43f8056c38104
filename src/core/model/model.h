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
  bool operator==(const Port&) const = default;
};

struct Model {
  std::vector<Graph> variants;  ///< one per input-shape set, largest first; constants and QuantParams shared
  std::vector<Port> inputs, outputs;
  std::string target;  ///< "rk3588"
  std::string custom_string, tool_version;
  std::string source_framework;  ///< "ONNX"
  Arithmetic arithmetic;
  int64_t batch = 1;
  std::optional<Graph> golden;             ///< only with keep_golden
  std::map<std::string, Tensor> sections;  ///< extra sections by name: pass log, notes; one day register programs
};

}  // namespace openrknn
