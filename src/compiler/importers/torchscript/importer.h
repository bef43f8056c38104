// The TorchScript importer within this folder.
#pragma once

#include "compiler/importers/importer.h"
#include "compiler/importers/torchscript/archive.h"

namespace openrknn::torchscript {

/// The two steps of import_torchscript: a file that is mapped, and an archive that is open. Throw Error.
Graph import_file(const std::shared_ptr<const MappedFile>&, const ImportOptions&);
Graph import_archive(const Archive&, const ImportOptions&);

}  // namespace openrknn::torchscript
