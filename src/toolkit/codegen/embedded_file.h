// A text file that the library carries (cmake/embed_files.cmake).
#pragma once

#include <string_view>

namespace openrknn {

struct EmbeddedFile {
  std::string_view path, text;
};

}  // namespace openrknn
