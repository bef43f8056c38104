// TFLite (.tflite, schema 3) into the graph.
#pragma once

#include <memory>

#include "compiler/importers/importer.h"
#include "core/base/file.h"

namespace openrknn::tflite {

/// Throws Error with every problem found.
Graph import_model(std::shared_ptr<const MappedFile>, const ImportOptions&);

}  // namespace openrknn::tflite
