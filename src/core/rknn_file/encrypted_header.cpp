#include "core/rknn_file/encrypted_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/rknn_file/aead.h"

namespace openrknn {
namespace {

constexpr std::string_view kMagic = "ORKNCRPT";
constexpr uint32_t kVersion = 1;
constexpr uint8_t kAes256Gcm = 1;
constexpr uint32_t kLeastChunk = 4096, kLargestChunk = 64 * 1024 * 1024;

/// Where the header lies, if there is one.
std::optional<uint64_t> find_magic(const MappedFile& file) {
  const std::string_view text = as_text(file.bytes());
  if (text.starts_with(kMagic)) return 0;
  const uint64_t at = align_up(read_frame(file).end, kSectionAlignment);
  if (at > text.size() || !text.substr(at).starts_with(kMagic)) return std::nullopt;
  return at;
}

uint64_t hash_of(const EncryptedHeader& header, Bytes readable) {
  const std::array pieces = {readable, header_bytes(header).first(offsetof(EncryptedHeader, hash))};
  return hash64_of_pieces(pieces);
}

bool is_sound(const EncryptedHeader& header, uint64_t offset) {
  const bool known =
      header.level >= 1 && header.level <= 3 && header.has_user_key <= 1 && (header.level == 3) == (offset == 0);
  const bool zero =
      header.zero == 0 && header.zero_word == 0 &&
      std::all_of(std::begin(header.reserved), std::end(header.reserved), [](uint64_t w) { return w == 0; });
  const bool chunked = std::has_single_bit(header.chunk_bytes) && header.chunk_bytes >= kLeastChunk &&
                       header.chunk_bytes <= kLargestChunk;
  return known && zero && chunked;
}

}  // namespace

Bytes header_bytes(const EncryptedHeader& header) { return std::as_bytes(std::span(&header, 1)); }
Bytes before_tag(const EncryptedHeader& header) { return header_bytes(header).first(offsetof(EncryptedHeader, tag)); }
uint64_t chunk_count(const EncryptedHeader& header) {
  return header.content_bytes / header.chunk_bytes + (header.content_bytes % header.chunk_bytes != 0 ? 1 : 0);
}

std::optional<FoundHeader> find_encrypted_header(const MappedFile& file) {
  const std::optional<uint64_t> at = find_magic(file);
  if (!at) return std::nullopt;
  const Bytes bytes = file.bytes();
  const auto truncated = [&](std::string_view part) {
    fail(Code::RknnTruncated, in_file(file),
         fmt::format("the encrypted model ends early: it has {} bytes, {}", bytes.size(), part),
         "copy or download the file again");
  };
  const auto damaged = [&](std::string_view problem) {
    fail(Code::RknnDamaged, in_file(file), fmt::format("the encrypted model is damaged: {}", problem),
         "copy or download the file again");
  };
  FoundHeader found{.header = {}, .offset = *at};
  EncryptedHeader& header = found.header;
  if (bytes.size() - *at < sizeof header) truncated("which do not hold its header");
  std::memcpy(&header, bytes.data() + *at, sizeof header);
  if (hash_of(header, bytes.first(*at)) != header.hash) damaged("the checksum of its header does not match");
  if (header.version > kVersion || header.cipher != kAes256Gcm) {
    fail(Code::RknnNewerVersion, in_file(file),
         fmt::format("the file is encrypted by version {} with cipher {}, this build reads up to version {}",
                     header.version, header.cipher, kVersion),
         "use a newer OpenRKNN, or encrypt the model again with this one");
  }
  if (header.version == 0 || !is_sound(header, *at)) damaged("its header makes no sense");
  // Without overflow: the content is compared with what is there before anything is added up.
  const uint64_t rest = bytes.size() - *at - sizeof header;
  const uint64_t tags = header.content_bytes > rest ? 0 : chunk_count(header) * kAeadTagBytes;
  if (header.content_bytes > rest || tags > rest - header.content_bytes) {
    truncated(fmt::format("its header speaks of {} of content", header.content_bytes));
  }
  if (header.content_bytes + tags != rest)
    damaged(fmt::format("{} bytes follow its end", rest - header.content_bytes - tags));
  return found;
}

void complete(EncryptedHeader& header, Bytes readable) {
  std::memcpy(header.magic, kMagic.data(), sizeof header.magic);
  header.version = kVersion;
  header.cipher = kAes256Gcm;
  if (!is_sound(header, readable.size())) {
    fail(Code::InvalidArgument,
         fmt::format(
             "encryption level {} with blocks of {} bytes, expected level 1 to 3 and a power of two from {} to {}",
             header.level, header.chunk_bytes, kLeastChunk, kLargestChunk));
  }
  header.hash = hash_of(header, readable);
}

}  // namespace openrknn
