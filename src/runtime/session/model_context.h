// One rknn_context with what the session needs to know of it. Not thread-safe: one user at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "openrknn/session.hpp"
#include "runtime/session/feed.h"
#include "runtime/session/runtime_library.h"

namespace openrknn::session {

/// Where a model comes from: a path, or bytes that the runtime copies.
struct ModelSource {
  std::string path;
  std::span<const std::byte> bytes;
  std::string key_file;  ///< of an encrypted model; empty: what the environment names
};

class ModelContext {
 public:
  /// rknn_init. `weights`: the context whose weights are used (RKNN_FLAG_SHARE_WEIGHT_MEM); it is kept alive. Throws
  /// SessionError.
  ModelContext(std::shared_ptr<const RuntimeLibrary>, const ModelSource&, uint32_t flags = 0,
               std::shared_ptr<ModelContext> weights = nullptr);
  /// rknn_dup_context; the original is kept alive. Throws SessionError.
  explicit ModelContext(std::shared_ptr<ModelContext> original);
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
  /// rknn_query of one tensor; false if the runtime has no answer.
  bool find_attribute(rknn_query_cmd cmd, uint32_t index, rknn_tensor_attr&) const;
  std::vector<rknn_tensor_attr> attributes(bool inputs) const;

  /// The core mask of worker `index`. -13 is no error where the SoC has one core and that one was meant.
  void set_core_mask(uint32_t mask, size_t index) const;
  void register_custom_ops(std::vector<rknn_custom_op>&) const;

  /// Switches to a shape set if another one is active.
  void set_shapes(const std::vector<InputSpec>&, size_t shape_set);
  void set_inputs(std::vector<rknn_input>&) const;
  void run() const;
  /// Fetches outputs into buffers of the caller and releases them.
  void get_outputs(std::vector<rknn_output>&) const;

  /// Throws SessionError with the documented text for a negative code, with the runtime's own words if it is ours.
  /// `what`: the function, and what of it ("rknn_query(…) failed for input attr index 0: ").
  void check(int code, std::string_view what) const {
    if (code < 0) raise(code, what);
  }

 private:
  /// What the runtime says of this thread's last failed call, if it is ours.
  std::string words_of_runtime() const;
  [[noreturn]] void raise(int code, std::string_view what) const;

  std::shared_ptr<const RuntimeLibrary> runtime_;
  std::shared_ptr<ModelContext> kept_;  // the original or the owner of the weights: destroyed after this one
  rknn_context handle_ = 0;
  size_t shape_set_ = SIZE_MAX;  // none was set yet
};

}  // namespace openrknn::session
