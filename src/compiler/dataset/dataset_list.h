// A dataset file as a list: its text, its lines, and where the paths in them lead.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/dataset/dataset_line.h"
#include "core/base/file.h"

namespace openrknn {

/// Throws Error (DatasetUnreadable).
std::shared_ptr<const MappedFile> open_dataset_list(const std::filesystem::path&);
/// The text without a byte order mark. Throws Error (DatasetUnreadable) for binary files, UTF-16 and too much.
std::string_view dataset_text(const MappedFile&);

/// Paths of one list lead from its folder, else from the working directory.
class DatasetPaths {
 public:
  explicit DatasetPaths(const std::filesystem::path& list) : folder_(list.parent_path()) {}

  std::optional<std::filesystem::path> find(const std::string& path) const;
  /// What helps where nothing is found.
  std::string advice_for_missing(const std::string& path) const;
  /// The paths of a line, one for each of `inputs`. A line that is as a whole the name of a file is that file, blanks
  /// or not, where one path is expected.
  DatasetLine split(std::string_view line, size_t inputs) const;

 private:
  std::filesystem::path folder_;
};

/// Calls take(number, line) for every line with content, 1 the first.
template <class Take>
void for_each_dataset_line(std::string_view text, const Take& take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    take(number, trimmed(text.substr(0, end)));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

}  // namespace openrknn
