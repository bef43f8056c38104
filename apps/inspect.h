// The verbs that look at a file and at a machine. Return exit codes.
#pragma once

#include <filesystem>

#include "compiler/importers/importer.h"

namespace openrknn {

struct InspectArguments {
  std::filesystem::path path;
  ImportOptions options;  ///< of model files of frameworks
  bool json = false;
};
int inspect(const InspectArguments&);
int doctor(bool json);

}  // namespace openrknn
