// The key of a model's owner: 32 bytes, from a file, from the environment or from a program.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace openrknn {

inline constexpr size_t kModelKeyBytes = 32;

/// Wiped when it goes. Nothing prints it.
class ModelKey {
 public:
  /// Exactly 32 bytes, else Error (ConfigBadValue) with `where` in front.
  ModelKey(std::span<const std::byte>, std::string_view where);
  ModelKey(const ModelKey&) = default;
  ModelKey& operator=(const ModelKey&) = default;
  ~ModelKey();

  std::span<const std::byte, kModelKeyBytes> bytes() const { return bytes_; }

 private:
  std::array<std::byte, kModelKeyBytes> bytes_;
};

/// A file of 32 raw bytes, or of 64 hexadecimal digits with any white space around. Throws Error (FileNotFound,
/// FileUnreadable, ConfigBadValue); messages tell lengths, never content.
ModelKey read_model_key(const std::filesystem::path&);

/// $OPENRKNN_MODEL_KEY_FILE, a path, else $OPENRKNN_MODEL_KEY, 64 hexadecimal digits; none without both.
std::optional<ModelKey> model_key_of_environment();

/// The file's, or without a path the environment's.
std::optional<ModelKey> find_model_key(const std::filesystem::path& file);

}  // namespace openrknn
