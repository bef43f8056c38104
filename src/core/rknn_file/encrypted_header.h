// The header of an encrypted file: bytes and bounds. Knows nothing of keys.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/file.h"
#include "core/rknn_file/container.h"

namespace openrknn {

inline constexpr size_t kKeyCheckBytes = 16;

/// Lies where a plain file has its own header (EncryptionLevel 1 and 2), or begins the file (3).
struct EncryptedHeader {
  char magic[8];
  uint32_t version;
  uint8_t level;         ///< EncryptionLevel
  uint8_t has_user_key;  ///< 1: the key is the user's, 0: built in
  uint8_t cipher;        ///< 1: AES-256-GCM, keys by HKDF-SHA256
  uint8_t zero;
  uint32_t chunk_bytes;  ///< of content; each is followed by its tag
  uint32_t zero_word;
  uint64_t content_bytes;  ///< 64 bytes that tell the plain file's size, the plain file, zeros
  uint8_t salt[32];
  uint8_t key_check[kKeyCheckBytes];
  uint64_t reserved[3];
  uint64_t hash;    ///< XXH3 of everything before it, from the file's first byte: tells damage from another key
  uint8_t tag[16];  ///< authenticates everything before it, from the file's first byte
};
static_assert(sizeof(EncryptedHeader) == 128);

struct FoundHeader {
  EncryptedHeader header;
  uint64_t offset = 0;
};

/// None if the file is not encrypted. What is given is within bounds: the chunks are exactly the rest of the file.
/// Throws what read_frame() throws, and Error (RknnTruncated, RknnDamaged, RknnNewerVersion).
std::optional<FoundHeader> find_encrypted_header(const MappedFile&);

/// Fills in what is the same in every header and the hash. `readable`: the bytes of the file before it. Throws Error
/// (InvalidArgument) for a bad level or chunk size.
void complete(EncryptedHeader&, Bytes readable);

Bytes header_bytes(const EncryptedHeader&);
Bytes before_tag(const EncryptedHeader&);
uint64_t chunk_count(const EncryptedHeader&);

}  // namespace openrknn
