// The private door: RKNN_QUERY_OPENRKNN.
#pragma once

#include <cstdint>

namespace openrknn::capi {

/// Writes the address of the function table to *info (a const openrknn_functions**).
void query_extension(void* info, uint32_t size);

}  // namespace openrknn::capi
