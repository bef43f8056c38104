// Changes the shapes of an ONNX file's inputs and outputs by equations (dimension_equation.h), and the dataset with it.
// docs/onnx_edit.md.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace openrknn {

struct OnnxEdit {
  std::filesystem::path model, output;
  std::vector<std::pair<std::string, std::string>> inputs, outputs;  ///< name and equation
  std::filesystem::path dataset;                                     ///< of the model as it is; empty: none
};

struct OnnxEditResult {
  std::vector<std::string> texts;  ///< what was done to each tensor, several lines a text
  std::filesystem::path dataset;   ///< the one of the edited model; empty: none
};

/// Writes the edited model, and where they are needed the files its tensors lie in and the dataset of its new inputs.
/// All of it or nothing. Throws Error with every problem found (ConfigBadValue, ImportExternalData, Dataset…, …).
OnnxEditResult edit_onnx(const OnnxEdit&);

}  // namespace openrknn
