#include "call.h"

namespace openrknn::stub {

Call::Call(Api api) : api_(api) {
  record_.api = kApiNames[static_cast<size_t>(api)];
  record_.start_ns = now_ns();
  const Fault fault = control().enter(api);
  code_ = fault.code;
  must_block_ = fault.block;
  if (fault.block && api != Api::Run) {
    const int released_with = control().wait_for_release();
    if (released_with != 0) code_ = released_with;
  }
}

Call::Call(Api api, uint64_t handle, bool needed) : Call(api) {
  record_.context = handle;
  context_ = registry().find(handle);
  if (context_ == nullptr) {
    if (!needed) return;
    ++control().counters.bad_handles;
    code_ = RKNN_ERR_CTX_INVALID;
    return;
  }
  if (context_->users.fetch_add(1) > 0) {
    ++control().counters.concurrent_uses;
    control().set_error(std::string(record_.api) + " began on context " + std::to_string(handle) +
                        " while another call was in it");
  }
}

Call::~Call() {
  if (context_ != nullptr) context_->users.fetch_sub(1);
  record_.code = code_;
  control().counters.nanoseconds[static_cast<size_t>(api_)].fetch_add(now_ns() - record_.start_ns,
                                                                      std::memory_order_relaxed);
  control().record(record_);
}

Cores& cores() {
  static Cores* const only = new Cores;  // never destroyed: threads may outlive main
  return *only;
}

}  // namespace openrknn::stub
