#include "runtime/engine/model_file.h"

#include "core/rknn_file/encrypted_file.h"

namespace openrknn {

std::shared_ptr<const MappedFile> usable_file(const ModelBytes& model, const std::filesystem::path& key_file) {
  std::shared_ptr<const MappedFile> given = MappedFile::borrow(model.bytes, model.name, model.owner);
  std::shared_ptr<const MappedFile> plain = plain_file(given, key_file);
  if (plain != given) return plain;
  const bool is_aligned = reinterpret_cast<uintptr_t>(model.bytes.data()) % kSectionAlignment == 0;
  const bool stays = model.may_be_kept || model.owner != nullptr;
  return is_aligned && stays ? given : MappedFile::copy_of(model.bytes, model.name);
}

}  // namespace openrknn
