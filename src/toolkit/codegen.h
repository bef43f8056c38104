// A C++ project for one model: sources, build scripts, the model, and inputs with the outputs the simulator gives for
// them (docs/codegen.md). The sources are the files of toolkit/codegen/templates.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace openrknn {

struct CodegenRequest {
  std::filesystem::path model;      ///< a .rknn file
  std::filesystem::path folder;     ///< of the project
  std::vector<std::string> inputs;  ///< an image or .npy file per model input; empty: no inputs, no golden outputs
  std::vector<bool> rgb_to_bgr;     ///< images only: one for all inputs, or one each; empty: as they are
  bool overwrite = false;           ///< replace a project that is there
};
/// Writes the project, complete or not at all. Throws Error: the folder exists, or an input cannot be read or does not
/// fit (all problems of the inputs together).
void generate_project(const CodegenRequest&);

}  // namespace openrknn
