// Python's pickles as TorchScript and state dictionaries write them. A closed list of opcodes and of constructors is
// known; nothing is ever executed, and everything else is refused by name and place.
#pragma once

#include <string>

#include "compiler/importers/torchscript/archive.h"
#include "compiler/importers/torchscript/value.h"

namespace openrknn::torchscript {

/// The value in `entry`, its tensors looking into "{folder}/…". Throws Error (ImportBadFile, ImportTruncated,
/// ImportUnsupportedType).
Value read_pickle(const Archive&, const std::string& entry, const std::string& folder);

/// The dtype of torch's number (7: float64). Floats of every width are computed in float32. Throws Error.
DType dtype_of_number(int64_t scalar_type);
int64_t number_of_dtype(DType);

}  // namespace openrknn::torchscript
