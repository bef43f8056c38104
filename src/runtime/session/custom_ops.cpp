#include "runtime/session/custom_ops.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace openrknn::session {
namespace {

#if defined(__ANDROID__) && defined(__LP64__)
constexpr const char* kDefaultDirectory = "/vendor/lib64/";
#elif defined(__ANDROID__)
constexpr const char* kDefaultDirectory = "/vendor/lib/";
#else
constexpr const char* kDefaultDirectory = "/usr/lib/rknpu/op_plugins/";
#endif

std::string last_dlerror() {
  const char* text = dlerror();
  return text == nullptr ? "unknown reason" : text;
}

/// Regular files librkcst_*.so of the platform's plugin directory, sorted so that every start loads them alike.
std::vector<std::string> default_plugins(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("librkcst_") && name.ends_with(".so") && entry.is_regular_file(ignored)) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

CustomOps::~CustomOps() {
  for (void* handle : handles_) dlclose(handle);
}

void CustomOps::load_file(const std::string& path, const RuntimeLibrary& runtime,
                          const std::function<void(const std::string&)>* warn) {
  void* handle = dlopen(path.c_str(), RTLD_NOW);
  std::string reason = handle == nullptr ? last_dlerror() : "";
  if (reason.find("rknn_custom_op_get_op_attr") != std::string::npos) {
    // Plugins call it and need not name the library it is in. Only then the runtime becomes everybody's: for good, so
    // that such plugins of sessions over another runtime would call this one.
    dlopen(runtime.path.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    handle = dlopen(path.c_str(), RTLD_NOW);
    if (handle == nullptr) reason = last_dlerror();
  }
  if (handle == nullptr) {
    const std::string text = fmt::format("dlopen {} fail: {}", path, reason);
    if (warn != nullptr) (*warn)(text + " (this could lead to a crash due to internal bugs of rknnrt)");
    throw SessionError(text);
  }
  handles_.push_back(handle);
  dlerror();
  const auto get = reinterpret_cast<get_custom_op_func>(dlsym(handle, "get_rknn_custom_op"));
  if (get == nullptr) throw SessionError("dlsym fail for get_rknn_custom_op: " + last_dlerror());
  const rknn_custom_op* const op = get();
  if (op == nullptr) throw SessionError("get_rknn_custom_op returned null");
  for (const rknn_custom_op& other : ops_) {
    if (std::strncmp(other.op_type, op->op_type, RKNN_MAX_NAME_LEN) == 0 && other.version == op->version &&
        other.target == op->target) {
      throw SessionError(fmt::format("Duplicate custom op definition detected: {} (version={}, target={}) from {}",
                                     std::string(op->op_type, strnlen(op->op_type, RKNN_MAX_NAME_LEN)), op->version,
                                     static_cast<int>(op->target), path));
    }
  }
  ops_.push_back(*op);
}

void CustomOps::load(const SessionOptions& options, const RuntimeLibrary& runtime,
                     const std::function<void(const std::string&)>& warn) {
  for (const std::string& path : options.custom_op_paths) load_file(path, runtime, &warn);
  if (!options.custom_op_default_path) return;
  std::error_code ignored;
  if (!std::filesystem::is_directory(kDefaultDirectory, ignored)) {
    warn(fmt::format("Default plugin directory does not exist: {}", kDefaultDirectory));
    return;
  }
  for (const std::string& file : default_plugins(kDefaultDirectory)) {
    try {
      load_file(file, runtime, nullptr);  // one warning a file
    } catch (const SessionError& error) {
      warn(fmt::format("Failed to load plugin {}: {}", file, error.what()));
    }
  }
}

}  // namespace openrknn::session
