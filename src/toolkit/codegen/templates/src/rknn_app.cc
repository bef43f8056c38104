// SPDX-License-Identifier: Apache-2.0
#include "rknn_app.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace rknn_app {
namespace {

void check(int code, const char* function) {
  if (code == RKNN_SUCC) return;
  throw std::runtime_error(std::string(function) + " failed with code " + std::to_string(code));
}

using Shape = std::vector<size_t>;
enum class Order { Source, Nchw, Nhwc };

Shape shape_of(const rknn_tensor_attr& attr) { return {attr.dims, attr.dims + attr.n_dims}; }

bool has_layout(const rknn_tensor_attr& attr) { return attr.n_dims == 4 && attr.fmt != RKNN_TENSOR_UNDEFINED; }

/// {N, C, H, W} of an input that has a layout.
Shape nchw_of(const rknn_tensor_attr& attr) {
  const Shape dims = shape_of(attr);
  return attr.fmt == RKNN_TENSOR_NHWC ? Shape{dims[0], dims[3], dims[1], dims[2]} : dims;
}

/// An array may leave out a batch of one.
bool has_shape(const Array& array, const Shape& wanted) {
  return array.shape == wanted ||
         (!wanted.empty() && wanted[0] == 1 && array.shape == Shape(wanted.begin() + 1, wanted.end()));
}

bool fits(const Array& array, const rknn_tensor_attr& attr, Order& order) {
  order = Order::Source;
  if (!has_layout(attr)) return has_shape(array, shape_of(attr));
  const Shape nchw = nchw_of(attr);
  order = Order::Nchw;
  if (has_shape(array, nchw)) return true;
  order = Order::Nhwc;
  return has_shape(array, {nchw[0], nchw[2], nchw[3], nchw[1]});
}

std::string expected_text(const rknn_tensor_attr& attr) {
  return has_layout(attr) ? to_string(nchw_of(attr)) + " (NCHW)" : to_string(shape_of(attr));
}

bool is_whole(rknn_tensor_type type) {
  return type == RKNN_TENSOR_INT32 || type == RKNN_TENSOR_UINT32 || type == RKNN_TENSOR_INT64 ||
         type == RKNN_TENSOR_BOOL;
}

size_t size_of(rknn_tensor_type type) {
  switch (type) {
    case RKNN_TENSOR_INT8:
    case RKNN_TENSOR_UINT8:
    case RKNN_TENSOR_BOOL:
      return 1;
    case RKNN_TENSOR_INT16:
    case RKNN_TENSOR_UINT16:
    case RKNN_TENSOR_FLOAT16:
      return 2;
    case RKNN_TENSOR_INT64:
      return 8;
    default:
      return 4;
  }
}

/// Real numbers go in as float32 and pictures as uint8: mean, std and quantization are the runtime's. Whole numbers go
/// as they are.
rknn_tensor_type buffer_type(const rknn_tensor_attr& attr, bool is_image) {
  if (is_whole(attr.type)) return attr.type;
  return is_image && attr.type != RKNN_TENSOR_UINT8 ? RKNN_TENSOR_UINT8 : RKNN_TENSOR_FLOAT32;
}

/// Whole numbers come as they are, everything else as float32.
rknn_tensor_type output_type(const rknn_tensor_attr& attr) {
  const bool is_plain = attr.qnt_type == RKNN_TENSOR_QNT_NONE && attr.type != RKNN_TENSOR_FLOAT32 &&
                        attr.type != RKNN_TENSOR_FLOAT16 && attr.type != RKNN_TENSOR_BFLOAT16 &&
                        attr.type != RKNN_TENSOR_INT4;
  return is_whole(attr.type) || is_plain ? attr.type : RKNN_TENSOR_FLOAT32;
}

char kind_of(rknn_tensor_type type) {
  if (type == RKNN_TENSOR_FLOAT32) return 'f';
  if (type == RKNN_TENSOR_BOOL) return 'b';
  return type == RKNN_TENSOR_UINT8 || type == RKNN_TENSOR_UINT16 || type == RKNN_TENSOR_UINT32 ? 'u' : 'i';
}

template <class T>
void put(unsigned char* at, int64_t value) {
  const auto element = static_cast<T>(value);
  if (static_cast<int64_t>(element) != value) {
    throw std::runtime_error("the input's type cannot hold " + std::to_string(value));
  }
  std::memcpy(at, &element, sizeof element);
}

void put_element(const Array& array, size_t index, rknn_tensor_type type, unsigned char* at) {
  if (type == RKNN_TENSOR_FLOAT32) {
    const float value = element_as_float(array, index);
    std::memcpy(at, &value, sizeof value);
  } else if (type == RKNN_TENSOR_INT64) {
    put<int64_t>(at, element_as_integer(array, index));
  } else if (type == RKNN_TENSOR_INT32) {
    put<int32_t>(at, element_as_integer(array, index));
  } else if (type == RKNN_TENSOR_UINT32) {
    put<uint32_t>(at, element_as_integer(array, index));
  } else if (type == RKNN_TENSOR_BOOL) {
    put<bool>(at, element_as_integer(array, index));
  } else {
    put<uint8_t>(at, element_as_integer(array, index));
  }
}

/// Pixels a row of the buffer: the NPU wants some rows padded.
size_t row_pixels(const rknn_tensor_attr& attr) { return std::max<size_t>(attr.w_stride, attr.dims[2]); }

size_t buffer_bytes(const rknn_tensor_attr& attr) {
  const Shape dims = shape_of(attr);
  size_t elements = 1;
  for (const size_t extent : dims) elements *= extent;
  if (has_layout(attr) && attr.fmt == RKNN_TENSOR_NHWC) elements = dims[0] * dims[1] * row_pixels(attr) * dims[3];
  return elements * size_of(attr.type);
}

void fill(const rknn_tensor_attr& attr, const Array& array, Order order, unsigned char* buffer) {
  const size_t element = size_of(attr.type);
  if (order == Order::Source) {
    for (size_t i = 0; i < array.count(); ++i) put_element(array, i, attr.type, buffer + i * element);
    return;
  }
  const Shape nchw = nchw_of(attr);
  const size_t channels = nchw[1], height = nchw[2], width = nchw[3];
  for (size_t n = 0; n < nchw[0]; ++n) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t y = 0; y < height; ++y) {
        for (size_t x = 0; x < width; ++x) {
          const size_t planar = ((n * channels + c) * height + y) * width + x;
          const size_t packed = ((n * height + y) * width + x) * channels + c;
          const size_t padded = ((n * height + y) * row_pixels(attr) + x) * channels + c;
          put_element(array, order == Order::Nchw ? planar : packed, attr.type,
                      buffer + (attr.fmt == RKNN_TENSOR_NHWC ? padded : planar) * element);
        }
      }
    }
  }
}

