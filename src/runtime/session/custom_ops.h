// Custom operator plugins: shared libraries with one exported function, get_rknn_custom_op.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "openrknn/session_options.hpp"
#include "rknn_custom_op.h"
#include "runtime/session/runtime_library.h"

namespace openrknn::session {

inline bool wants_custom_ops(const SessionOptions& options) {
  return !options.custom_op_paths.empty() || options.custom_op_default_path;
}

/// The plugins of a session: closed when it is destroyed, which must be after the contexts that use them.
class CustomOps {
 public:
  CustomOps() = default;
  ~CustomOps();
  CustomOps(const CustomOps&) = delete;
  CustomOps& operator=(const CustomOps&) = delete;

  /// Loads what the options name. Throws SessionError for a path that cannot be used; files of the default directory
  /// that cannot be used are warned about.
  void load(const SessionOptions&, const RuntimeLibrary&, const std::function<void(const std::string&)>& warn);

  std::vector<rknn_custom_op>& ops() { return ops_; }

 private:
  void load_file(const std::string& path, const RuntimeLibrary& runtime,
                 const std::function<void(const std::string&)>* warn);

  std::vector<void*> handles_;
  std::vector<rknn_custom_op> ops_;
};

}  // namespace openrknn::session
