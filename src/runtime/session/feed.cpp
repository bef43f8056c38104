#include "runtime/session/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/session/staging.h"

namespace openrknn::session {
namespace {

std::string attr_name(const rknn_tensor_attr& attr, const char* side) {
  const std::string name(attr.name, strnlen(attr.name, RKNN_MAX_NAME_LEN));
  return name.empty() ? fmt::format("{}_{}", side, attr.index) : name;
}

std::vector<int64_t> dims_of(const rknn_tensor_attr& attr) {
  return {attr.dims, attr.dims + std::min<uint32_t>(attr.n_dims, RKNN_MAX_DIMS)};
}

const char* type_text(rknn_tensor_type type) {
  return static_cast<uint32_t>(type) <= RKNN_TENSOR_BOOL ? type_name(static_cast<ElementType>(type))
                                                         : "tensor(unknown)";
}

std::vector<int64_t> nhwc_to_nchw(const std::vector<int64_t>& nhwc) { return {nhwc[0], nhwc[3], nhwc[1], nhwc[2]}; }

/// Bytes per dimension of an array of `shape` whose innermost dimension is the last, or with `channels_last` the
/// second.
std::vector<int64_t> strides_of(const std::vector<int64_t>& shape, rknn_tensor_type type, bool channels_last) {
  std::vector<int64_t> strides(shape.size());
  if (static_cast<uint32_t>(type) > RKNN_TENSOR_BOOL) return {};  // packed types have none
  auto step = static_cast<int64_t>(element_bytes(static_cast<ElementType>(type)));
  std::vector<size_t> order(shape.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (channels_last) order = {0, 2, 3, 1};
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = step;
    step *= shape[order[i]];
  }
  return strides;
}

/// An integer tensor that stands for real numbers.
std::optional<Quantization> quantization_of(const rknn_tensor_attr& attr) {
  const bool codes = attr.type == RKNN_TENSOR_INT8 || attr.type == RKNN_TENSOR_UINT8 ||
                     attr.type == RKNN_TENSOR_INT16 || attr.type == RKNN_TENSOR_UINT16;
  if (!codes) return std::nullopt;
  if (attr.qnt_type == RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC) return Quantization{attr.scale, attr.zp};
  if (attr.qnt_type == RKNN_TENSOR_QNT_DFP) return Quantization{std::ldexp(1.0, -attr.fl), 0};
  return std::nullopt;
}

NodeArg node_arg(const rknn_tensor_attr& attr, const char* side) {
  NodeArg arg;
  arg.name = attr_name(attr, side);
  arg.shape = dims_of(attr);
  arg.type = type_text(attr.type);
  arg.layout =
      get_format_string(attr.n_dims == 4 || attr.fmt == RKNN_TENSOR_NC1HWC2 ? attr.fmt : RKNN_TENSOR_UNDEFINED);
  arg.strides = strides_of(arg.shape, attr.type, false);
  arg.quantization = quantization_of(attr);
  return arg;
}

bool presented_as_nchw(const InputSpec& spec) { return spec.attr.fmt == RKNN_TENSOR_NHWC && spec.arg.layout == "NCHW"; }

[[noreturn]] void reject_shape(const InputSpec& spec, const ArrayView& array) {
  const std::vector<int64_t>& expected = spec.arg.shape;
  if (array.shape.size() > RKNN_MAX_DIMS) throw SessionError("Input rank is too large");
  if (array.shape.size() != expected.size()) {
    throw SessionError(fmt::format("Input rank mismatch: expected {}, got {}", expected.size(), array.shape.size()));
  }
  std::string text = fmt::format("Input '{}' shape mismatch: expected {}, got {}", spec.arg.name, shape_text(expected),
                                 shape_text(array.shape));
  if (spec.arg.shapes.size() > 1) {
    text += "; this model takes";
    for (size_t i = 0; i < spec.arg.shapes.size(); ++i) {
      text += (i == 0 ? " " : " or ") + shape_text(spec.arg.shapes[i]);
    }
  }
  throw SessionError(text);
}

/// Which set all arrays belong to; sets pair across inputs by position.
size_t find_shape_set(const std::vector<InputSpec>& specs, const std::vector<const ArrayView*>& arrays) {
  const size_t sets = specs.empty() ? 0 : specs.front().arg.shapes.size();
  if (sets == 0) {
    for (size_t i = 0; i < specs.size(); ++i) {
      if (arrays[i]->shape != specs[i].arg.shape) reject_shape(specs[i], *arrays[i]);
    }
    return 0;
  }
  for (size_t set = 0; set < sets; ++set) {
    const auto fits = [&](size_t i) { return arrays[i]->shape == specs[i].arg.shapes[set]; };
    size_t i = 0;
    while (i < specs.size() && fits(i)) ++i;
    if (i == specs.size()) return set;
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto& shapes = specs[i].arg.shapes;
    if (std::find(shapes.begin(), shapes.end(), arrays[i]->shape) == shapes.end()) reject_shape(specs[i], *arrays[i]);
  }
  std::string text = "Input shapes do not belong together:";
  for (size_t i = 0; i < specs.size(); ++i) {
    text += fmt::format(" '{}' {}", specs[i].arg.name, shape_text(arrays[i]->shape));
  }
  throw SessionError(text + "; each set of shapes is one combination of all inputs");
}

}  // namespace

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

InputSpec input_spec(const rknn_tensor_attr& attr, InputLayout layout) {
  InputSpec spec;
  spec.attr = attr;
  spec.fmt = attr.n_dims == 4 ? attr.fmt : RKNN_TENSOR_UNDEFINED;
  spec.arg = node_arg(attr, "input");
  // Only what the model reports as NHWC can be presented otherwise.
  const bool as_nchw = layout == InputLayout::Nchw || layout == InputLayout::NchwSoftware;
  if (spec.fmt == RKNN_TENSOR_NHWC && as_nchw) {
    spec.arg.shape = nhwc_to_nchw(spec.arg.shape);
    spec.arg.layout = "NCHW";
    spec.arg.strides = strides_of(spec.arg.shape, attr.type, false);
    spec.transpose_here = layout == InputLayout::NchwSoftware;
    if (!spec.transpose_here) spec.fmt = RKNN_TENSOR_NCHW;
  }
  return spec;
}

NodeArg output_arg(const rknn_tensor_attr& attr) { return node_arg(attr, "output"); }

void add_shape_sets(InputSpec& spec, const rknn_input_range& range) {
  const uint32_t rank = std::min<uint32_t>(range.n_dims, RKNN_MAX_DIMS);
  for (uint32_t i = 0; i < std::min<uint32_t>(range.shape_number, RKNN_MAX_DYNAMIC_SHAPE_NUM); ++i) {
    spec.dynamic_dims.emplace_back(range.dyn_range[i], range.dyn_range[i] + rank);
    const std::vector<int64_t> dims(range.dyn_range[i], range.dyn_range[i] + rank);
    spec.arg.shapes.push_back(presented_as_nchw(spec) ? nhwc_to_nchw(dims) : dims);
  }
}

void order_arrays(const std::vector<InputSpec>& specs, const Feed& feed, std::vector<const ArrayView*>& result) {
  const size_t expected = specs.size(), got = feed.arrays.size();
  result.clear();
  if (feed.kind == Feed::Kind::Single && expected != 1) {
    throw SessionError(fmt::format("Model expects {} inputs, but a single array was given", expected));
  }
  if (got == 0 && expected > 0) throw SessionError("No inputs provided");
  if (feed.kind == Feed::Kind::List && got != expected) {
    throw SessionError(fmt::format("Input list size mismatch: expected {}, got {}", expected, got));
  }
  if (feed.kind == Feed::Kind::Dict) {
    if (got != expected)
      throw SessionError(fmt::format("Input dict size mismatch: expected {}, got {}", expected, got));
    for (const InputSpec& spec : specs) {
      const auto entry = std::find_if(feed.arrays.begin(), feed.arrays.end(),
                                      [&](const auto& pair) { return pair.first == spec.arg.name; });
      if (entry == feed.arrays.end()) throw SessionError("Missing input: " + spec.arg.name);
      result.push_back(&entry->second);
    }
    return;
  }
  for (const auto& entry : feed.arrays) result.push_back(&entry.second);
}

void prepare(const std::vector<InputSpec>& specs, const Feed& feed, bool keep, BlockPool& pool,
             PreparedFeed& prepared) {
  thread_local std::vector<const ArrayView*> arrays;  // grows once a thread
  order_arrays(specs, feed, arrays);
  prepared.shape_set = find_shape_set(specs, arrays);
  prepared.inputs.clear();
  prepared.copies.reset();
  const auto copied = [&](size_t i) { return keep || specs[i].transpose_here || !is_dense(*arrays[i]); };
  for (size_t i = 0; i < specs.size(); ++i) {
    const ArrayView& array = *arrays[i];
    const size_t bytes = dense_bytes(array);
    if (array.data == nullptr && bytes > 0) throw SessionError("Input data is null");
    if (bytes > UINT32_MAX) throw SessionError(fmt::format("Input '{}' is larger than 4 GiB", specs[i].arg.name));
    rknn_input input{};
    input.index = static_cast<uint32_t>(i);
    input.buf = const_cast<void*>(array.data);  // the runtime reads it only
    input.size = static_cast<uint32_t>(bytes);
    input.type = static_cast<rknn_tensor_type>(array.type);
    input.fmt = specs[i].fmt;
    prepared.inputs.push_back(input);
    if (!copied(i)) continue;
    if (!prepared.copies) prepared.copies = pool.take();
    BlockArray place{.type = array.type, .rank = static_cast<uint32_t>(array.shape.size())};
    std::copy(array.shape.begin(), array.shape.end(), place.dims.begin());
    prepared.copies->arrays.push_back(place);
  }
  if (!prepared.copies) return;
  prepared.copies->allocate();
  for (size_t i = 0, copy = 0; i < specs.size(); ++i) {
    if (!copied(i)) continue;
    std::byte* const to = prepared.copies->data(copy++);
    copy_dense(*arrays[i], specs[i].transpose_here, to);
    prepared.inputs[i].buf = to;
  }
}

}  // namespace openrknn::session

namespace openrknn {

size_t element_bytes(ElementType type) {
  static constexpr size_t kBytes[] = {4, 2, 1, 1, 2, 2, 4, 4, 8, 1};
  return kBytes[static_cast<size_t>(type)];
}

const char* type_name(ElementType type) {
  static constexpr const char* kNames[] = {"tensor(float)", "tensor(float16)", "tensor(int8)",  "tensor(uint8)",
                                           "tensor(int16)", "tensor(uint16)",  "tensor(int32)", "tensor(uint32)",
                                           "tensor(int64)", "tensor(bool)"};
  return kNames[static_cast<size_t>(type)];
}

Feed Feed::list(const std::vector<ArrayView>& arrays) {
  Feed feed{Kind::List, {}};
  for (const ArrayView& array : arrays) feed.arrays.emplace_back("", array);
  return feed;
}

}  // namespace openrknn