/// The picture as an array of the input's shape, once for each item of a batch.
Array pixels_for(const rknn_tensor_attr& attr, const Image& image) {
  const Shape nchw = nchw_of(attr);
  const Image framed = letterbox(image, nchw[2], nchw[3]);
  Array array;
  array.kind = 'u';
  array.size = 1;
  array.shape = {nchw[0], nchw[2], nchw[3], nchw[1]};
  for (size_t n = 0; n < nchw[0]; ++n) array.data.insert(array.data.end(), framed.pixels.begin(), framed.pixels.end());
  return array;
}

void print_attribute(const char* side, const rknn_tensor_attr& attr) {
  std::printf("  %s[%u] - %s: %s %s %s\n", side, attr.index, attr.name, to_string(shape_of(attr)).c_str(),
              get_format_string(attr.fmt), get_type_string(attr.type));
}

}  // namespace

RknnApp::RknnApp(const std::string& model_path) {
  std::string path = model_path;
  check(rknn_init(&context_, &path[0], 0, 0, nullptr), ("rknn_init of " + path).c_str());
  try {
    query_attributes();
  } catch (...) {
    rknn_destroy(context_);
    throw;
  }
}

RknnApp::~RknnApp() {
  for (rknn_tensor_mem* memory : memories_) rknn_destroy_mem(context_, memory);
  rknn_destroy(context_);
}

