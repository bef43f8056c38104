#include "runtime/capi/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

void require_size(uint64_t given, uint64_t needed) {
  if (given >= needed) return;
  throw ApiError(RKNN_ERR_PARAM_INVALID, Code::RuntimeBadInput,
                 fmt::format("rknn_inputs_set, param input size({}) < model input size({})", given, needed));
}

DType require_type(rknn_tensor_type type) {
  const std::optional<DType> dtype = element_type(type);
  if (!dtype) fail(Code::RuntimeBadInput, fmt::format("{} is no rknn_tensor_type", static_cast<int>(type)));
  return *dtype;
}

/// The layout the ports know for what the program said. Only 4-D arrays have a choice; UNDEFINED means as queried.
PortLayout port_layout(const rknn_tensor_attr& logical, rknn_tensor_format fmt) {
  if (logical.fmt == RKNN_TENSOR_UNDEFINED) return PortLayout::Source;
  if (logical.fmt == RKNN_TENSOR_NCHW) return PortLayout::Nchw;
  return fmt == RKNN_TENSOR_NCHW ? PortLayout::Nchw : PortLayout::Nhwc;
}

/// The program's bytes as a tensor; a copy only if they do not lie as their type needs.
Tensor array_at(const std::byte* data, DType dtype, const Shape& shape) {
  const auto bytes = static_cast<size_t>(byte_size(dtype, element_count(shape)));
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(std::max(bit_width(dtype) / 8, 1)) == 0) {
    return Tensor::view(dtype, shape, {data, bytes}, nullptr);
  }
  Tensor copy(dtype, shape);
  std::memcpy(copy.mutable_bytes().data(), data, bytes);
  return copy;
}

/// The rows of a padded NHWC array without the padding.
Tensor without_padding(DType dtype, const Shape& nhwc, const GivenArray& given) {
  const int64_t element = bit_width(dtype) / 8, pixel = nhwc[3] * element;
  const int64_t pitch = given.w_stride * pixel, image = (given.h_stride != 0 ? given.h_stride : nhwc[1]) * pitch;
  require_size(given.size, static_cast<uint64_t>((nhwc[0] - 1) * image + nhwc[1] * pitch));
  Tensor dense(dtype, nhwc);
  std::byte* out = dense.mutable_bytes().data();
  for (int64_t n = 0; n < nhwc[0]; ++n) {
    for (int64_t h = 0; h < nhwc[1]; ++h, out += nhwc[2] * pixel) {
      std::memcpy(out, given.data + n * image + h * pitch, static_cast<size_t>(nhwc[2] * pixel));
    }
  }
  return dense;
}

/// Codes in the NPU's cube, in logical order.
Tensor from_cube(const Value& value, const rknn_tensor_attr& native, const GivenArray& given) {
  require_size(given.size, native.size);
  const CubeLayout cube =
      cube_layout(value.shape[0], value.shape[1], value.shape[2], value.shape[3], native.dims[1], native.dims[4]);
  Tensor dense(value.dtype, value.shape);
  cube_to_nchw(given.data, cube, bit_width(value.dtype) / 8, dense.mutable_bytes().data());
  return dense;
}

void set_native(Context& context, size_t index, const GivenArray& given) {
  const rknn_tensor_attr native = native_attr(context, Side::Input, index);
  const Value& tensor = context.input(index);
  if (native.fmt == RKNN_TENSOR_NC1HWC2) {
    context.set_input(index, from_cube(tensor, native, given), PortLayout::Nchw, true);
    return;
  }
  if (native.fmt == RKNN_TENSOR_NHWC) {
    const Shape nhwc(native.dims, native.dims + 4);
    GivenArray padded = given;
    // Dense rows are taken too: that is what a buffer of the dense size can only be.
    padded.w_stride = given.size >= native.size_with_stride ? native.w_stride : nhwc[2];
    context.set_input(index, without_padding(tensor.dtype, nhwc, padded), PortLayout::Nhwc, true);
    return;
  }
  require_size(given.size, native.size);
  const Shape shape(native.dims, native.dims + native.n_dims);
  context.set_input(index, array_at(given.data, tensor.dtype, shape), port_layout(native, native.fmt), true);
}

