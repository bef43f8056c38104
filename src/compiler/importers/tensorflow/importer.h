// TensorFlow's frozen GraphDef (.pb) into the graph.
#pragma once

#include <memory>

#include "compiler/importers/importer.h"
#include "core/base/file.h"

namespace openrknn::tensorflow {

/// Throws Error with every problem found.
Graph import_graph(std::shared_ptr<const MappedFile>, const ImportOptions&);

}  // namespace openrknn::tensorflow
