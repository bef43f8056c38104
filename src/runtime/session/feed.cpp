#include "runtime/session/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace openrknn::session {
namespace {

std::string attr_name(const rknn_tensor_attr& attr, const char* side) {
  const std::string name(attr.name, strnlen(attr.name, RKNN_MAX_NAME_LEN));
  return name.empty() ? fmt::format("{}_{}", side, attr.index) : name;
}

std::vector<int64_t> dims_of(const rknn_tensor_attr& attr) {
  return {attr.dims, attr.dims + std::min<uint32_t>(attr.n_dims, RKNN_MAX_DIMS)};
}

std::string type_name(rknn_tensor_type type) {
  static constexpr std::array<const char*, 10> kNames = {"float",  "float16", "int8",   "uint8", "int16",
                                                         "uint16", "int32",   "uint32", "int64", "bool"};
  const auto number = static_cast<size_t>(type);
  return fmt::format("tensor({})", number < kNames.size() ? kNames[number] : "unknown");
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void check_shape(const InputSpec& spec, const ArrayView& array) {
  const std::vector<int64_t>& expected = spec.arg.shape;
  if (array.shape.size() > RKNN_MAX_DIMS) throw SessionError("Input rank is too large");
  if (array.shape.size() != expected.size()) {
    throw SessionError(fmt::format("Input rank mismatch: expected {}, got {}", expected.size(), array.shape.size()));
  }
  if (array.shape != expected) {
    throw SessionError(fmt::format("Input '{}' shape mismatch: expected {}, got {}", spec.arg.name,
                                   shape_text(expected), shape_text(array.shape)));
  }
}

template <class T>
void nchw_to_nhwc(const std::vector<int64_t>& shape, const void* in, void* out) {
  const int64_t n = shape[0], c = shape[1], pixels = shape[2] * shape[3];
  const T* from = static_cast<const T*>(in);
  T* to = static_cast<T*>(out);
  for (int64_t image = 0; image < n; ++image, from += c * pixels, to += c * pixels) {
    for (int64_t channel = 0; channel < c; ++channel) {
      for (int64_t pixel = 0; pixel < pixels; ++pixel) to[pixel * c + channel] = from[channel * pixels + pixel];
    }
  }
}

std::vector<std::byte> transposed(const ArrayView& array, size_t bytes) {
  std::vector<std::byte> out(bytes);
  switch (element_bytes(array.type)) {
    case 1:
      nchw_to_nhwc<uint8_t>(array.shape, array.data, out.data());
      break;
    case 2:
      nchw_to_nhwc<uint16_t>(array.shape, array.data, out.data());
      break;
    case 4:
      nchw_to_nhwc<uint32_t>(array.shape, array.data, out.data());
      break;
    default:
      nchw_to_nhwc<uint64_t>(array.shape, array.data, out.data());
      break;
  }
  return out;
}

/// The arrays of the feed in the order of the model's inputs.
std::vector<const ArrayView*> in_model_order(const std::vector<InputSpec>& specs, const Feed& feed) {
  const size_t expected = specs.size(), got = feed.arrays.size();
  std::vector<const ArrayView*> result;
  switch (feed.kind) {
    case Feed::Kind::Single:
      if (expected != 1) {
        throw SessionError(fmt::format("Model expects {} inputs, but a single array was given", expected));
      }
      break;
    case Feed::Kind::List:
      if (got != expected)
        throw SessionError(fmt::format("Input list size mismatch: expected {}, got {}", expected, got));
      break;
    case Feed::Kind::Dict:
      if (got != expected)
        throw SessionError(fmt::format("Input dict size mismatch: expected {}, got {}", expected, got));
      for (const InputSpec& spec : specs) {
        const auto entry = std::find_if(feed.arrays.begin(), feed.arrays.end(),
                                        [&](const auto& pair) { return pair.first == spec.arg.name; });
        if (entry == feed.arrays.end()) throw SessionError("Missing input: " + spec.arg.name);
        result.push_back(&entry->second);
      }
      return result;
  }
  for (const auto& entry : feed.arrays) result.push_back(&entry.second);
  return result;
}

}  // namespace

InputSpec input_spec(const rknn_tensor_attr& attr, InputLayout layout) {
  InputSpec spec;
  spec.attr = attr;
  spec.fmt = attr.n_dims == 4 ? attr.fmt : RKNN_TENSOR_UNDEFINED;
  spec.arg = {attr_name(attr, "input"), dims_of(attr), type_name(attr.type), get_format_string(spec.fmt)};
  // Only what the model reports as NHWC can be presented otherwise.
  const bool as_nchw = layout == InputLayout::Nchw || layout == InputLayout::NchwSoftware;
  if (spec.fmt == RKNN_TENSOR_NHWC && as_nchw) {
    const std::vector<int64_t>& nhwc = spec.arg.shape;
    spec.arg.shape = {nhwc[0], nhwc[3], nhwc[1], nhwc[2]};
    spec.arg.layout = "NCHW";
    spec.transpose_here = layout == InputLayout::NchwSoftware;
    if (!spec.transpose_here) spec.fmt = RKNN_TENSOR_NCHW;
  }
  return spec;
}

NodeArg output_arg(const rknn_tensor_attr& attr) {
  return {attr_name(attr, "output"), dims_of(attr), type_name(attr.type),
          get_format_string(attr.n_dims == 4 ? attr.fmt : RKNN_TENSOR_UNDEFINED)};
}

PreparedFeed prepare(const std::vector<InputSpec>& specs, const Feed& feed) {
  if (feed.kind != Feed::Kind::Single && feed.arrays.empty() && !specs.empty())
    throw SessionError("No inputs provided");
  const std::vector<const ArrayView*> arrays = in_model_order(specs, feed);
  PreparedFeed prepared;
  for (size_t i = 0; i < specs.size(); ++i) {
    const ArrayView& array = *arrays[i];
    const InputSpec& spec = specs[i];
    check_shape(spec, array);
    if (array.data == nullptr) throw SessionError("Input data is null");
    size_t bytes = element_bytes(array.type);
    for (const int64_t extent : array.shape) bytes *= static_cast<size_t>(extent);
    if (bytes > UINT32_MAX) throw SessionError(fmt::format("Input '{}' is larger than 4 GiB", spec.arg.name));
    rknn_input input{};
    input.index = static_cast<uint32_t>(i);
    input.buf = const_cast<void*>(array.data);  // the runtime reads it only
    input.size = static_cast<uint32_t>(bytes);
    input.type = static_cast<rknn_tensor_type>(array.type);
    input.fmt = spec.fmt;
    if (spec.transpose_here) {
      prepared.copies.push_back(transposed(array, bytes));
      input.buf = prepared.copies.back().data();
    }
    prepared.inputs.push_back(input);
  }
  return prepared;
}

}  // namespace openrknn::session

namespace openrknn {

size_t element_bytes(ElementType type) {
  static constexpr size_t kBytes[] = {4, 2, 1, 1, 2, 2, 4, 4, 8, 1};
  return kBytes[static_cast<size_t>(type)];
}

size_t Array::size() const {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  return count;
}

Feed Feed::list(const std::vector<ArrayView>& arrays) {
  Feed feed{Kind::List, {}};
  for (const ArrayView& array : arrays) feed.arrays.emplace_back("", array);
  return feed;
}

}  // namespace openrknn
