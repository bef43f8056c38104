#include "core/rknn_file/crypto_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/environment.h"
#include "core/base/error.h"

namespace openrknn {
namespace {

std::vector<std::string> places() {
  if (const std::string wanted = environment_variable("OPENRKNN_LIBCRYPTO"); !wanted.empty()) return {wanted};
  return {"libcrypto.so.3", "libcrypto.so.1.1"};
}

/// Names of functions the library lacks, "" if it has all.
std::string resolve(void* handle, CryptoLibrary& library) {
  std::string missing;
  const auto need = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
#define OPENRKNN_NEED(name) need(#name, library.name)
  OPENRKNN_NEED(EVP_CIPHER_CTX_new);
  OPENRKNN_NEED(EVP_CIPHER_CTX_free);
  OPENRKNN_NEED(EVP_CIPHER_CTX_ctrl);
  OPENRKNN_NEED(EVP_aes_256_gcm);
  OPENRKNN_NEED(EVP_EncryptInit_ex);
  OPENRKNN_NEED(EVP_EncryptUpdate);
  OPENRKNN_NEED(EVP_EncryptFinal_ex);
  OPENRKNN_NEED(EVP_DecryptInit_ex);
  OPENRKNN_NEED(EVP_DecryptUpdate);
  OPENRKNN_NEED(EVP_DecryptFinal_ex);
  OPENRKNN_NEED(EVP_sha256);
  OPENRKNN_NEED(HMAC);
  OPENRKNN_NEED(RAND_bytes);
  OPENRKNN_NEED(ERR_set_mark);
  OPENRKNN_NEED(ERR_pop_to_mark);
#undef OPENRKNN_NEED
  return missing;
}

const CryptoLibrary* open_library() {
  std::string tried;
  for (const std::string& place : places()) {
    // Never closed: OpenSSL has handlers that run at the end of the process.
    void* handle = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      tried += fmt::format("{}{}", tried.empty() ? "" : "; ", dlerror());
      continue;
    }
    auto library = std::make_unique<CryptoLibrary>();
    const std::string missing = resolve(handle, *library);
    if (missing.empty()) return library.release();
    tried += fmt::format("{}{}: lacks {}", tried.empty() ? "" : "; ", place, missing);
  }
  fail(Code::RuntimeLibrary,
       fmt::format("encrypted models need libcrypto of OpenSSL, which could not be opened ({})", tried),
       "install OpenSSL 3 or 1.1.1 (Debian, Ubuntu: apt-get install libssl3, or libssl1.1), or set OPENRKNN_LIBCRYPTO "
       "to "
       "the path of libcrypto.so");
}

}  // namespace

const CryptoLibrary& crypto_library() {
  // A failure is not kept: the library may be there next time.
  static std::atomic<const CryptoLibrary*> opened = nullptr;
  const CryptoLibrary* library = opened.load();
  if (library == nullptr) {
    library = open_library();
    opened.store(library);  // of two threads that meet here both tables are the same
  }
  return *library;
}

}  // namespace openrknn
