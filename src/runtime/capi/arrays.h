// Between a program's buffers and the engine's tensors: row padding, NC1HWC2, element types.
#pragma once

#include "runtime/capi/attributes.h"

namespace openrknn::capi {

/// How a program laid out one input.
struct GivenArray {
  const std::byte* data = nullptr;
  uint64_t size = 0;  ///< bytes
  rknn_tensor_type type = RKNN_TENSOR_FLOAT32;
  rknn_tensor_format fmt = RKNN_TENSOR_UNDEFINED;
  bool pass_through = false;  ///< native layout and type
  int64_t w_stride = 0;       ///< pixels a row; 0: the width
  int64_t h_stride = 0;       ///< rows an image; 0: the height
};

/// Converts the array into the context's input. Throws ApiError (-5) if the array is too short.
void set_input(Context&, size_t index, const GivenArray&);

/// Bytes that write_output() needs for this attribute.
uint64_t output_bytes(const Context&, size_t index, const rknn_tensor_attr&);
/// Writes output `index` in the type and layout `attr` asks for.
void write_output(const Context&, size_t index, const rknn_tensor_attr& attr, std::byte* out);

}  // namespace openrknn::capi
