#include "runtime/session/door.h"

#include <dlfcn.h>

#include <cstring>
#include <memory>
#include <string_view>

#include "core/base/error.h"
#include "core/base/file.h"

namespace openrknn::session {
namespace {

/// Without a context nobody else's library may be asked anything: whether this one is ours is read from its file, which
/// holds its version as text.
bool file_names_us(const RuntimeLibrary& runtime) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(runtime.init), &info) == 0 || info.dli_fname == nullptr) return false;
  try {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(info.dli_fname);
    const std::string_view bytes(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
    const size_t version = bytes.find("librknnrt version: ");
    return version != std::string_view::npos && bytes.substr(version, 64).find("-openrknn-") != std::string_view::npos;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const openrknn_functions* open_door(const RuntimeLibrary& runtime, rknn_context context) {
  if (context == 0 && !file_names_us(runtime)) return nullptr;
  rknn_sdk_version version{};
  if (runtime.query(context, RKNN_QUERY_SDK_VERSION, &version, sizeof version) != RKNN_SUCC) return nullptr;
  const std::string_view name(version.api_version, strnlen(version.api_version, sizeof version.api_version));
  if (name.find("openrknn") == std::string_view::npos) return nullptr;
  const openrknn_functions* door = nullptr;
  const auto command = static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN);
  if (runtime.query(0, command, &door, sizeof door) != RKNN_SUCC || door == nullptr) return nullptr;
  // Version 1 ends with core_counters; members after it belong to later versions.
  return door->size >= offsetof(openrknn_functions, core_counters) + sizeof(void*) ? door : nullptr;
}

}  // namespace openrknn::session
