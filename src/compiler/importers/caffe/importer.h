// Caffe: a .prototxt and its .caffemodel.
#pragma once

#include <string>
#include <string_view>

#include "compiler/importers/importer.h"
#include "core/base/file.h"

namespace openrknn::caffe {

/// `name` is for messages. Throws Error with every problem.
Graph import_net(std::string_view prototxt, const std::string& name, const MappedFile& caffemodel,
                 const ImportOptions&);

}  // namespace openrknn::caffe