/// A type for the C API's `type` of an output, made from the float or raw array.
Tensor as_type(const Context& context, size_t index, DType wanted) {
  const DType own = context.output(index).dtype;
  if (wanted == own) return context.output_array(index, false);
  const Tensor real = context.output_array(index, true);
  return wanted == DType::Float32 ? real : cast(real, wanted);
}

bool wants_cube(const Context& context, size_t index, const rknn_tensor_attr& attr) {
  return attr.fmt == RKNN_TENSOR_NC1HWC2 && context.output(index).shape.size() == 4;
}

}  // namespace

void set_input(Context& context, size_t index, const GivenArray& given) {
  require_pointer(given.data, "the input's buffer");
  if (given.pass_through) return set_native(context, index, given);
  const Value& tensor = context.input(index);
  const rknn_tensor_attr logical = logical_attr(context, Side::Input, index);
  const DType dtype = require_type(given.type);
  const PortLayout layout = port_layout(logical, given.fmt);
  const Shape shape = expected_shape(context.model().inputs[index], tensor.shape, layout);
  // Integers of a quantized model's own type are codes already.
  const bool codes = tensor.quant && dtype == tensor.dtype;
  const bool padded =
      layout == PortLayout::Nhwc && bit_width(dtype) >= 8 &&
      ((given.w_stride != 0 && given.w_stride != shape[2]) || (given.h_stride != 0 && given.h_stride != shape[1]));
  if (padded) {
    GivenArray rows = given;
    if (rows.w_stride == 0) rows.w_stride = shape[2];
    if (rows.w_stride < shape[2] || (rows.h_stride != 0 && rows.h_stride < shape[1])) {
      fail(Code::RuntimeBadArgument, "w_stride or h_stride is smaller than the image");
    }
    context.set_input(index, without_padding(dtype, shape, rows), layout, codes);
    return;
  }
  const uint64_t needed = static_cast<uint64_t>(byte_size(dtype, element_count(shape)));
  require_size(given.size, needed);
  context.set_input(index, array_at(given.data, dtype, shape), layout, codes);
}

uint64_t output_bytes(const Context& context, size_t index, const rknn_tensor_attr& attr) {
  const DType dtype = require_type(attr.type);
  int64_t elements = element_count(context.output(index).shape);
  if (wants_cube(context, index, attr)) elements = native_attr(context, Side::Output, index).n_elems;
  return static_cast<uint64_t>(byte_size(dtype, elements));
}

void write_output(const Context& context, size_t index, const rknn_tensor_attr& attr, std::byte* out) {
  const Value& tensor = context.output(index);
  const Port& port = context.model().outputs[index];
  const Tensor array = as_type(context, index, require_type(attr.type));
  const bool image = tensor.shape.size() == 4 && bit_width(array.dtype()) >= 8;
  const bool cube = wants_cube(context, index, attr);
  if (!image || (attr.fmt != RKNN_TENSOR_NHWC && !cube)) {
    std::memcpy(out, array.bytes().data(), array.bytes().size());
    return;
  }
  // Source order to logical order, whence both other layouts are reached.
  std::vector<int> to_logical = {0, 1, 2, 3};
  for (size_t i = 0; i < port.source_order.size(); ++i)
    to_logical[static_cast<size_t>(port.source_order[i])] = static_cast<int>(i);
  const Tensor logical = transpose(array, to_logical);
  const int64_t element = bit_width(array.dtype()) / 8;
  if (cube) {
    const rknn_tensor_attr native = native_attr(context, Side::Output, index);
    const std::byte zero[8] = {};
    nchw_to_cube(
        logical.bytes().data(),
        cube_layout(tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3], native.dims[1], native.dims[4]),
        element, zero, out);
    return;
  }
  copy_permuted(logical.bytes(), logical.shape(), {0, 2, 3, 1}, element, {out, logical.bytes().size()});
}

}  // namespace openrknn::capi
