// DarkNet (AlexeyAB's fork and the original): a .cfg and its .weights.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "compiler/importers/importer.h"

namespace openrknn::darknet {

/// Names are for messages. Throws Error with every problem.
Graph import_network(std::string_view cfg, const std::string& cfg_name, std::span<const std::byte> weights,
                     const std::string& weights_name, const ImportOptions&);

}  // namespace openrknn::darknet
