// <name>.quantization.cfg, the file between the two steps of hybrid quantization that users edit
// (docs/hybrid_files.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

/// How a tensor is kept. Lists have one entry, or none where the tensor is no code.
struct TensorParameters {
  std::string name;
  std::string qtype = "asymmetric_quantized", qmethod = "layer", dtype;
  std::vector<double> min, max, scale, ori_min, ori_max;
  std::vector<int64_t> zero_point;
  int64_t line = 0;  ///< in the file it was read from
};

/// One line of custom_quantize_layers.
struct CustomLayer {
  std::string name, dtype;
  std::string comment = {};  ///< written behind it
  int64_t line = 0;
};

struct HybridConfig {
  std::vector<CustomLayer> layers;
  std::vector<TensorParameters> parameters;
};

/// In the shapes users' scripts replace and match: `custom_quantize_layers: {}`, `    name:`, block lists.
std::string to_text(const HybridConfig&);

/// Reads any YAML of that content; further top-level keys are ignored. `file` is for messages. Throws Error
/// (ConfigBadValue) with file and line; nothing of the text makes it slow, deep or large.
HybridConfig parse_hybrid_config(std::string_view text, const std::string& file);

}  // namespace openrknn
