// The folder that accuracy_analysis leaves: every layer's numbers, golden's and the built graph's, as text and as .npy.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/analysis/analyze.h"

namespace openrknn {

/// Every file is written beside its place and renamed, so none is ever half there.
class Snapshot {
 public:
  /// Makes the folders. Throws Error (FileUnwritable).
  Snapshot(std::filesystem::path folder, std::vector<LayerRow> rows);
  /// golden/NAME.txt, golden/npy/NAME.npy, simulator/…: the text has one number a line.
  void write(size_t row, const LayerValues& golden, const LayerValues& built) const;
  /// runtime/NAME.txt, runtime/npy/NAME.npy: a device's. The folders are made with the first.
  void write_runtime(size_t row, const LayerValues& runtime) const;
  /// error_analysis.txt and, where files are named otherwise than tensors, map_name_to_file.txt (one "tensor<TAB>file"
  /// a line).
  void finish(const std::string& table) const;

  std::filesystem::path table_path() const { return folder_ / "error_analysis.txt"; }
  std::filesystem::path report_path() const { return folder_ / "report.html"; }
  std::filesystem::path map_path() const { return folder_ / "map_name_to_file.txt"; }
  bool has_map() const;

 private:
  std::filesystem::path folder_;
  std::vector<LayerRow> rows_;
  std::vector<std::string> files_;  // by row, without extension
};

/// Names for files, one per tensor and all different: '/', '\', '.', ':' and control characters become '_'; a name that
/// needs no change keeps itself.
std::vector<std::string> file_names(const std::vector<std::string>& tensors);

}  // namespace openrknn
