// A model's bytes where a program has them, made usable for contexts.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/base/file.h"

namespace openrknn {

/// `bytes` stay readable during the call; afterwards only if `owner` keeps them, or, without an owner, if
/// `may_be_kept`.
struct ModelBytes {
  std::span<const std::byte> bytes;
  std::string name;  ///< for messages
  std::shared_ptr<const void> owner;
  bool may_be_kept = false;
};

/// An encrypted model decrypted, with the key of `key_file` or else of the environment; another one where it lies, if
/// it may be kept there and is aligned as files are; else a copy. Throws what plain_file() throws.
std::shared_ptr<const MappedFile> usable_file(const ModelBytes&, const std::filesystem::path& key_file);

}  // namespace openrknn
