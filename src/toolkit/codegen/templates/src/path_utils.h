// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace rknn_app {

/// "a.npy#b.jpg" -> {"a.npy", "b.jpg"}
inline std::vector<std::string> split_paths(const std::string& joined) {
  std::vector<std::string> paths(1);
  for (const char letter : joined) {
    if (letter == '#') {
      paths.emplace_back();
    } else {
      paths.back() += letter;
    }
  }
  return paths;
}

/// What follows the last dot, in small letters: "npy". Empty without one.
inline std::string extension_of(const std::string& path) {
  const size_t dot = path.find_last_of("./");
  if (dot == std::string::npos || path[dot] != '.') return "";
  std::string extension = path.substr(dot + 1);
  for (char& letter : extension) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return extension;
}

/// File stems for tensors: their names with everything but letters and digits replaced by '_'. One that was there
/// already gets its position behind it.
inline std::vector<std::string> file_stems(const std::vector<std::string>& names) {
  constexpr size_t kLongest = 200;  // file systems allow 255 bytes
  std::vector<std::string> stems;
  for (const std::string& name : names) {
    std::string stem = name.empty() ? "output" : name.substr(0, kLongest);
    for (char& letter : stem) {
      const bool keep =
          (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
      if (!keep) letter = '_';
    }
    while (std::find(stems.begin(), stems.end(), stem) != stems.end()) stem += "_" + std::to_string(stems.size());
    stems.push_back(stem);
  }
  return stems;
}

}  // namespace rknn_app
