// What a model file of a framework holds, before anything is converted: as text and as JSON.
#pragma once

#include <filesystem>
#include <string>

#include "compiler/importers/importer.h"

namespace openrknn {

/// Framework, inputs and outputs, operators with their numbers, weights by type, properties of the file. Of a file that
/// says no shapes of its inputs, before they are given: what its code takes and calls. Throws Error as an import does.
std::string inspect_source_text(const std::filesystem::path&, const ImportOptions&);
std::string inspect_source_json(const std::filesystem::path&, const ImportOptions&);

}  // namespace openrknn