void RknnApp::query_attributes() {
  rknn_input_output_num count;
  std::memset(&count, 0, sizeof count);
  check(rknn_query(context_, RKNN_QUERY_IN_OUT_NUM, &count, sizeof count), "rknn_query(IN_OUT_NUM)");
  const auto query = [&](rknn_query_cmd command, uint32_t index, const char* name) {
    rknn_tensor_attr attr;
    std::memset(&attr, 0, sizeof attr);
    attr.index = index;
    check(rknn_query(context_, command, &attr, sizeof attr), name);
    return attr;
  };
  for (uint32_t i = 0; i < count.n_input; ++i) {
    inputs_.push_back(query(RKNN_QUERY_INPUT_ATTR, i, "rknn_query(INPUT_ATTR)"));
  }
  for (uint32_t i = 0; i < count.n_output; ++i) {
    outputs_.push_back(query(RKNN_QUERY_OUTPUT_ATTR, i, "rknn_query(OUTPUT_ATTR)"));
  }
  for (uint32_t i = 0; i < count.n_input; ++i) {
    const auto range = std::make_unique<rknn_input_range>();  // 33 KB
    std::memset(range.get(), 0, sizeof *range);
    range->index = i;
    const int code = rknn_query(context_, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range);
    if (code == RKNN_ERR_MODEL_INVALID && i == 0) return;  // a model of one set of shapes says so
    check(code, "rknn_query(INPUT_DYNAMIC_RANGE)");
    shape_sets_.resize(range->shape_number, inputs_);
    for (size_t set = 0; set < shape_sets_.size(); ++set) {
      rknn_tensor_attr& attr = shape_sets_[set][i];
      std::copy(range->dyn_range[set], range->dyn_range[set] + RKNN_MAX_DIMS, attr.dims);
      attr.n_dims = range->n_dims;
      attr.fmt = range->fmt;
    }
  }
}

void RknnApp::print_info() const {
  rknn_sdk_version version;
  std::memset(&version, 0, sizeof version);
  check(rknn_query(context_, RKNN_QUERY_SDK_VERSION, &version, sizeof version), "rknn_query(SDK_VERSION)");
  std::printf("runtime %s, driver %s\n", version.api_version, version.drv_version);
  for (const rknn_tensor_attr& attr : inputs_) print_attribute("input", attr);
  for (const rknn_tensor_attr& attr : outputs_) print_attribute("output", attr);
  if (!shape_sets_.empty()) std::printf("  %zu sets of input shapes\n", shape_sets_.size());
}

InputData RknnApp::read_input(size_t index, const std::string& path, bool swap_red_blue) const {
  InputData data;
  data.path = path;
  data.is_image = is_image(path);
  if (!data.is_image) {
    data.array = read_npy(path);
    return data;
  }
  const rknn_tensor_attr& attr = inputs_[index];
  const size_t channels = has_layout(attr) ? nchw_of(attr)[1] : 0;
  if ((channels != 1 && channels != 3) || attr.type == RKNN_TENSOR_BOOL) {
    throw std::runtime_error(path + ": a picture cannot be the input '" + attr.name + "' of shape " +
                             to_string(shape_of(attr)) + ": give a .npy file");
  }
  data.image = rknn_app::read_image(path, channels);
  if (swap_red_blue) swap_red_and_blue(data.image);
  return data;
}

