#include "runtime/session/door.h"

#include <cstring>
#include <string_view>

namespace openrknn::session {

const openrknn_functions* open_door(const RuntimeLibrary& runtime, rknn_context context) {
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
