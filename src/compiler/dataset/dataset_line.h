// One line of a dataset file, as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

struct DatasetLine {
  std::vector<std::string> paths;  ///< none: a blank or a comment line
  std::string problem;             ///< why the line cannot be read; empty = it can
};

/// Paths stand apart by blanks or tabs; "…" holds one path that has blanks; a line that begins with # is a comment.
DatasetLine parse_dataset_line(std::string_view line);
/// The line without what surrounds its content: blanks, tabs, a carriage return.
std::string_view trimmed(std::string_view line);

}  // namespace openrknn
