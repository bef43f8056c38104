#include "core/rknn_file/encrypted_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/rknn_file/aead.h"
#include "core/rknn_file/encrypted_header.h"
#include "core/rknn_file/netron_face.h"
#include "core/rknn_file/secret_memory.h"

namespace openrknn {
namespace {

constexpr uint64_t kPreambleBytes = kSectionAlignment;  // so that what follows is aligned as in a file

// In every OpenRKNN, hence no secret: it keeps weights from `strings`, viewers and a casual look. docs/encryption.md.
constexpr std::array<uint8_t, kModelKeyBytes> kBuiltInKey = {
    0x4f, 0x70, 0x65, 0x6e, 0x52, 0x4b, 0x4e, 0x4e, 0x3a, 0x20, 0x61, 0x20, 0x6b, 0x65, 0x79, 0x20,
    0x74, 0x68, 0x61, 0x74, 0x20, 0x65, 0x76, 0x65, 0x72, 0x79, 0x62, 0x6f, 0x64, 0x79, 0x20, 0x68,
};
constexpr std::string_view kDerivation = "OpenRKNN model encryption 1";

std::span<const std::byte> built_in_key() { return std::as_bytes(std::span(kBuiltInKey)); }

/// What a file's salt makes of a key: the key of its chunks, and bytes that tell another key from damage. HKDF is
/// one-way: they say nothing of either key.
struct DerivedKeys {
  std::array<std::byte, kAeadKeyBytes> cipher;
  std::array<std::byte, kKeyCheckBytes> check;

  DerivedKeys(std::span<const std::byte> key, std::span<const std::byte> salt) {
    std::array<std::byte, kAeadKeyBytes + kKeyCheckBytes> both;
    hkdf_sha256(key, salt, as_bytes(kDerivation), both);
    std::copy_n(both.begin(), cipher.size(), cipher.begin());
    std::copy_n(both.begin() + kAeadKeyBytes, check.size(), check.begin());
    wipe(both);
  }
  ~DerivedKeys() { wipe(cipher); }
  DerivedKeys(const DerivedKeys&) = delete;
  DerivedKeys& operator=(const DerivedKeys&) = delete;
};

// The salt makes the key another one for every file, so counting nonces are new ones.
AeadNonce chunk_nonce(uint64_t index) {
  AeadNonce nonce{};
  std::memcpy(nonce.data(), &index, sizeof index);
  return nonce;
}
AeadNonce header_nonce() {
  AeadNonce nonce;
  nonce.fill(std::byte{0xff});
  return nonce;
}

/// So that the size tells little of the model: up to an eighth more than there is.
uint64_t padded(uint64_t bytes) {
  constexpr uint64_t kLeastStep = 64 * 1024;
  return align_up(bytes, std::max(kLeastStep, std::bit_floor(bytes / 8)));
}

/// What level 2 shows: who made the file and for what, of a graph without anything in it.
std::string frame_without_graph(const FileDescription& description) {
  Model blank;
  blank.variants.emplace_back();
  blank.target = description.runtime_target;
  blank.source_framework = description.framework;
  const Face face = make_face(blank);
  return frame_bytes(face.body, face.json);
}

std::string readable_part(const MappedFile& plain, const Frame& frame, EncryptionLevel level) {
  switch (level) {
    case EncryptionLevel::Graph:
      return std::string(as_text(plain.bytes().first(align_up(frame.end, kSectionAlignment))));
    case EncryptionLevel::Target:
      return frame_without_graph(describe(plain));
    case EncryptionLevel::Nothing:
      return "";
  }
  fail(Code::InvalidArgument, "unknown encryption level");
}

/// Preamble, plain file and zeros, as if they lay in one piece.
class Content {
 public:
  Content(Bytes plain, uint64_t size) : plain_(plain), size_(size), preamble_{} {
    const uint64_t bytes = plain.size();
    std::memcpy(preamble_.data(), &bytes, sizeof bytes);
  }
  uint64_t size() const { return size_; }
  void read(uint64_t offset, std::span<std::byte> out) const {
    std::fill(out.begin(), out.end(), std::byte{0});
    copy(preamble_, 0, offset, out);
    copy(plain_, kPreambleBytes, offset, out);
  }

