// `openrknn run`: inputs from files or random numbers, outputs, comparison with another model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/model/ports.h"
#include "toolkit/compare.h"

namespace openrknn {

struct RunRequest {
  std::filesystem::path model;      ///< .rknn, or any model file an importer reads (then float32)
  std::vector<std::string> inputs;  ///< "name=file" or "file" by position: npy or image; empty = random
  uint64_t seed = 1;
  std::string against;   ///< another model file, "golden", or empty
  ImportOptions source;  ///< how a model file of a framework is read
  int threads = 0;       ///< of float models; the runtime that runs .rknn files takes OPENRKNN_THREADS
};
struct RunResult {
  std::vector<std::string> names;
  std::vector<Tensor> outputs;
  std::vector<OutputError> errors;  ///< with `against`
  double milliseconds = 0;          ///< one run, after a first one
};
/// Throws Error.
RunResult run_model(const RunRequest&);

}  // namespace openrknn