void RknnApp::choose_shapes(const std::vector<InputData>& given) {
  if (shape_sets_.empty()) return;
  std::vector<rknn_tensor_attr>* chosen = nullptr;
  for (std::vector<rknn_tensor_attr>& set : shape_sets_) {
    bool arrays_fit = true, images_fit = true;
    for (size_t i = 0; i < given.size(); ++i) {
      Order order;
      if (!given[i].is_image) {
        arrays_fit = arrays_fit && fits(given[i].array, set[i], order);
        continue;
      }
      const Shape nchw = nchw_of(set[i]);
      images_fit = images_fit && nchw[2] == given[i].image.height && nchw[3] == given[i].image.width;
    }
    if (!arrays_fit) continue;
    if (images_fit || chosen == nullptr) chosen = &set;
    if (images_fit) break;
  }
  if (chosen == nullptr) {
    std::string text = "the inputs fit none of the model's sets of shapes:";
    for (const std::vector<rknn_tensor_attr>& set : shape_sets_) {
      for (size_t i = 0; i < set.size(); ++i) text += (i == 0 ? "\n  " : ", ") + expected_text(set[i]);
    }
    for (const InputData& data : given) {
      if (!data.is_image) text += "\n" + data.path + " has the shape " + to_string(data.array.shape);
    }
    throw std::runtime_error(text);
  }
  check(rknn_set_input_shapes(context_, static_cast<uint32_t>(chosen->size()), chosen->data()),
        "rknn_set_input_shapes");
  for (rknn_tensor_attr& attr : inputs_) {
    check(rknn_query(context_, RKNN_QUERY_CURRENT_INPUT_ATTR, &attr, sizeof attr), "rknn_query(CURRENT_INPUT_ATTR)");
  }
  for (rknn_tensor_attr& attr : outputs_) {
    check(rknn_query(context_, RKNN_QUERY_CURRENT_OUTPUT_ATTR, &attr, sizeof attr), "rknn_query(CURRENT_OUTPUT_ATTR)");
  }
}

rknn_tensor_mem* RknnApp::bind(rknn_tensor_attr& attr, size_t bytes) {
  rknn_tensor_mem* memory = rknn_create_mem(context_, static_cast<uint32_t>(bytes));
  if (memory == nullptr) {
    throw std::runtime_error("rknn_create_mem of " + std::to_string(bytes) + " bytes failed");
  }
  memories_.push_back(memory);
  std::memset(memory->virt_addr, 0, bytes);
  attr.size = static_cast<uint32_t>(bytes);
  attr.pass_through = 0;
  check(rknn_set_io_mem(context_, memory, &attr), (std::string("rknn_set_io_mem of ") + attr.name).c_str());
  return memory;
}

void RknnApp::bind_input(size_t index, const InputData& data) {
  rknn_tensor_attr attr = inputs_[index];
  attr.type = buffer_type(attr, data.is_image);
  Order order = Order::Nhwc;
  if (!data.is_image && !fits(data.array, attr, order)) {
    throw std::runtime_error(data.path + ": the array has the shape " + to_string(data.array.shape) + ", input '" +
                             attr.name + "' takes " + expected_text(attr));
  }
  rknn_tensor_mem* memory = bind(attr, buffer_bytes(attr));
  fill(attr, data.is_image ? pixels_for(attr, data.image) : data.array, order,
       static_cast<unsigned char*>(memory->virt_addr));
}

void RknnApp::bind_outputs() {
  output_memory_.clear();
  for (rknn_tensor_attr attr : outputs_) {
    attr.type = output_type(attr);
    output_memory_.push_back(bind(attr, attr.n_elems * size_of(attr.type)));
  }
}

void RknnApp::set_inputs(const std::vector<InputData>& given) {
  if (given.size() != inputs_.size()) {
    throw std::runtime_error("got " + std::to_string(given.size()) + " inputs, the model has " +
                             std::to_string(inputs_.size()) + ": join their paths by '#'");
  }
  choose_shapes(given);
  for (size_t i = 0; i < given.size(); ++i) bind_input(i, given[i]);
  bind_outputs();
}

void RknnApp::run() { check(rknn_run(context_, nullptr), "rknn_run"); }

Array RknnApp::output(size_t index) const {
  const rknn_tensor_attr& attr = outputs_[index];
  const rknn_tensor_type type = output_type(attr);
  Array array;
  array.kind = kind_of(type);
  array.size = size_of(type);
  array.shape = shape_of(attr);
  const auto* bytes = static_cast<const unsigned char*>(output_memory_[index]->virt_addr);
  array.data.assign(bytes, bytes + attr.n_elems * array.size);
  return array;
}

}  // namespace rknn_app
