// Encrypted files: any bytes are a plain file, or an Error. The first byte says whether the header's checksum is made
// right before: no fuzzer guesses it, and what lies behind must be as hard to break.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/rknn_file/encrypted_file.h"
#include "core/rknn_file/encrypted_header.h"
#include "core/rknn_file/rknn_file.h"

namespace {

void make_checksum_right(std::span<std::byte> bytes) {
  const size_t at = openrknn::as_text(bytes).find("ORKNCRPT");
  if (at == std::string_view::npos || bytes.size() - at < sizeof(openrknn::EncryptedHeader)) return;
  const size_t hash_at = at + offsetof(openrknn::EncryptedHeader, hash);
  const uint64_t hash = openrknn::hash64(bytes.first(hash_at));
  std::memcpy(bytes.data() + hash_at, &hash, sizeof hash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto given = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> bytes(given.begin(), given.end());
  if (data[0] != 'f') make_checksum_right(bytes);
  const auto file = openrknn::MappedFile::borrow(bytes, "fuzz.crypt.rknn", nullptr);
  static const std::vector<std::byte> key(openrknn::kModelKeyBytes, std::byte{7});
  try {
    const auto encryption = openrknn::encryption_of(*file);
    if (openrknn::describe(*file).encryption.has_value() != encryption.has_value()) std::abort();
    if (encryption) openrknn::read(openrknn::decrypt(*file, openrknn::ModelKey(key, "fuzz")));
  } catch (const openrknn::Error&) {
  }
  return 0;
}
