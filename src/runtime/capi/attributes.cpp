#include "runtime/capi/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/error.h"

namespace openrknn::capi {
namespace {

// By rknn_tensor_type.
constexpr std::array kElementTypes = {DType::Float32, DType::Float16, DType::Int8,  DType::UInt8,
                                      DType::Int16,   DType::UInt16,  DType::Int32, DType::UInt32,
                                      DType::Int64,   DType::Bool,    DType::Int4,  DType::BFloat16};
static_assert(kElementTypes.size() == RKNN_TENSOR_TYPE_MAX);

bool is_image(const Value& value) { return value.shape.size() == 4; }
bool stays_nchw(const Value& value) { return value.dtype == DType::Bool || value.dtype == DType::Int64; }

struct Extents {
  int64_t n, c, h, w;
};
Extents extents(const Value& value) { return {value.shape[0], value.shape[1], value.shape[2], value.shape[3]}; }

int64_t align_up(int64_t v, int64_t alignment) { return (v + alignment - 1) / alignment * alignment; }

/// Pixels to which the NPU pads rows of an image with so many channels.
int64_t width_alignment(const Context& context, const Value& value) {
  const int64_t channels = value.shape[1];
  if (channels != 1 && channels != 3 && channels != 4) return 1;
  const Target& target = context.device().target();
  const int bits = bit_width(value.dtype);
  return bits == 8 ? target.width_align_int8 : bits == 16 ? target.width_align_float16 : 1;
}

/// Convolutions write channels in pairs of C2 blocks.
bool made_by_convolution(const Context& context, const Value& value) {
  if (value.producer == NodeId::None) return false;
  const std::string& op = context.graph()[value.producer].op;
  return op == "Conv" || op == "ConvTranspose";
}

void set_dims(rknn_tensor_attr& attr, const Shape& dims) {
  attr.n_dims = static_cast<uint32_t>(dims.size());
  std::copy(dims.begin(), dims.end(), attr.dims);
  attr.n_elems = static_cast<uint32_t>(element_count(dims));
}

void set_size(rknn_tensor_attr& attr, const Value& value) {
  attr.size = static_cast<uint32_t>(byte_size(value.dtype, attr.n_elems));
  attr.size_with_stride = attr.size;
}

/// [N, H, W, C] with rows of `stride` pixels.
void set_nhwc(rknn_tensor_attr& attr, const Value& value, int64_t stride) {
  const Extents e = extents(value);
  attr.fmt = RKNN_TENSOR_NHWC;
  set_dims(attr, {e.n, e.h, e.w, e.c});
  set_size(attr, value);
  attr.w_stride = static_cast<uint32_t>(stride);
  attr.size_with_stride = static_cast<uint32_t>(byte_size(value.dtype, e.n * e.h * stride * e.c));
}

/// What does not depend on the layout.
rknn_tensor_attr common_attr(const Context& context, Side side, size_t index, const Value& tensor) {
  rknn_tensor_attr attr{};
  attr.index = static_cast<uint32_t>(index);
  const std::string& name = port(context, side, index).name;
  name.copy(attr.name, RKNN_MAX_NAME_LEN - 1);
  attr.type = tensor_type(tensor.dtype).value_or(RKNN_TENSOR_TYPE_MAX);
  // Tensors that are not quantized are AFFINE too, with neutral parameters: programs rely on it (TK2#357).
  attr.qnt_type = RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC;
  attr.scale = tensor.quant ? static_cast<float>(tensor.quant->scale.front()) : 1.0f;
  attr.zp = tensor.quant ? tensor.quant->zero_point.front() : 0;
  return attr;
}

rknn_tensor_attr logical_attr_of(const Context& context, Side side, size_t index, const Value& tensor) {
  rknn_tensor_attr attr = common_attr(context, side, index, tensor);
  if (side == Side::Input && is_image(tensor) && !stays_nchw(tensor)) {
    set_nhwc(attr, tensor, align_up(tensor.shape[3], width_alignment(context, tensor)));
    return attr;
  }
  const bool nchw_input = side == Side::Input && is_image(tensor);
  attr.fmt = is_image(tensor) ? RKNN_TENSOR_NCHW : RKNN_TENSOR_UNDEFINED;
  set_dims(attr, expected_shape(port(context, side, index), tensor.shape,
                                nchw_input ? PortLayout::Nchw : PortLayout::Source));
  set_size(attr, tensor);
  return attr;
}

void report_inexpressible(const Value& tensor, const std::string& name, Diagnostics& problems) {
  const Location where{.tensor = name};
  if (!tensor_type(tensor.dtype)) {
    problems.add(Code::NotBuilt, where, fmt::format("the RKNN C API has no element type {}", numpy_name(tensor.dtype)));
  }
  if (tensor.shape.size() > RKNN_MAX_DIMS || element_count(tensor.shape) > UINT32_MAX / 8) {
    problems.add(Code::NotBuilt, where,
                 fmt::format("the RKNN C API has no room for shape {}", to_string(tensor.shape)));
  }
}

}  // namespace

size_t count(const Context& context, Side side) {
  return side == Side::Input ? context.graph().inputs.size() : context.graph().outputs.size();
}
const Port& port(const Context& context, Side side, size_t index) {
  return side == Side::Input ? context.model().inputs[index] : context.model().outputs[index];
}
const Value& value(const Context& context, Side side, size_t index) {
  return side == Side::Input ? context.input(index) : context.output(index);
}

std::optional<rknn_tensor_type> tensor_type(DType dtype) {
  const auto found = std::find(kElementTypes.begin(), kElementTypes.end(), dtype);
  if (found == kElementTypes.end()) return std::nullopt;
  return static_cast<rknn_tensor_type>(found - kElementTypes.begin());
}

void require_enumerators(const rknn_tensor_type& type, const rknn_tensor_format& format) {
  static_assert(sizeof type == sizeof(uint32_t) && sizeof format == sizeof(uint32_t));
  const auto require = [](const void* field, uint32_t end, std::string_view what) {
    uint32_t value = 0;
    std::memcpy(&value, field, sizeof value);
    if (value >= end) fail(Code::RuntimeBadInput, fmt::format("{} is no {}", static_cast<int32_t>(value), what));
  };
  require(&type, RKNN_TENSOR_TYPE_MAX, "rknn_tensor_type");
  require(&format, RKNN_TENSOR_FORMAT_MAX, "rknn_tensor_format");
}

std::optional<DType> element_type(rknn_tensor_type type) {
  const auto number = static_cast<size_t>(type);
  if (number >= kElementTypes.size()) return std::nullopt;
  return kElementTypes[number];
}

rknn_tensor_attr logical_attr(const Context& context, Side side, size_t index) {
  return logical_attr_of(context, side, index, value(context, side, index));
}

rknn_tensor_attr variant_attr(const Context& context, size_t index, size_t variant) {
  return logical_attr_of(context, Side::Input, index, context.loaded()->outside(variant).inputs[index]);
}

rknn_tensor_attr largest_attr(const Context& context, Side side, size_t index) {
  const OutsideValues& outside = context.loaded()->outside(0);
  return logical_attr_of(context, side, index, side == Side::Input ? outside.inputs[index] : outside.outputs[index]);
}

rknn_tensor_attr native_attr(const Context& context, Side side, size_t index) {
  const Value& tensor = value(context, side, index);
  const int bits = bit_width(tensor.dtype);
  const bool narrow = (bits == 8 || bits == 16) && tensor.dtype != DType::Bool;
  if (!is_image(tensor) || !narrow) return logical_attr(context, side, index);
  const Extents e = extents(tensor);
  if (side == Side::Input && (e.c == 1 || e.c == 3 || e.c == 4)) return logical_attr(context, side, index);
  rknn_tensor_attr attr = common_attr(context, side, index, tensor);
  const int64_t c2 = context.device().target().cube_channels_int8 * 8 / bits;
  const bool pairs = side == Side::Output && made_by_convolution(context, tensor);
  const int64_t c1 = align_up(e.c, pairs ? 2 * c2 : c2) / c2;
  attr.fmt = RKNN_TENSOR_NC1HWC2;
  set_dims(attr, {e.n, c1, e.h, e.w, c2});
  set_size(attr, tensor);
  return attr;
}

rknn_tensor_attr native_nhwc_attr(const Context& context, Side side, size_t index) {
  const Value& tensor = value(context, side, index);
  if (!is_image(tensor) || stays_nchw(tensor) || side == Side::Input) return logical_attr(context, side, index);
  rknn_tensor_attr attr = common_attr(context, side, index, tensor);
  set_nhwc(attr, tensor, tensor.shape[3]);
  return attr;
}

void require_expressible(const Context& context) {
  Diagnostics problems;
  const size_t sets = context.model().variants.size();
  if (sets > RKNN_MAX_DYNAMIC_SHAPE_NUM) {
    problems.add(Code::NotBuilt, {}, fmt::format("the RKNN C API has no room for {} sets of input shapes", sets));
  }
  for (size_t set = 0; set < sets; ++set) {
    const OutsideValues& outside = context.loaded()->outside(set);
    for (const Side side : {Side::Input, Side::Output}) {
      const std::vector<Value>& values = side == Side::Input ? outside.inputs : outside.outputs;
      for (size_t i = 0; i < values.size(); ++i) report_inexpressible(values[i], port(context, side, i).name, problems);
    }
  }
  problems.throw_if_any();
}

}  // namespace openrknn::capi
