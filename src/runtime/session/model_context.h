// One rknn_context with what the session needs to know of it. Not thread-safe: one user at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "openrknn/session.hpp"
#include "runtime/session/runtime_library.h"

namespace openrknn::session {

/// Where a model comes from: a path, or bytes that the runtime copies.
struct ModelSource {
  std::string path;
  std::span<const std::byte> bytes;
};

struct Duplicate {};

class ModelContext {
 public:
  /// rknn_init. Throws SessionError.
  ModelContext(std::shared_ptr<const RuntimeLibrary>, const ModelSource&);
  /// rknn_dup_context of another one. Throws SessionError.
  ModelContext(const ModelContext& original, Duplicate);
  ~ModelContext();
  ModelContext(const ModelContext&) = delete;
  ModelContext& operator=(const ModelContext&) = delete;

  const RuntimeLibrary& runtime() const { return *runtime_; }
  rknn_context handle() const { return handle_; }

  /// rknn_query of a structure; throws SessionError naming `what`.
  template <class T>
  T query(rknn_query_cmd cmd, const std::string& what, T request = {}) const {
    check(runtime_->query(handle_, cmd, &request, sizeof request), what);
    return request;
  }
  std::vector<rknn_tensor_attr> attributes(bool inputs) const;

  /// The core mask of worker `index`. -13 is no error where the SoC has one core and that one was meant.
  void set_core_mask(uint32_t mask, int64_t index) const;

  void set_inputs(std::vector<rknn_input>&) const;
  void run() const;
  /// Fetches float32 outputs into buffers of the caller and releases them.
  void get_outputs(std::vector<rknn_output>&) const;

  /// Throws SessionError with the documented text for a negative code, with the runtime's own words if it is ours.
  void check(int code, const std::string& what) const;

 private:
  std::shared_ptr<const RuntimeLibrary> runtime_;
  rknn_context handle_ = 0;
};

}  // namespace openrknn::session
