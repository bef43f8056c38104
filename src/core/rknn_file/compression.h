// The "weights-zlib" section: the bytes of "weights" in chunks that zlib has packed. Smaller files, no number changes;
// reading unpacks them into memory, where other files are used as they lie.
#pragma once

#include <memory>
#include <string>

#include "core/rknn_file/container.h"

namespace openrknn {

/// The section's bytes. Chunks that zlib does not make smaller are kept as they are. Throws Error (RuntimeLibrary) if
/// there is no zlib.
std::string compress_weights(std::span<const Bytes> pieces);

/// The weights, at an address that is a multiple of 64. Trusts nothing: no more memory than the section's size can
/// stand for is allocated. Throws Error (RknnInvalid for what does not fit together, RuntimeLibrary).
struct Unpacked {
  std::shared_ptr<const void> owner;
  Bytes bytes;
};
Unpacked decompress_weights(Bytes section, const std::string& file);

}  // namespace openrknn
