// The wrapper around libcrypto against published vectors.
#include "core/rknn_file/aead.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "core/rknn_file/crypto_library.h"
#include "support/variable.h"

#if __has_include(<openssl/evp.h>) && __has_include(<openssl/opensslconf.h>)
#define OPENRKNN_HAS_OPENSSL_HEADERS
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#endif

namespace openrknn {
namespace {

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

template <class Array>
Array array_of(std::string_view hex) {
  const std::vector<std::byte> bytes = bytes_of(hex);
  Array array{};
  EXPECT_EQ(bytes.size(), array.size());
  std::copy_n(bytes.begin(), std::min(bytes.size(), array.size()), array.begin());
  return array;
}
using Key = std::array<std::byte, kAeadKeyBytes>;

struct Vector {
  const char *key, *nonce, *associated, *text, *sealed, *tag;
};
// McGrew and Viega, "The Galois/Counter Mode of Operation" (submitted to NIST), test cases 13 to 16: those of 256-bit
// keys and 96-bit nonces.
constexpr Vector kVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a63"
     "7b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc9"
     "f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a63"
     "7b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc9"
     "f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(Aead, GivesThePublishedResults) {
  for (const Vector& vector : kVectors) {
    const std::vector<std::byte> text = bytes_of(vector.text), associated = bytes_of(vector.associated);
    std::vector<std::byte> out(text.size()), back(text.size());
    Aead aead(array_of<Key>(vector.key));
    const auto nonce = array_of<AeadNonce>(vector.nonce);
    const AeadTag tag = aead.seal(nonce, {associated}, text, out);
    EXPECT_EQ(out, bytes_of(vector.sealed));
    EXPECT_EQ(tag, array_of<AeadTag>(vector.tag));
    EXPECT_TRUE(aead.open(nonce, {associated}, out, tag, back));
    EXPECT_EQ(back, text);
  }
}

TEST(Aead, PiecesOfAssociatedDataAreOneText) {
  const Vector& vector = kVectors[3];
  const std::vector<std::byte> text = bytes_of(vector.text), associated = bytes_of(vector.associated);
  const std::span<const std::byte> all = associated;
  std::vector<std::byte> in_place = text;
  Aead aead(array_of<Key>(vector.key));
  EXPECT_EQ(aead.seal(array_of<AeadNonce>(vector.nonce), {all.first(7), {}, all.subspan(7)}, in_place, in_place),
            array_of<AeadTag>(vector.tag));
  EXPECT_EQ(in_place, bytes_of(vector.sealed));
}

TEST(Aead, OpensNothingThatWasChanged) {
  const Vector& vector = kVectors[3];
  const std::vector<std::byte> sealed = bytes_of(vector.sealed), associated = bytes_of(vector.associated);
  const auto nonce = array_of<AeadNonce>(vector.nonce);
  const auto tag = array_of<AeadTag>(vector.tag);
  Aead aead(array_of<Key>(vector.key));
  std::vector<std::byte> out(sealed.size());
  const std::vector<std::byte> zeros(sealed.size());
  auto changed = sealed;
  changed[5] ^= std::byte{1};
  EXPECT_FALSE(aead.open(nonce, {associated}, changed, tag, out));
  EXPECT_EQ(out, zeros) << "text that was not proven is given out";
  auto other = associated;
  other[0] ^= std::byte{0x80};
  EXPECT_FALSE(aead.open(nonce, {other}, sealed, tag, out));
  auto other_nonce = nonce;
  other_nonce[11] ^= std::byte{1};
  EXPECT_FALSE(aead.open(other_nonce, {associated}, sealed, tag, out));
  auto other_tag = tag;
  other_tag[15] ^= std::byte{1};
  EXPECT_FALSE(aead.open(nonce, {associated}, sealed, other_tag, out));
  EXPECT_TRUE(aead.open(nonce, {associated}, sealed, tag, out)) << "a failure spoils the next call";
}

TEST(Hkdf, GivesThePublishedResults) {
  // RFC 5869, appendix A.1 to A.3.
  const auto derive = [](std::string_view material, std::string_view salt, std::string_view info, size_t size) {
    std::vector<std::byte> out(size);
    hkdf_sha256(bytes_of(material), bytes_of(salt), bytes_of(info), out);
    return out;
  };
  const std::string sequence = [] {
    std::string hex;
    for (int i = 0; i < 256; ++i) hex += std::string(1, "0123456789abcdef"[i / 16]) + "0123456789abcdef"[i % 16];
    return hex;
  }();
  EXPECT_EQ(
      derive("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42),
      bytes_of("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
  EXPECT_EQ(
      derive(sequence.substr(0, 160), sequence.substr(0x60 * 2, 160), sequence.substr(0xb0 * 2, 160), 82),
      bytes_of("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da32"
               "75600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"));
  EXPECT_EQ(derive("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "", 42),
            bytes_of("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"));
}

TEST(CryptoLibrary, ThatIsMissingIsSaidWithWhatToInstall) {
  // In a process of its own: here the library may be open already.
  const auto say = [] {
    try {
      crypto_library();
    } catch (const Error& error) {
      std::fputs(error.what(), stderr);
      std::_Exit(error.code() == Code::RuntimeLibrary ? 7 : 8);
    }
    std::_Exit(0);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const test::Variable variable("OPENRKNN_LIBCRYPTO", "/nowhere/libcrypto.so");
  EXPECT_EXIT(say(), ::testing::ExitedWithCode(7), "/nowhere/libcrypto.so.*install OpenSSL");
}

TEST(CryptoLibrary, OurDeclarationsAreThoseOfOpenssl) {
#ifdef OPENRKNN_HAS_OPENSSL_HEADERS
#define OPENRKNN_SAME(name) EXPECT_TRUE((std::is_same_v<decltype(&::name), decltype(CryptoLibrary::name)>)) << #name
  OPENRKNN_SAME(EVP_CIPHER_CTX_new);
  OPENRKNN_SAME(EVP_CIPHER_CTX_free);
  OPENRKNN_SAME(EVP_CIPHER_CTX_ctrl);
  OPENRKNN_SAME(EVP_aes_256_gcm);
  OPENRKNN_SAME(EVP_EncryptInit_ex);
  OPENRKNN_SAME(EVP_EncryptUpdate);
  OPENRKNN_SAME(EVP_EncryptFinal_ex);
  OPENRKNN_SAME(EVP_DecryptInit_ex);
  OPENRKNN_SAME(EVP_DecryptUpdate);
  OPENRKNN_SAME(EVP_DecryptFinal_ex);
  OPENRKNN_SAME(EVP_sha256);
  OPENRKNN_SAME(HMAC);
  OPENRKNN_SAME(RAND_bytes);
  OPENRKNN_SAME(ERR_set_mark);
  OPENRKNN_SAME(ERR_pop_to_mark);
#undef OPENRKNN_SAME
#else
  GTEST_SKIP() << "OpenSSL's headers are not here";
#endif
}

}  // namespace
}  // namespace openrknn
