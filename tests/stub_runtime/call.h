// What every function of the stub does first and last: count, look up the context, suffer the planned fault, record.
#pragma once

#include <memory>

#include "contexts.h"
#include "control.h"
#include "cores.h"

namespace openrknn::stub {

class Call {
 public:
  /// For functions without a context.
  explicit Call(Api api);
  /// Looks up `handle`; `needed`: being none is RKNN_ERR_CTX_INVALID.
  Call(Api api, uint64_t handle, bool needed = true);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// RKNN_SUCC: go on. Else the code to return.
  int code() const { return code_; }
  /// Only for Api::Run, which is blocked where it holds its core.
  bool must_block() const { return must_block_; }
  Context& context() const { return *context_; }

  /// Sets what the function returns and what the record says.
  int finish(int code) { return code_ = code; }
  void set_argument(uint64_t argument) { record_.argument = argument; }
  void set_handle(uint64_t handle) { record_.context = handle; }

 private:
  Api api_;
  int code_ = RKNN_SUCC;
  bool must_block_ = false;
  std::shared_ptr<Context> context_;
  stub_call record_{};
};

Cores& cores();

}  // namespace openrknn::stub

#define STUB_EXPORT extern "C" __attribute__((visibility("default")))