 private:
  static void copy(Bytes piece, uint64_t at, uint64_t offset, std::span<std::byte> out) {
    const uint64_t begin = std::max(at, offset), end = std::min(at + piece.size(), offset + out.size());
    if (begin < end) std::memcpy(out.data() + (begin - offset), piece.data() + (begin - at), end - begin);
  }
  Bytes plain_;
  uint64_t size_;
  std::array<std::byte, kPreambleBytes> preamble_;
};

[[noreturn]] void fail_authentication(const MappedFile& file, std::string_view part) {
  fail(Code::RknnDamaged, in_file(file),
       fmt::format("{} of the encrypted model was changed or is damaged (its authentication fails)", part),
       "copy or download the file again");
}

std::span<const std::byte> key_for(const MappedFile& file, const EncryptedHeader& header,
                                   const std::optional<ModelKey>& key) {
  if (header.has_user_key == 0) return built_in_key();
  if (!key) {
    fail(Code::RknnEncrypted, in_file(file), "the model is encrypted with a key of its owner, and no key was given",
         "name the key file in OPENRKNN_MODEL_KEY_FILE, or as model_key_file of a session or key_file of load_rknn");
  }
  return key->bytes();
}

}  // namespace

std::string to_string(const Encryption& encryption) {
  constexpr std::string_view kReadable[] = {"graph, names and shapes stay readable",
                                            "only target and framework stay readable", "nothing stays readable"};
  return fmt::format("level {} ({}), {}", static_cast<int>(encryption.level),
                     kReadable[static_cast<size_t>(encryption.level) - 1],
                     encryption.has_user_key ? "with a key of its owner, which is needed to run it"
                                             : "with the built-in key: runs without any, and deters only");
}

std::optional<Encryption> encryption_of(const MappedFile& file) {
  const std::optional<FoundHeader> found = find_encrypted_header(file);
  if (!found) return std::nullopt;
  return Encryption{static_cast<EncryptionLevel>(found->header.level), found->header.has_user_key != 0};
}

void encrypt(const MappedFile& plain, const EncryptOptions& options, Sink& sink) {
  if (encryption_of(plain)) {
    fail(Code::RknnEncrypted, in_file(plain), "the file is encrypted already", "encrypt the .rknn it was made from");
  }
  const Frame frame = read_frame(plain);
  if (!has_own_header(plain, frame)) {
    fail(Code::RknnVendorFile, in_file(plain), "only files written by OpenRKNN can be encrypted",
         "convert the source model");
  }
  read_sections(plain, frame);  // what is damaged now could not be told from a bad key later

  const std::string readable = readable_part(plain, frame, options.level);
  const uint64_t bytes = kPreambleBytes + plain.bytes().size();
  const Content content(plain.bytes(), options.level == EncryptionLevel::Nothing ? padded(bytes) : bytes);
  EncryptedHeader header{};
  header.level = static_cast<uint8_t>(options.level);
  header.has_user_key = options.key ? 1 : 0;
  header.chunk_bytes = options.chunk_bytes;
  header.content_bytes = content.size();
  fill_with_random(std::as_writable_bytes(std::span(header.salt)));
  const DerivedKeys keys(options.key ? options.key->bytes() : built_in_key(), std::as_bytes(std::span(header.salt)));
  std::memcpy(header.key_check, keys.check.data(), sizeof header.key_check);
  complete(header, as_bytes(readable));
  Aead aead(keys.cipher);
  const AeadTag tag = aead.seal(header_nonce(), {as_bytes(readable), before_tag(header)}, {}, {});
  std::memcpy(header.tag, tag.data(), sizeof header.tag);

  sink.write(as_bytes(readable));
  sink.write(header_bytes(header));
  std::vector<std::byte> chunk(std::min<uint64_t>(header.chunk_bytes, content.size()));
  for (uint64_t offset = 0, index = 0; offset < content.size(); offset += header.chunk_bytes, ++index) {
    const std::span<std::byte> part = std::span(chunk).first(std::min<uint64_t>(chunk.size(), content.size() - offset));
    content.read(offset, part);
    const AeadNonce nonce = chunk_nonce(index);
    const AeadTag chunk_tag = aead.seal(nonce, {header_bytes(header), nonce}, part, part);
    sink.write(part);
    sink.write(chunk_tag);
  }
}

std::shared_ptr<const MappedFile> decrypt(const MappedFile& file, const std::optional<ModelKey>& key) {
  const std::optional<FoundHeader> found = find_encrypted_header(file);
  if (!found) fail(Code::InvalidArgument, in_file(file), "the file is not encrypted");
  const auto& [header, offset] = *found;
  const DerivedKeys keys(key_for(file, header, key), std::as_bytes(std::span(header.salt)));
  if (std::memcmp(keys.check.data(), header.key_check, sizeof header.key_check) != 0) {
    fail(Code::RknnEncrypted, in_file(file),
         header.has_user_key != 0 ? "the model is encrypted with another key than the one given"
                                  : "the model is encrypted with a built-in key that this build does not have",
         header.has_user_key != 0 ? "give the key it was encrypted with" : "use a newer OpenRKNN");
  }
  Aead aead(keys.cipher);
  AeadTag tag;
  std::memcpy(tag.data(), header.tag, tag.size());
  const Bytes readable = file.bytes().first(offset);
  if (!aead.open(header_nonce(), {readable, before_tag(header)}, {}, tag, {})) fail_authentication(file, "the header");

  auto memory = std::make_shared<SecretMemory>(header.content_bytes);
  const std::span<std::byte> content = memory->bytes();
  Bytes sealed = file.bytes().subspan(offset + sizeof header);
  for (uint64_t at = 0, index = 0; at < content.size(); at += header.chunk_bytes, ++index) {
    const std::span<std::byte> part = content.subspan(at, std::min<uint64_t>(header.chunk_bytes, content.size() - at));
    std::memcpy(tag.data(), sealed.data() + part.size(), tag.size());
    const AeadNonce nonce = chunk_nonce(index);
    if (!aead.open(nonce, {header_bytes(header), nonce}, sealed.first(part.size()), tag, part)) {
      fail_authentication(file, fmt::format("block {} of {}", index + 1, chunk_count(header)));
    }
    sealed = sealed.subspan(part.size() + kAeadTagBytes);
  }
  uint64_t plain_bytes = 0;
  if (content.size() >= kPreambleBytes) std::memcpy(&plain_bytes, content.data(), sizeof plain_bytes);
  if (content.size() < kPreambleBytes || plain_bytes > content.size() - kPreambleBytes) {
    fail(Code::RknnInvalid, in_file(file), "the encrypted model is larger than what holds it",
         "encrypt the model again");
  }
  memory->make_read_only();
  return MappedFile::borrow(content.subspan(kPreambleBytes, plain_bytes), file.name(), std::move(memory));
}

std::shared_ptr<const MappedFile> plain_file(std::shared_ptr<const MappedFile> file,
                                             const std::filesystem::path& key_file) {
  const std::optional<Encryption> encryption = encryption_of(*file);
  if (!encryption) return file;
  return decrypt(*file, encryption->has_user_key ? find_model_key(key_file) : std::nullopt);
}

}  // namespace openrknn
