#include "runtime/session/runtime_library.h"

#include <dlfcn.h>
#include <errno.h>  // program_invocation_name
#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/base/environment.h"
#include "openrknn/session.hpp"

namespace openrknn::session {
namespace {

constexpr const char* kName = "librknnrt.so";

/// The folder of the file this code was loaded from.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&open_runtime), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  // For the program itself dladdr gives argv[0], which need not be a path.
  const bool is_program = std::string_view(info.dli_fname) == program_invocation_name;
  const std::filesystem::path file = is_program ? "/proc/self/exe" : info.dli_fname;
  return std::filesystem::canonical(file, ignored).parent_path();
}

/// Folders where an installation has the library, seen from this code: beside it (the Python package), lib beside or
/// below it, and for a program of a Python environment that environment's package.
std::vector<std::filesystem::path> installed_folders() {
  const std::filesystem::path own = own_folder();
  if (own.empty()) return {};
  std::vector<std::filesystem::path> folders = {own, own / "lib", own / "../lib", own / "../openrknn"};
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(own / "../lib", ignored)) {
    if (!entry.path().filename().string().starts_with("python3")) continue;
    for (const char* packages : {"site-packages", "dist-packages"})
      folders.push_back(entry.path() / packages / "openrknn");
  }
  return folders;
}

std::vector<std::string> places(const std::string& wanted) {
  if (!wanted.empty()) return {wanted};
  for (const char* variable : {"OPENRKNN_RUNTIME", "ZTU_RKNPU2_RUNTIME_LIBRARY"}) {
    if (const std::string path = environment_variable(variable); !path.empty()) return {path};
  }
  std::vector<std::string> result;
  for (const std::filesystem::path& folder : installed_folders()) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / kName, ignored))
      result.push_back((folder / kName).lexically_normal().string());
  }
  result.insert(result.end(), {kName, "librknnrt.so.2"});
  return result;
}

/// Looks the functions of a library up; those that are missing are collected, or may be.
class Resolver {
 public:
  explicit Resolver(void* handle) : handle_(handle) {}
  template <class F>
  void need(const char* name, F& function) {
    if (!find(name, function)) missing_ += (missing_.empty() ? "" : ", ") + std::string(name);
  }
  template <class F>
  bool find(const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(handle_, name));
    return function != nullptr;
  }
  const std::string& missing() const { return missing_; }

 private:
  void* const handle_;
  std::string missing_;
};

/// Names of functions the library lacks, "" if it has all that every session needs.
std::string resolve_all(void* handle, RuntimeLibrary& library) {
  Resolver resolver(handle);
  resolver.need("rknn_init", library.init);
  resolver.need("rknn_dup_context", library.dup_context);
  resolver.need("rknn_destroy", library.destroy);
  resolver.need("rknn_query", library.query);
  resolver.need("rknn_inputs_set", library.inputs_set);
  resolver.need("rknn_set_core_mask", library.set_core_mask);
  resolver.need("rknn_run", library.run);
  resolver.need("rknn_outputs_get", library.outputs_get);
  resolver.need("rknn_outputs_release", library.outputs_release);
  resolver.find("rknn_set_input_shapes", library.set_input_shapes);
  resolver.find("rknn_register_custom_ops", library.register_custom_ops);
  resolver.find("rknn_create_mem", library.create_mem);
  resolver.find("rknn_create_mem_from_fd", library.create_mem_from_fd);
  resolver.find("rknn_destroy_mem", library.destroy_mem);
  resolver.find("rknn_set_io_mem", library.set_io_mem);
  resolver.find("rknn_mem_sync", library.mem_sync);
  return resolver.missing();
}

}  // namespace

void refuse_missing(const RuntimeLibrary& library, const char* name) {
  throw SessionError(
      fmt::format("{} lacks {}, which this call needs; use a newer runtime library", library.path, name));
}

std::shared_ptr<const RuntimeLibrary> open_runtime(const std::string& wanted) {
  std::string tried;
  for (const std::string& place : places(wanted)) {
    // Never closed: threads of the library may outlive the last session, and some runtimes do not survive dlclose.
    void* handle = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      tried += fmt::format("\n  {}", dlerror());
      continue;
    }
    auto library = std::make_shared<RuntimeLibrary>();
    library->path = place;
    const std::string missing = resolve_all(handle, *library);
    if (missing.empty()) return library;
    tried += fmt::format("\n  {}: lacks {}", place, missing);
  }
  throw SessionError(fmt::format(
      "no RKNN runtime library (librknnrt.so) could be opened; set OPENRKNN_RUNTIME to its path. Tried:{}", tried));
}

}  // namespace openrknn::session
