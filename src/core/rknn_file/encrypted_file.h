// Encrypted .rknn files: what is readable of them, their header, and the chunks that hold a whole plain file. Layout:
// docs/rknn_file.md; what each level is worth: docs/encryption.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/base/file.h"
#include "core/rknn_file/container.h"
#include "core/rknn_file/model_key.h"

namespace openrknn {

/// What stays readable in an encrypted file. Weights and stored integers never do.
enum class EncryptionLevel : uint8_t {
  Graph = 1,    ///< the frame of the plain file: viewers show operators, names, shapes and types
  Target = 2,   ///< a frame that tells compiler, target and source framework, of an empty graph
  Nothing = 3,  ///< no frame, and a size that is rounded up
};

/// What an encrypted file says of itself without any key.
struct Encryption {
  EncryptionLevel level = EncryptionLevel::Graph;
  bool has_user_key = false;  ///< false: the key is in every OpenRKNN, so it only deters
};
/// "level 1 of 3, with the built-in key, …": a sentence for people.
std::string to_string(const Encryption&);

/// None for files that are not encrypted. Checks the header's own checksum, no more. Throws what read_frame() throws,
/// and Error (RknnTruncated, RknnDamaged, RknnNewerVersion).
std::optional<Encryption> encryption_of(const MappedFile&);

struct EncryptOptions {
  EncryptionLevel level = EncryptionLevel::Graph;
  std::optional<ModelKey> key;         ///< none: the built-in one
  uint32_t chunk_bytes = 1024 * 1024;  ///< a power of two from 4096 to 64 MiB
};
/// Writes an encrypted form of one of our files. A random salt makes every result another one. Holds one chunk in
/// memory. Throws Error: what read_sections() throws, RknnEncrypted for a file that is encrypted already,
/// RknnVendorFile, RuntimeLibrary without libcrypto.
void encrypt(const MappedFile& plain, const EncryptOptions&, Sink&);

/// The plain file, in memory that belongs to no file on disk and is wiped when it goes (SecretMemory). Every byte is
/// proven before any is given out. `key` is used only by files that ask for one. Throws Error: RknnEncrypted without a
/// key or with another one, RknnDamaged, RknnTruncated, RknnNewerVersion, OutOfMemory, RuntimeLibrary without
/// libcrypto.
std::shared_ptr<const MappedFile> decrypt(const MappedFile& encrypted, const std::optional<ModelKey>& key);

/// The file itself unless it is encrypted; else decrypt() with the key that is found (find_model_key) if it asks for
/// one.
std::shared_ptr<const MappedFile> plain_file(std::shared_ptr<const MappedFile>,
                                             const std::filesystem::path& key_file = {});

}  // namespace openrknn
