#include "compiler/dataset/sample_loading.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "compiler/dataset/frame.h"
#include "compiler/dataset/image.h"
#include "core/base/error.h"

namespace openrknn {
namespace {

// Float inputs are calibrated in float32, whatever the source model computes in.
Value graph_value(const SampleSpec& spec) {
  Value value;
  value.name = spec.port.name;
  value.dtype = is_floating(spec.dtype) ? DType::Float32 : spec.dtype;
  value.shape = spec.shape;
  return value;
}

void exchange_red_and_blue(Tensor& image) {
  const std::span<uint8_t> pixels = image.mutable_values<uint8_t>();
  for (size_t i = 0; i + 2 < pixels.size(); i += 3) std::swap(pixels[i], pixels[i + 2]);
}

void require_finite(const Tensor& array) {
  const std::span<const float> values = array.values<float>();
  const auto bad = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  if (bad == values.end()) return;
  fail(Code::DatasetNotFinite, fmt::format("element {} is {}", bad - values.begin(), *bad),
       "a sample must be finite in float32: one such value would spoil the range of every tensor behind it");
}

}  // namespace

Complaint check_image_input(const SampleSpec& spec) {
  const std::string input = fmt::format("input '{}' has shape {}", spec.port.name, to_string(spec.shape));
  const std::string give_npy = fmt::format("give a .npy file of shape {}", to_string(spec.shape));
  if (spec.shape.size() != 4) return {fmt::format("an image cannot be this input: {}", input), give_npy};
  if (spec.shape[1] != 1 && spec.shape[1] != 3) {
    return {fmt::format("an image has 1 or 3 channels: {}", input), give_npy};
  }
  if (spec.shape[0] != 1) {
    return {fmt::format("one image cannot fill a batch of {}: {}", spec.shape[0], input),
            "import the model with batch 1 (rknn_batch_size sets the batch of the result), or " + give_npy};
  }
  if (spec.dtype == DType::Bool || spec.dtype == DType::Int8 || bit_width(spec.dtype) < 8) {
    return {fmt::format("an image has values 0 to 255: input '{}' is {}", spec.port.name, numpy_name(spec.dtype)),
            fmt::format("give a .npy file of {}", numpy_name(spec.dtype))};
  }
  return {};
}

Complaint check_array_shape(const SampleSpec& spec, const Shape& shape, PortLayout layout) {
  const Shape expected = expected_shape(spec.port, spec.shape, layout);
  const auto fits = [&](const Shape& wanted) {
    return shape == wanted || (!wanted.empty() && wanted[0] == 1 && shape == Shape(wanted.begin() + 1, wanted.end()));
  };
  if (fits(expected)) return {};
  std::string fix;
  if (expected.size() == 4) {
    const bool wants_nchw = expected == spec.shape;
    if (fits(expected_shape(spec.port, spec.shape, wants_nchw ? PortLayout::Nhwc : PortLayout::Nchw))) {
      const bool batch = shape.size() == 4;
      fix = wants_nchw
                ? fmt::format("this looks like NHWC: numpy.transpose(array, {}) makes it NCHW{}",
                              batch ? "(0, 3, 1, 2)" : "(2, 0, 1)",
                              layout == PortLayout::Nchw ? ", which files hold whatever the model's layout" : "")
                : fmt::format("this looks like NCHW: numpy.transpose(array, {}) makes it NHWC, the model's layout",
                              batch ? "(0, 2, 3, 1)" : "(1, 2, 0)");
    } else {
      fix = "arrays are not resized, only images are";
    }
  }
  if (shape.size() == expected.size() && !shape.empty() && shape[0] == 1 && expected[0] > 1) {
    fix = "import the model with batch 1: rknn_batch_size sets the batch of the result";
  }
  return {fmt::format("the array's shape is {}, input '{}' takes {}", to_string(shape), spec.port.name,
                      to_string(expected)),
          fix};
}

Tensor load_image(const SampleSpec& spec, const std::filesystem::path& path) {
  if (const PixelFormat* format = find_pixel_format(spec.port.pixel_format)) {
    const Shape nhwc = expected_shape(spec.port, spec.shape, PortLayout::Nhwc);
    return to_graph(spec.port, graph_value(spec), read_frame(path, *format, spec.shape).reshaped(nhwc),
                    PortLayout::Nhwc, false, Layout::Logical);
  }
  const int64_t channels = spec.shape[1], height = spec.shape[2], width = spec.shape[3];
  Tensor image = resize_bilinear(read_image(path, channels == 1), height, width);
  if (spec.rgb_to_bgr && channels == 3) exchange_red_and_blue(image);
  return to_graph(spec.port, graph_value(spec), image.reshaped({1, height, width, channels}), PortLayout::Nhwc, false,
                  Layout::Logical);
}

Tensor load_array(const SampleSpec& spec, const Tensor& array, PortLayout layout) {
  Tensor given = array.reshaped(expected_shape(spec.port, spec.shape, layout));
  if (is_floating(spec.dtype)) {
    given = cast(given, DType::Float32);
    require_finite(given);
  }
  try {
    return to_graph(spec.port, graph_value(spec), given, layout, false, Layout::Logical);
  } catch (const Error& error) {
    if (error.code() != Code::RuntimeBadInput) throw;
    fail(Code::DatasetBadArray, error.diagnostics.front().problem, error.diagnostics.front().fix);
  }
}

}  // namespace openrknn
