#include "core/rknn_file/aead.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/rknn_file/crypto_library.h"
#include "core/rknn_file/secret_memory.h"

namespace openrknn {
namespace {

// <openssl/evp.h>
constexpr int kGetTag = 0x10;  // EVP_CTRL_AEAD_GET_TAG
constexpr int kSetTag = 0x11;  // EVP_CTRL_AEAD_SET_TAG

constexpr size_t kHashBytes = 32;
constexpr size_t kLargestUpdate = size_t{1} << 30;  // lengths are int

const unsigned char* chars(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* chars(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

void require(bool condition, const char* function) {
  if (!condition) fail(Code::Internal, std::string("libcrypto failed in ") + function);
}

/// Leaves the thread's error queue as it was: the program may use OpenSSL itself and look there.
class ErrorMark {
 public:
  explicit ErrorMark(const CryptoLibrary& library) : library_(library) { library_.ERR_set_mark(); }
  ~ErrorMark() { library_.ERR_pop_to_mark(); }
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;

 private:
  const CryptoLibrary& library_;
};

using Hash = std::array<std::byte, kHashBytes>;

Hash hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data) {
  const CryptoLibrary& library = crypto_library();
  Hash hash;
  // A null key would mean "the one before" to some versions.
  static constexpr std::byte kNothing{};
  const void* key_data = key.empty() ? &kNothing : key.data();
  require(library.HMAC(library.EVP_sha256(), key_data, static_cast<int>(key.size()), chars(data), data.size(),
                       chars(std::span<std::byte>(hash)), nullptr) != nullptr,
          "HMAC");
  return hash;
}

}  // namespace

struct Aead::State {
  const CryptoLibrary& library = crypto_library();
  std::array<std::byte, kAeadKeyBytes> key;
  ::evp_cipher_ctx_st* context = nullptr;

  using Update = int (*)(::evp_cipher_ctx_st*, unsigned char*, int*, const unsigned char*, int);
  /// Feeds bytes of any number; `out` null: associated data.
  bool feed(Update update, std::span<const std::byte> in, std::byte* out) const {
    for (size_t at = 0; at < in.size(); at += kLargestUpdate) {
      const size_t count = std::min(kLargestUpdate, in.size() - at);
      int written = 0;
      unsigned char* target = out == nullptr ? nullptr : reinterpret_cast<unsigned char*>(out + at);
      if (update(context, target, &written, chars(in.subspan(at)), static_cast<int>(count)) != 1) return false;
    }
    return true;
  }
};

Aead::Aead(std::span<const std::byte, kAeadKeyBytes> key) : state_(std::make_unique<State>()) {
  std::copy(key.begin(), key.end(), state_->key.begin());
  state_->context = state_->library.EVP_CIPHER_CTX_new();
  require(state_->context != nullptr, "EVP_CIPHER_CTX_new");
}

Aead::~Aead() {
  state_->library.EVP_CIPHER_CTX_free(state_->context);  // wipes its round keys
  wipe(state_->key);
}

AeadTag Aead::seal(const AeadNonce& nonce, AssociatedData associated, std::span<const std::byte> text,
                   std::span<std::byte> out) {
  const CryptoLibrary& library = state_->library;
  const ErrorMark mark(library);
  require(library.EVP_EncryptInit_ex(state_->context, library.EVP_aes_256_gcm(), nullptr,
                                     chars(std::span<const std::byte>(state_->key)),
                                     chars(std::span<const std::byte>(nonce))) == 1,
          "EVP_EncryptInit_ex");
  for (const std::span<const std::byte> part : associated) {
    require(state_->feed(library.EVP_EncryptUpdate, part, nullptr), "EVP_EncryptUpdate");
  }
  require(state_->feed(library.EVP_EncryptUpdate, text, out.data()), "EVP_EncryptUpdate");
  unsigned char nothing[16];  // GCM has no last block
  int written = 0;
  require(library.EVP_EncryptFinal_ex(state_->context, nothing, &written) == 1, "EVP_EncryptFinal_ex");
  AeadTag tag;
  require(library.EVP_CIPHER_CTX_ctrl(state_->context, kGetTag, kAeadTagBytes, tag.data()) == 1, "EVP_CIPHER_CTX_ctrl");
  return tag;
}

bool Aead::open(const AeadNonce& nonce, AssociatedData associated, std::span<const std::byte> sealed,
                const AeadTag& tag, std::span<std::byte> out) {
  const CryptoLibrary& library = state_->library;
  const ErrorMark mark(library);
  require(library.EVP_DecryptInit_ex(state_->context, library.EVP_aes_256_gcm(), nullptr,
                                     chars(std::span<const std::byte>(state_->key)),
                                     chars(std::span<const std::byte>(nonce))) == 1,
          "EVP_DecryptInit_ex");
  for (const std::span<const std::byte> part : associated) {
    require(state_->feed(library.EVP_DecryptUpdate, part, nullptr), "EVP_DecryptUpdate");
  }
  require(state_->feed(library.EVP_DecryptUpdate, sealed, out.data()), "EVP_DecryptUpdate");
  AeadTag expected = tag;
  require(library.EVP_CIPHER_CTX_ctrl(state_->context, kSetTag, kAeadTagBytes, expected.data()) == 1,
          "EVP_CIPHER_CTX_ctrl");
  unsigned char nothing[16];
  int written = 0;
  if (library.EVP_DecryptFinal_ex(state_->context, nothing, &written) == 1) return true;
  wipe(out);  // nobody is to use what is not proven
  return false;
}

void hkdf_sha256(std::span<const std::byte> key_material, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out) {
  const ErrorMark mark(crypto_library());
  Hash extracted = hmac_sha256(salt, key_material);
  Hash block{};
  std::vector<std::byte> text;
  for (size_t at = 0, counter = 1; at < out.size(); at += kHashBytes, ++counter) {
    text.assign(block.begin(), counter == 1 ? block.begin() : block.end());  // the block before, none at first
    text.insert(text.end(), info.begin(), info.end());
    text.push_back(static_cast<std::byte>(counter));
    block = hmac_sha256(extracted, text);
    std::copy_n(block.begin(), std::min(kHashBytes, out.size() - at), out.begin() + static_cast<std::ptrdiff_t>(at));
    wipe(text);
  }
  wipe(extracted);
  wipe(block);
}

void fill_with_random(std::span<std::byte> bytes) {
  const CryptoLibrary& library = crypto_library();
  const ErrorMark mark(library);
  require(library.RAND_bytes(chars(bytes), static_cast<int>(bytes.size())) == 1, "RAND_bytes");
}

}  // namespace openrknn
