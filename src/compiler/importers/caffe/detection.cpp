// SSD's priors (prior_box_layer.cpp): boxes of several shapes around every cell, and the variances of their offsets.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

constexpr int64_t kMostNumbers = 16'000'000;

struct BoxShape {
  double width, height;
};

/// For each smallest size: the square, the square of the mean size, then one a ratio.
std::vector<BoxShape> shapes_of(const Layer& layer, const Message& options) {
  const std::vector<double> smallest = options.numbers("min_size"), largest = options.numbers("max_size");
  if (smallest.empty()) layer.refuse("min_size is missing");
  if (!largest.empty() && largest.size() != smallest.size())
    layer.refuse(fmt::format("{} max_size for {} min_size", largest.size(), smallest.size()));
  std::vector<double> ratios{1};
  for (const double ratio : options.numbers("aspect_ratio")) {
    if (ratio <= 0) layer.refuse("aspect_ratio has to be above 0");
    if (std::ranges::any_of(ratios, [&](double known) { return std::abs(known - ratio) < 1e-6; })) continue;
    ratios.push_back(ratio);
    if (options.boolean("flip", true)) ratios.push_back(1 / ratio);
  }
  std::vector<BoxShape> shapes;
  for (size_t i = 0; i < smallest.size(); ++i) {
    shapes.push_back({smallest[i], smallest[i]});
    if (!largest.empty()) {
      if (largest[i] <= smallest[i]) layer.refuse("max_size has to be above min_size");
      const double mean = std::sqrt(smallest[i] * largest[i]);
      shapes.push_back({mean, mean});
    }
    for (const double ratio : ratios) {
      if (std::abs(ratio - 1) < 1e-6) continue;
      shapes.push_back({smallest[i] * std::sqrt(ratio), smallest[i] / std::sqrt(ratio)});
    }
  }
  return shapes;
}

/// Of both directions: `name`, or `name`_h and `name`_w; 0: not given.
std::pair<double, double> pair_of(const Message& options, const std::string& name) {
  const double both = options.number(name, 0);
  return {options.number(name + "_h", both), options.number(name + "_w", both)};
}

Results prior_box(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Message& options = layer.options("prior_box_param");
  const Shape &feature = layer.shape(0), &image = layer.shape(1);
  if (feature.size() != 4 || image.size() != 4) layer.refuse("expected a feature map and an image of 4 dimensions");
  const std::vector<BoxShape> shapes = shapes_of(layer, options);
  const int64_t height = feature[2], width = feature[3];
  auto [image_height, image_width] = pair_of(options, "img_size");
  if (image_height == 0) image_height = static_cast<double>(image[2]);
  if (image_width == 0) image_width = static_cast<double>(image[3]);
  auto [step_height, step_width] = pair_of(options, "step");
  if (step_height == 0) step_height = image_height / static_cast<double>(height);
  if (step_width == 0) step_width = image_width / static_cast<double>(width);
  const double offset = options.number("offset", 0.5);
  std::vector<double> variances = options.numbers("variance");
  if (variances.empty()) variances = {0.1};
  if (variances.size() != 1 && variances.size() != 4)
    layer.refuse(fmt::format("{} variances, expected 1 or 4", variances.size()));
  const auto count = 4 * static_cast<int64_t>(shapes.size());
  if (height > kMostNumbers / width || height * width > kMostNumbers / (2 * count))
    layer.refuse(fmt::format("{} x {} cells of {} boxes are beyond any net", height, width, shapes.size()));

  std::vector<float> numbers;
  const bool clips = options.boolean("clip", false);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double cx = (static_cast<double>(x) + offset) * step_width,
                   cy = (static_cast<double>(y) + offset) * step_height;
      for (const BoxShape& shape : shapes) {
        for (const double edge : {(cx - shape.width / 2) / image_width, (cy - shape.height / 2) / image_height,
                                  (cx + shape.width / 2) / image_width, (cy + shape.height / 2) / image_height}) {
          numbers.push_back(static_cast<float>(clips ? std::clamp(edge, 0.0, 1.0) : edge));
        }
      }
    }
  }
  const size_t boxes = numbers.size();
  for (size_t i = 0; i < boxes; ++i)
    numbers.push_back(static_cast<float>(variances[variances.size() == 1 ? 0 : i % 4]));
  return {layer.builder.constant("priors", Tensor::from<float>({1, 2, static_cast<int64_t>(boxes)}, numbers))};
}

constexpr LayerRow kDetectionRows[] = {
    {"PriorBox", prior_box},
};

}  // namespace

std::span<const LayerRow> rows_of_detection() { return kDetectionRows; }

}  // namespace openrknn::caffe
