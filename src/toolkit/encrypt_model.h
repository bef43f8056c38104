// What export_encrypted_rknn_model, `openrknn encrypt` and openrknn.encrypt do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/rknn_file/encrypted_file.h"
#include "toolkit/argument_value.h"

namespace openrknn {

struct EncryptRequest {
  std::filesystem::path input;
  std::filesystem::path output;  ///< empty: {stem}.crypt.rknn beside the input
  int64_t level = 1;             ///< EncryptionLevel
  std::optional<ModelKey> key;   ///< none: the key that every OpenRKNN has
};

/// Of the arguments of export_encrypted_rknn_model. Throws Error (ConfigBadValue), and what read_model_key() throws.
EncryptRequest encrypt_request(const ArgumentValues& given, std::vector<std::string>& warnings);

/// Writes the encrypted file, all of it or none, and gives its path. Throws Error: ConfigBadValue for the level or an
/// output that is the input, ConfigUnsupported naming the model's platform, and what encrypt() throws.
std::filesystem::path encrypt_model(const EncryptRequest&);

}  // namespace openrknn
