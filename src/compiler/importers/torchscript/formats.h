// Files of torch that are no TorchScript: recognised, and refused with what to do.
#pragma once

#include "compiler/importers/torchscript/archive.h"

namespace openrknn::torchscript {

/// Pickles of old torch. Throws Error (ImportBadFile).
void refuse_other_files(const MappedFile&);
/// Weights alone, torch.export's archives, other zip files. Throws Error (ImportBadFile).
void refuse_other_archives(const Archive&);

}  // namespace openrknn::torchscript
