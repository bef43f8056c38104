// The TorchScript importer within this folder.
#pragma once

#include "compiler/importers/importer.h"
#include "compiler/importers/torchscript/archive.h"

namespace openrknn::torchscript {

/// An archive that is open, as fuzzing has it. Throws Error.
Graph import_archive(const Archive&, const ImportOptions&);

}  // namespace openrknn::torchscript
