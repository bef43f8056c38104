// Frameworks that keep a network in two files: a text that says its layers, and the numbers of their weights.
#pragma once

#include <filesystem>
#include <string_view>

#include "compiler/importers/importer.h"

namespace openrknn {

struct TwoFiles {
  std::filesystem::path text, weights;
};

/// Either may be named. The weights are where ImportOptions::weights says, else beside the text under its name.
/// Extensions with their dots.
inline TwoFiles two_files(const std::filesystem::path& named, std::string_view text, std::string_view weights,
                          const ImportOptions& options) {
  const auto with = [&](std::string_view extension) {
    return std::filesystem::path(named).replace_extension(extension);
  };
  return {named.extension() == weights ? with(text) : named, options.weights.empty() ? with(weights) : options.weights};
}

}  // namespace openrknn
