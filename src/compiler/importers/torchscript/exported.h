// Archives of torch.export (.pt2): their graph is JSON, its nodes are the operators that TorchScript's code calls.
#pragma once

#include "compiler/importers/importer.h"
#include "compiler/importers/torchscript/archive.h"

namespace openrknn::torchscript {

bool is_exported(const Archive&);
/// Throws Error.
Graph import_exported(const Archive&, const ImportOptions&);

}  // namespace openrknn::torchscript
