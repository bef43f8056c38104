// Copies of the caller's arrays, dense and in the order the runtime takes.
#pragma once

#include "openrknn/session_types.hpp"

namespace openrknn::session {

bool is_dense(const ArrayView&);
size_t dense_bytes(const ArrayView&);

/// Writes the elements densely to `out`. `channels_last`: a 4-D NCHW array becomes NHWC on the way, in the same pass.
void copy_dense(const ArrayView&, bool channels_last, std::byte* out);

}  // namespace openrknn::session
