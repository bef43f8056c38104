// <name>.data: everything step 2 of hybrid quantization needs, in the container of .rknn files (docs/hybrid_files.md).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/quantize/quantize.h"
#include "core/base/file.h"
#include "core/model/model.h"
#include "toolkit/argument_value.h"

namespace openrknn {

struct HybridData {
  std::vector<Graph> goldens;  ///< one for each set of input shapes, largest first
  std::vector<Port> inputs, outputs;
  Calibration calibration;
  ArgumentValues config;  ///< what config() was given
  std::string target, framework;
  int64_t batch = 1;
  std::string name;        ///< stem of the three files
  std::string model_hash;  ///< XXH3 of <name>.model
  std::string parameters;  ///< <name>.quantization.cfg as it was written
};

void write_hybrid_data(const HybridData&, Sink&);
/// Throws Error (FileNotFound; RknnDamaged and its like for everything that is not a whole file of this kind).
HybridData read_hybrid_data(const std::filesystem::path&);

}  // namespace openrknn
