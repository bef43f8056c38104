// AES-256-GCM (NIST SP 800-38D), HKDF-SHA256 (RFC 5869) and random bytes, by libcrypto.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>

namespace openrknn {

struct CryptoLibrary;

inline constexpr size_t kAeadKeyBytes = 32, kAeadNonceBytes = 12, kAeadTagBytes = 16;
using AeadNonce = std::array<std::byte, kAeadNonceBytes>;
using AeadTag = std::array<std::byte, kAeadTagBytes>;

/// Authenticated encryption with one key. A nonce must never be used twice with one key. Not thread-safe.
class Aead {
 public:
  using AssociatedData = std::initializer_list<std::span<const std::byte>>;  ///< authenticated, not encrypted

  explicit Aead(std::span<const std::byte, kAeadKeyBytes> key);  ///< throws what crypto_library() throws
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  /// Encrypts `text` into `out` of the same size, which may be the same memory.
  AeadTag seal(const AeadNonce&, AssociatedData, std::span<const std::byte> text, std::span<std::byte> out);
  /// Decrypts; false if text, nonce, associated data or tag are not those of one seal(). `out` is then zeroed.
  bool open(const AeadNonce&, AssociatedData, std::span<const std::byte> sealed, const AeadTag&,
            std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Fills `out` (at most 255 · 32 bytes).
void hkdf_sha256(std::span<const std::byte> key_material, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out);
/// Throws Error (Internal) if the system has no random numbers.
void fill_with_random(std::span<std::byte>);

}  // namespace openrknn
