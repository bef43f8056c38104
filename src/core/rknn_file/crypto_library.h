// libcrypto of OpenSSL, opened when an encrypted model is met and not before: librknnrt.so links nothing but the C
// library (docs/encryption.md), and most programs never see an encrypted model.
//
// The declarations are our own: those functions have had one ABI from OpenSSL 1.1.0 on, while the headers are of one
// version, and the toolchain for boards is shown no headers but those of header-only libraries. Where OpenSSL's headers
// are at hand, tests hold every type here to theirs.
#pragma once

#include <cstddef>

extern "C" {
struct evp_cipher_ctx_st;  // OpenSSL's own tags, so that its headers and this table speak of the same types
struct evp_cipher_st;
struct evp_md_st;
struct engine_st;
}

namespace openrknn {

/// What is used of libcrypto, by OpenSSL's names. Stays open for the life of the process.
struct CryptoLibrary {
  ::evp_cipher_ctx_st* (*EVP_CIPHER_CTX_new)();
  void (*EVP_CIPHER_CTX_free)(::evp_cipher_ctx_st*);
  int (*EVP_CIPHER_CTX_ctrl)(::evp_cipher_ctx_st*, int type, int arg, void* ptr);
  const ::evp_cipher_st* (*EVP_aes_256_gcm)();
  int (*EVP_EncryptInit_ex)(::evp_cipher_ctx_st*, const ::evp_cipher_st*, ::engine_st*, const unsigned char* key,
                            const unsigned char* nonce);
  int (*EVP_EncryptUpdate)(::evp_cipher_ctx_st*, unsigned char* out, int* out_bytes, const unsigned char* in,
                           int bytes);
  int (*EVP_EncryptFinal_ex)(::evp_cipher_ctx_st*, unsigned char* out, int* out_bytes);
  int (*EVP_DecryptInit_ex)(::evp_cipher_ctx_st*, const ::evp_cipher_st*, ::engine_st*, const unsigned char* key,
                            const unsigned char* nonce);
  int (*EVP_DecryptUpdate)(::evp_cipher_ctx_st*, unsigned char* out, int* out_bytes, const unsigned char* in,
                           int bytes);
  int (*EVP_DecryptFinal_ex)(::evp_cipher_ctx_st*, unsigned char* out, int* out_bytes);
  const ::evp_md_st* (*EVP_sha256)();
  unsigned char* (*HMAC)(const ::evp_md_st*, const void* key, int key_bytes, const unsigned char* data,
                         std::size_t data_bytes, unsigned char* out, unsigned int* out_bytes);
  int (*RAND_bytes)(unsigned char* out, int bytes);
  int (*ERR_set_mark)();
  int (*ERR_pop_to_mark)();
};

/// $OPENRKNN_LIBCRYPTO: that file or none; else libcrypto.so.3, then libcrypto.so.1.1, where the system looks. Throws
/// Error (RuntimeLibrary) saying what was tried and what to install. Thread-safe.
const CryptoLibrary& crypto_library();

}  // namespace openrknn
