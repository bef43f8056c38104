// The inputs of a generated project, read as its program reads them, and what the simulator gives for them.
#pragma once

#include <string>
#include <vector>

#include "core/model/model.h"

namespace openrknn {

/// A file of the project.
struct ProjectFile {
  std::string path, bytes;
};

struct ProjectInputs {
  std::vector<std::string> paths;  ///< in the project, one per model input
  std::vector<ProjectFile> files;  ///< these, and pictures once more as PPM or PGM, for programs without libjpeg
  std::vector<Tensor> golden;      ///< the outputs of the model
};

/// `file` holds the bytes of the model. rgb_to_bgr: one for all inputs, one each, or none. Throws Error with the
/// problems of all inputs.
ProjectInputs read_project_inputs(const Model& model, const std::string& file, const std::vector<std::string>& inputs,
                                  const std::vector<bool>& rgb_to_bgr);

/// "data/inputs/NAME", where NAME holds letters, digits, '_', '-' and '.' alone: no shell, and no '#' between paths,
/// takes it for something else.
std::string input_path(std::string_view stem, std::string_view extension);
/// The same characters in `text`, '_' for others.
std::string plain_name(std::string_view text);

}  // namespace openrknn
