// Reading an image at computed places: GridSample, AffineGrid, RoiAlign, MaxRoiPool, DeformConv; and Col2Im.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/window.h"

namespace openrknn::onnx {
namespace {

/// Opset 16 says bilinear and bicubic where 20 says linear and cubic.
void grid_sample(Translation& t) {
  std::string mode = t.text("mode", t.opset() < 20 ? "bilinear" : "linear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  const std::string padding = t.text("padding_mode", "zeros");
  t.produce("GridSample", {t.input(0), t.input(1)},
            {{"mode", mode}, {"padding_mode", padding}, {"align_corners", t.integer("align_corners", 0)}});
}

/// Homogeneous coordinates of the pixels of an image, -1 to 1 along each dimension: rows (x, y[, z], 1).
Tensor base_grid(const std::vector<int64_t>& extents, bool align_corners) {
  const size_t dimensions = extents.size();
  int64_t pixels = 1;
  for (const int64_t extent : extents) pixels *= extent;
  Tensor grid(DType::Float32, {pixels, static_cast<int64_t>(dimensions) + 1});
  float* to = reinterpret_cast<float*>(grid.mutable_bytes().data());
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    int64_t rest = pixel;
    for (size_t i = 0; i < dimensions; ++i) {
      const int64_t extent = extents[dimensions - 1 - i], at = rest % extent;
      rest /= extent;
      const double step = 2.0 / static_cast<double>(align_corners ? std::max<int64_t>(1, extent - 1) : extent);
      *to++ = static_cast<float>(-1.0 + (static_cast<double>(at) + (align_corners ? 0.0 : 0.5)) * step);
    }
    *to++ = 1.0f;
  }
  return grid;
}

/// Each pixel's coordinates times theta.
void affine_grid(Translation& t) {
  const std::vector<int64_t> size = t.known_ints(1, "the size of the image");
  const Shape& theta = t.shape(0);
  const auto dimensions = static_cast<int64_t>(size.size()) - 2;
  if ((dimensions != 2 && dimensions != 3) || theta != Shape{size[0], dimensions, dimensions + 1}) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format(
               "theta has shape {} for size {}, expected [{}, 2, 3] or [N, 3, 4] for an image of 2 or 3 dimensions",
               to_string(theta), to_string(size), size.empty() ? 0 : size[0]));
  }
  const std::vector<int64_t> extents(size.begin() + 2, size.end());
  double pixels = 1;
  for (const int64_t extent : extents) pixels *= static_cast<double>(extent);
  constexpr double kMost = 1 << 28;
  if (*std::min_element(extents.begin(), extents.end()) < 1 || pixels > kMost) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("size is {}, expected positive extents of up to {} pixels", to_string(size), kMost));
  }
  const ValueId base = t.add_constant(base_grid(extents, t.integer("align_corners", 0) != 0), "grid");
  const ValueId grid = t.emit("MatMul", {base, t.transpose(t.input(0), {0, 2, 1})});
  Shape shape = {size[0]};
  shape.insert(shape.end(), extents.begin(), extents.end());
  shape.push_back(dimensions);
  t.produce_reshaped(grid, shape);
}

/// Up to opset 15 without the shift by half a pixel.
void roi_align(Translation& t) {
  const std::string coordinates =
      t.text("coordinate_transformation_mode", t.opset() < 16 ? "output_half_pixel" : "half_pixel");
  t.produce("RoiAlign", {t.input(0), t.input(1), t.input(2)},
            {{"mode", t.text("mode", "avg")},
             {"output_height", t.integer("output_height", 1)},
             {"output_width", t.integer("output_width", 1)},
             {"sampling_ratio", t.integer("sampling_ratio", 0)},
             {"spatial_scale", t.real("spatial_scale", 1.0)},
             {"coordinate_transformation_mode", coordinates}});
}

void max_roi_pool(Translation& t) {
  t.produce("MaxRoiPool", {t.input(0), t.input(1)},
            {{"pooled_shape", t.integers("pooled_shape")}, {"spatial_scale", t.real("spatial_scale", 1.0)}});
}

/// Weights [O, I/group, kh, kw] as those of a 1x1 convolution over DeformIm2Col's channels [group][tap][channel].
ValueId pointwise_weights(Translation& t) {
  const Shape& w = t.shape(1);
  const Shape shape = {w[0], w[1] * w[2] * w[3], 1, 1};
  if (const Tensor* content = t.constant(1)) {
    return t.add_constant(openrknn::transpose(*content, std::vector<int>{0, 2, 3, 1}).reshaped(shape), "weights");
  }
  return t.reshape(t.transpose(t.input(1), {0, 2, 3, 1}), shape);
}

/// What the taps read, then a 1x1 convolution of that.
void deform_conv(Translation& t) {
  const Shape& w = t.shape(1);
  if (t.rank(0) != 4 || w.size() != 4) {
    t.unsupported(fmt::format("the input has shape {} and the weights {}, expected images (rank 4)",
                              to_string(t.shape(0)), to_string(w)));
  }
  const Window window = read_window(t, {w.begin() + 2, w.end()});
  const int64_t group = t.integer("group", 1);
  const ValueId columns = t.emit("DeformIm2Col", {t.input(0), t.input(2), t.optional_input(4)},
                                 {{"kernel_shape", window.kernel},
                                  {"strides", window.strides},
                                  {"pads", window.pads},
                                  {"dilations", window.dilations},
                                  {"group", group},
                                  {"offset_group", t.integer("offset_group", 1)}});
  const std::vector<int64_t> ones = {1, 1};
  t.produce("Conv", {columns, pointwise_weights(t), t.optional_input(3)}, {{"kernel_shape", ones}, {"group", group}});
}

void col2im(Translation& t) {
  Attributes attributes = {{"image_shape", t.known_ints(1, "the shape of the image")},
                           {"block_shape", t.known_ints(2, "the shape of a block")}};
  for (const std::string_view name : {"strides", "pads", "dilations"}) {
    if (t.has_attribute(name)) attributes.emplace(std::string(name), t.integers(name));
  }
  t.produce("Col2Im", {t.input(0)}, std::move(attributes));
}

constexpr OperatorRow kSamplingRows[] = {
    {"GridSample", 16, 28, grid_sample}, {"AffineGrid", 20, 28, affine_grid}, {"RoiAlign", 10, 28, roi_align},
    {"MaxRoiPool", 1, 28, max_roi_pool}, {"DeformConv", 19, 28, deform_conv}, {"Col2Im", 18, 28, col2im},
};

}  // namespace

std::span<const OperatorRow> sampling_operators() { return kSamplingRows; }

}  // namespace openrknn::onnx
