// A matrix product between calls: what an rknn_matmul_ctx stands for.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/capi/guard.h"
#include "runtime/engine/matmul.h"

namespace openrknn::capi {

/// `mutex` is held during every call on it.
struct MatmulState {
  std::mutex mutex;
  std::unique_ptr<Matmul> matmul;
  std::vector<MatmulShape> shapes;     ///< the one it was created for, or those it may be switched to
  std::optional<MatmulShape> current;  ///< none yet: dynamic, and no shape was set
  std::shared_ptr<MemoryEntry> memory[3];
  std::vector<float> shown_scales;  ///< what rknn_matmul_get_quant_params points at
  std::vector<int32_t> shown_zero_points;
};

/// As with_context, for functions on a matmul context.
template <class Body>
int with_matmul(const char* function, rknn_matmul_ctx handle, Body&& body) noexcept {
  return guard(function, [&] {
    const std::shared_ptr<MatmulState> state = library().find_matmul(handle);
    const std::lock_guard lock(state->mutex);
    body(*state);
  });
}

/// What info says, checked: types, layouts, quantization. The target is OPENRKNN_TARGET's, else rk3588. Throws Error
/// (RuntimeBadArgument, ConfigUnsupported, ConfigUnknownPlatform) naming what does not fit.
MatmulSpec matmul_spec(const rknn_matmul_info&);
void show(const MatmulSpec&, const MatmulShape&, rknn_matmul_io_attr&);
/// The side that `name` ("A", "B" or "C") means.
MatmulSide matmul_side(const char (&name)[RKNN_MAX_NAME_LEN]);

}  // namespace openrknn::capi
