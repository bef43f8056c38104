// The dataset of an edited model: the same samples, with the arrays of edited inputs transformed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "toolkit/created_files.h"
#include "toolkit/onnx_edit_plan.h"

namespace openrknn {

class DatasetEdit {
 public:
  /// Checks every line, path and array header. Throws Error with all problems (Dataset…).
  DatasetEdit(const std::filesystem::path& dataset, const std::vector<EditedInput>&,
              const std::filesystem::path& model);

  /// Beside the model: dataset_for_<its stem>.txt
  const std::filesystem::path& list() const { return list_; }
  /// Arrays go into a folder of the list's name. Throws Error (DatasetBadArray, FileUnwritable).
  void write(CreatedFiles&) const;

 private:
  struct Item {
    std::filesystem::path source;
    std::optional<BoundEquation> equation;
    std::string target;  ///< where the transformed array goes, as the new list names it; what stays: the new path
  };
  class Reader;

  std::filesystem::path list_;
  std::vector<std::vector<Item>> samples_;
};

}  // namespace openrknn
