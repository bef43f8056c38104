// The part of a .rknn that viewers made for vendor files (netron, rknncli) can read: graph, shapes, names. Our own
// reader never looks at it, except to describe files that are not ours.
#pragma once

#include <string>

#include "core/model/model.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {

struct Face {
  std::string body;  ///< FlatBuffer, identifier RKNN
  std::string json;
};

/// The largest variant as viewers know graphs: InputOperator and OutputOperator bracket the nodes.
Face make_face(const Model&);

/// Fills compiler, runtime_target, framework, inputs and outputs from a FlatBuffer body; false if it is none.
bool read_face(std::span<const std::byte> body, FileDescription&);

}  // namespace openrknn
