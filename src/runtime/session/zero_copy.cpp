#include "runtime/session/zero_copy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/base/layout.h"
#include "runtime/session/staging.h"

namespace openrknn::session {
namespace {

bool has_element_type(const rknn_tensor_attr& attr) { return static_cast<uint32_t>(attr.type) <= RKNN_TENSOR_BOOL; }

size_t bytes_per_element(const rknn_tensor_attr& attr) { return element_bytes(static_cast<ElementType>(attr.type)); }

/// Types the runtime converts from NHWC by itself.
bool has_nhwc_form(const rknn_tensor_attr& attr) {
  return attr.type == RKNN_TENSOR_FLOAT32 || attr.type == RKNN_TENSOR_FLOAT16 || attr.type == RKNN_TENSOR_INT8 ||
         attr.type == RKNN_TENSOR_UINT8;
}

uint64_t row_bytes(const rknn_tensor_attr& attr) {
  const uint64_t width = attr.w_stride != 0 ? attr.w_stride : attr.dims[2];
  return width * attr.dims[3] * bytes_per_element(attr);
}

uint64_t nhwc_bytes(const rknn_tensor_attr& attr) {
  const uint64_t rows = attr.h_stride != 0 ? attr.h_stride : attr.dims[1];
  return attr.dims[0] * rows * row_bytes(attr);
}

/// A cube the runtime would convert from NHWC anyway, described as that NHWC.
rknn_tensor_attr as_nhwc(const rknn_tensor_attr& logical, const rknn_tensor_attr& native) {
  rknn_tensor_attr attr = logical;
  attr.fmt = RKNN_TENSOR_NHWC;
  attr.pass_through = 0;
  if (attr.w_stride == 0) attr.w_stride = attr.dims[2];
  attr.h_stride = native.h_stride;
  attr.size_with_stride = static_cast<uint32_t>(nhwc_bytes(attr));
  return attr;
}

struct Queries {
  rknn_query_cmd native, native_nhwc;
};
constexpr Queries kInput = {RKNN_QUERY_NATIVE_INPUT_ATTR, RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR};
constexpr Queries kOutput = {RKNN_QUERY_NATIVE_OUTPUT_ATTR, RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR};

/// Native attributes are trusted for images only: runtimes differ on other ranks.
rknn_tensor_attr device_attr(const ModelContext& context, const rknn_tensor_attr& logical, IoKind kind,
                             ZeroCopyLayout layout) {
  const Queries& queries = kind == IoKind::Input ? kInput : kOutput;
  rknn_tensor_attr native{};
  if (logical.n_dims != 4 || !context.find_attribute(queries.native, logical.index, native)) return logical;
  if (layout == ZeroCopyLayout::Native) {
    native.pass_through = kind == IoKind::Input && native.fmt == RKNN_TENSOR_NC1HWC2 ? 1 : 0;
    return native;
  }
  if (!has_nhwc_form(logical)) return native;
  rknn_tensor_attr nhwc{};
  if (context.find_attribute(queries.native_nhwc, logical.index, nhwc) && nhwc.n_dims == 4) native = nhwc;
  const bool still_cube = native.fmt == RKNN_TENSOR_NC1HWC2;
  return still_cube && kind == IoKind::Input && logical.fmt == RKNN_TENSOR_NHWC ? as_nhwc(logical, native) : native;
}

uint64_t device_bytes(const rknn_tensor_attr& attr) {
  const uint64_t dense = uint64_t{attr.n_elems} * bytes_per_element(attr);
  if (attr.fmt == RKNN_TENSOR_UNDEFINED || attr.n_dims < 4) return dense;
  const uint64_t stated = std::max<uint64_t>(attr.size_with_stride, attr.size);
  return std::max(stated, attr.fmt == RKNN_TENSOR_NHWC ? nhwc_bytes(attr) : dense);
}

/// As get_native_inputs shows it.
NodeArg native_arg(const DevicePort& port) {
  NodeArg arg = port.logical;
  arg.shape.assign(port.attr.dims, port.attr.dims + std::min<uint32_t>(port.attr.n_dims, RKNN_MAX_DIMS));
  arg.layout = get_format_string(port.attr.fmt);
  arg.strides.assign(arg.shape.size(), 0);
  auto step = static_cast<int64_t>(bytes_per_element(port.attr));
  for (size_t i = arg.shape.size(); i-- > 0;) {
    arg.strides[i] = step;
    step *= arg.shape[i];
  }
  if (port.attr.fmt == RKNN_TENSOR_NHWC && arg.shape.size() == 4) {
    arg.strides[1] = static_cast<int64_t>(row_bytes(port.attr));
    arg.strides[0] = static_cast<int64_t>(nhwc_bytes(port.attr) / port.attr.dims[0]);
  }
  return arg;
}

DevicePort make_port(const ModelContext& context, const NodeArg& arg, const rknn_tensor_attr& logical, IoKind kind,
                     ZeroCopyLayout layout) {
  if (!has_element_type(logical)) {
    throw SessionError(fmt::format("io_binding does not support {} of '{}'", get_type_string(logical.type), arg.name));
  }
  DevicePort port{arg, device_attr(context, logical, kind, layout), 0};
  port.bytes = device_bytes(port.attr);
  return port;
}

struct Extents {
  int64_t n, c, h, w;
};
/// Of the logical array, however it is presented.
Extents extents(const NodeArg& arg) {
  const std::vector<int64_t>& s = arg.shape;
  return arg.layout == "NHWC" ? Extents{s[0], s[3], s[1], s[2]} : Extents{s[0], s[1], s[2], s[3]};
}

CubeLayout cube_of(const DevicePort& port) {
  const Extents e = extents(port.logical);
  return cube_layout(e.n, e.c, e.h, e.w, port.attr.dims[1], port.attr.dims[4]);
}

ElementType element_type(const DevicePort& port) { return static_cast<ElementType>(port.attr.type); }

/// A dense NHWC array as the NCHW array of the same elements.
ArrayView seen_as_nchw(const DevicePort& port, const std::byte* nhwc) {
  const Extents e = extents(port.logical);
  const auto element = static_cast<int64_t>(bytes_per_element(port.attr));
  return {element_type(port),
          {e.n, e.c, e.h, e.w},
          nhwc,
          {e.h * e.w * e.c * element, element, e.w * e.c * element, e.c * element}};
}

/// Calls `copy(dense offset, device offset, bytes)` for every run of bytes the two orders of an NHWC image share.
template <class Copy>
void for_each_pixel_run(const DevicePort& port, const Copy& copy) {
  const Extents e = extents(port.logical);
  const auto element = static_cast<int64_t>(bytes_per_element(port.attr));
  const auto pitch = static_cast<int64_t>(row_bytes(port.attr));
  const auto image = static_cast<int64_t>(nhwc_bytes(port.attr)) / std::max<int64_t>(e.n, 1);
  const bool same_order = port.logical.layout == "NHWC";
  for (int64_t n = 0; n < e.n; ++n) {
    for (int64_t h = 0; h < e.h; ++h) {
      const int64_t row = n * image + h * pitch;
      if (same_order) {
        copy((n * e.h + h) * e.w * e.c * element, row, e.w * e.c * element);
        continue;
      }
      for (int64_t c = 0; c < e.c; ++c) {
        for (int64_t w = 0; w < e.w; ++w) {
          copy((((n * e.c + c) * e.h + h) * e.w + w) * element, row + (w * e.c + c) * element, element);
        }
      }
    }
  }
}

}  // namespace

ZeroCopy::ZeroCopy(std::shared_ptr<ModelContext> context, const ModelFacts& facts, const SessionOptions& options)
    : context_(std::move(context)) {
  for (size_t i = 0; i < facts.inputs.size(); ++i) {
    inputs_.push_back(
        make_port(*context_, facts.inputs[i], facts.input_specs[i].attr, IoKind::Input, options.zero_copy_layout));
    native_inputs_.push_back(native_arg(inputs_.back()));
  }
  for (size_t i = 0; i < facts.outputs.size(); ++i) {
    outputs_.push_back(
        make_port(*context_, facts.outputs[i], facts.output_attrs[i], IoKind::Output, options.zero_copy_layout));
    native_outputs_.push_back(native_arg(outputs_.back()));
  }
}

const DevicePort& ZeroCopy::find(IoKind kind, const std::string& name) const {
  for (const DevicePort& port : ports(kind)) {
    if (port.logical.name == name) return port;
  }
  throw SessionError(fmt::format("Unknown {} name: {}", kind == IoKind::Input ? "input" : "output", name));
}

void ZeroCopy::bind(IoKind kind, const std::function<std::shared_ptr<DeviceBuffer>(const std::string&)>& memory_of) {
  auto& bound = kind == IoKind::Input ? bound_inputs_ : bound_outputs_;
  bound.resize(ports(kind).size());
  for (size_t i = 0; i < bound.size(); ++i) {
    const DevicePort& port = ports(kind)[i];
    const std::shared_ptr<DeviceBuffer> buffer = memory_of(port.logical.name);
    if (bound[i].lock() == buffer) continue;
    bound[i].reset();
    rknn_tensor_attr attr = port.attr;
    context_->check(
        context_->runtime().set_io_mem(context_->handle(), buffer->memory, &attr),
        fmt::format("rknn_set_io_mem failed for {} index {}: ", kind == IoKind::Input ? "input" : "output", i));
    bound[i] = buffer;
  }
}

void ZeroCopy::run(ZeroCopyTimes& times) {
  struct Line {
    ZeroCopy& of;
    const ZeroCopyTimes& times;
    ~Line() {
      if (of.prints_) print_zero_copy(of.runs_, times);
      ++of.runs_;
    }
  } const line{*this, times};  // failed runs too
  times.bound = Clock::now();
  context_->run();
  times.run = Clock::now();
}

DeviceBuffer::~DeviceBuffer() {
  if (memory != nullptr) {
    const std::lock_guard lock(owner->mutex());
    owner->context().runtime().destroy_mem(owner->context().handle(), memory);
  }
  if (fd >= 0) ::close(fd);
}

void DeviceBuffer::sync(rknn_mem_sync_mode mode) const {
  const std::lock_guard lock(owner->mutex());
  const RuntimeLibrary& runtime = owner->context().runtime();
  require(runtime, runtime.mem_sync, "rknn_mem_sync");
  owner->context().check(runtime.mem_sync(owner->context().handle(), memory, mode), mode == RKNN_MEMORY_SYNC_TO_DEVICE
                                                                                        ? "rknn_mem_sync(TO_DEVICE)"
                                                                                        : "rknn_mem_sync(FROM_DEVICE)");
}

void to_device(const DevicePort& port, const std::byte* dense, std::byte* out) {
  if (port.attr.fmt == RKNN_TENSOR_NC1HWC2) {
    const std::byte zero[8] = {};
    std::vector<std::byte> planes;
    if (port.logical.layout == "NHWC") {  // cubes are made of planes
      planes.resize(dense_bytes(seen_as_nchw(port, dense)));
      copy_dense(seen_as_nchw(port, dense), false, planes.data());
      dense = planes.data();
    }
    return nchw_to_cube(dense, cube_of(port), static_cast<int64_t>(bytes_per_element(port.attr)), zero, out);
  }
  if (port.attr.fmt == RKNN_TENSOR_NHWC && port.attr.n_dims == 4) {
    return for_each_pixel_run(port, [&](int64_t from, int64_t to, int64_t bytes) {
      std::memcpy(out + to, dense + from, static_cast<size_t>(bytes));
    });
  }
  std::memcpy(out, dense, uint64_t{port.attr.n_elems} * bytes_per_element(port.attr));
}

void from_device(const DevicePort& port, const std::byte* in, std::byte* dense) {
  if (port.attr.fmt == RKNN_TENSOR_NC1HWC2) {
    const auto element = static_cast<int64_t>(bytes_per_element(port.attr));
    if (port.logical.layout != "NHWC") return cube_to_nchw(in, cube_of(port), element, dense);
    const Extents e = extents(port.logical);
    std::vector<std::byte> planes(static_cast<size_t>(e.n * e.c * e.h * e.w * element));
    cube_to_nchw(in, cube_of(port), element, planes.data());
    return copy_dense({element_type(port), {e.n, e.c, e.h, e.w}, planes.data()}, true, dense);
  }
  if (port.attr.fmt == RKNN_TENSOR_NHWC && port.attr.n_dims == 4) {
    return for_each_pixel_run(port, [&](int64_t to, int64_t from, int64_t bytes) {
      std::memcpy(dense + to, in + from, static_cast<size_t>(bytes));
    });
  }
  std::memcpy(dense, in, uint64_t{port.attr.n_elems} * bytes_per_element(port.attr));
}

}  // namespace openrknn::session
