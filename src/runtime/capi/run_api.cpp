// rknn_run and rknn_wait.
#include <fmt/format.h>

#include "runtime/capi/external_memory.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/io_memory.h"
#include "runtime/capi/layer_log.h"

namespace openrknn::capi {
namespace {

using Clock = RunControl::Clock;

std::optional<Clock::time_point> deadline_of(const rknn_run_extend* extend) {
  if (extend == nullptr || extend->timeout_ms <= 0) return std::nullopt;
  return Clock::now() + std::chrono::milliseconds(extend->timeout_ms);
}

/// What can be known to be wrong before anything is computed.
void require_runnable(const ContextState& state) {
  if ((state.flags & RKNN_FLAG_COLLECT_MODEL_INFO_ONLY) != 0) {
    fail(Code::RuntimeBadArgument, "the context was made with RKNN_FLAG_COLLECT_MODEL_INFO_ONLY and cannot run");
  }
  state.context->require_custom_code();
  require_external_memory(state);
  require_bound_memory(state);
}

void compute(ContextState& state, std::optional<Clock::time_point> deadline) {
  read_bound_inputs(state);
  state.context->run(deadline);
  write_bound_outputs(state);
  log_layers(state);
}

void run(ContextState& state, rknn_run_extend* extend) {
  require_runnable(state);
  const bool in_background = extend != nullptr && extend->non_block != 0;
  ++state.frames;
  if (extend != nullptr) extend->frame_id = state.frames;
  if (!in_background) {
    state.background.forget_failure();
    return compute(state, deadline_of(extend));
  }
  // What rknn_wait is given says how long to wait; a run that nobody waits for has no deadline.
  require_inputs_set(state);
  state.background.start([&state] { compute(state, std::nullopt); });
}

void wait(ContextState& state, const rknn_run_extend* extend) {
  if (state.frames == 0) fail(Code::RuntimeNotInitialized, "nothing was run");
  if (extend != nullptr && extend->frame_id > state.frames) {
    fail(Code::RuntimeBadArgument,
         fmt::format("frame {} was not run yet, the last was {}", extend->frame_id, state.frames));
  }
  // A run begins when the one before has ended.
  if (extend != nullptr && extend->frame_id != 0 && extend->frame_id < state.frames) return;
  if (!state.background.wait(deadline_of(extend))) {
    throw ApiError(RKNN_ERR_TIMEOUT, Code::RuntimeCallFailed,
                   fmt::format("rknn_wait, frame {} is not done after {} ms", state.frames, extend->timeout_ms));
  }
  if (const std::exception_ptr failure = state.background.failure()) std::rethrow_exception(failure);
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_run(rknn_context context, rknn_run_extend* extend) {
  return with_context("rknn_run", context, [&](ContextState& state) { run(state, extend); });
}

int rknn_wait(rknn_context context, rknn_run_extend* extend) {
  return guard("rknn_wait", [&] {
    const std::shared_ptr<ContextState> state = library().find(context);
    require_no_callback(*state);
    const std::lock_guard lock(state->mutex);
    wait(*state, extend);
  });
}
