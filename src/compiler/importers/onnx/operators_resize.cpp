// Resize and its forerunner Upsample: every opset's way of saying sizes becomes sizes and scales per dimension.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

struct Request {
  std::string mode, coordinates = "asymmetric", nearest = "floor";
  std::vector<double> scales;  ///< per dimension; empty: from sizes
  Shape sizes;
  std::vector<double> roi;  ///< starts, then ends per dimension; empty: the whole input
  double cubic_coeff_a = double{-0.75f};
  int64_t exclude_outside = 0, antialias = 0;
  double extrapolation_value = 0;
};

int64_t checked_extent(const Translation& t, double extent) {
  constexpr double kMost = 1 << 24;
  if (!(extent >= 1 && extent <= kMost)) {
    t.fail(Code::ImportShapeMismatch, fmt::format("an output extent would be {}, expected 1 to {}", extent, kMost));
  }
  return static_cast<int64_t>(extent);
}

void set_scales(const Translation& t, Request& request, std::vector<double> scales) {
  const Shape& x = t.shape(0);
  if (scales.size() != x.size()) {
    t.fail(Code::ImportShapeMismatch, fmt::format("{} scales for an input of shape {}", scales.size(), to_string(x)));
  }
  for (size_t d = 0; d < x.size(); ++d) {
    const double crop = request.roi.empty() ? 1.0 : request.roi[d + x.size()] - request.roi[d];
    // In float, as the scales are stored: 1/3 of 9 must stay 3.
    const float extent = static_cast<float>(x[d]) * static_cast<float>(crop) * static_cast<float>(scales[d]);
    request.sizes.push_back(checked_extent(t, std::floor(extent)));
  }
  request.scales = std::move(scales);
}

bool is_resized(const Request& request, const Shape& x, size_t d) {
  const bool cropped = !request.roi.empty() && (request.roi[d] != 0.0 || request.roi[d + x.size()] != 1.0);
  return cropped || request.sizes[d] != x[d] || (!request.scales.empty() && request.scales[d] != 1.0);
}

Attributes attributes_of(const Request& r) {
  Attributes all = {{"sizes", r.sizes},
                    {"mode", r.mode},
                    {"coordinate_transformation_mode", r.coordinates},
                    {"nearest_mode", r.nearest},
                    {"cubic_coeff_a", r.cubic_coeff_a},
                    {"exclude_outside", r.exclude_outside},
                    {"extrapolation_value", r.extrapolation_value}};
  if (r.antialias != 0) all.emplace("antialias", r.antialias);
  if (!r.scales.empty()) all.emplace("scales", r.scales);
  if (!r.roi.empty()) all.emplace("roi", r.roi);
  return all;
}

/// Resizes dimensions `move` of a value. Our Resize keeps batch and channels and knows three more; other choices
/// (channels-last models, matrices) are brought into the form [what stays, 1, what is resized …] and back.
ValueId resized(Translation& t, ValueId value, const Request& request, const std::vector<size_t>& move) {
  const Shape x = t.shape_of(value);
  std::vector<size_t> stay;
  for (size_t d = 0; d < x.size(); ++d) {
    if (std::find(move.begin(), move.end(), d) == move.end()) stay.push_back(d);
  }
  std::vector<int64_t> order(stay.begin(), stay.end()), back(x.size());
  order.insert(order.end(), move.begin(), move.end());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  int64_t batch = 1;
  for (const size_t d : stay) batch *= x[d];
  Request inner = request;
  Shape flat = {batch, 1}, moved;
  inner.sizes = flat;
  if (!request.scales.empty()) inner.scales = {1.0, 1.0};
  std::vector<double> starts = {0, 0}, ends = {1, 1};
  for (const size_t d : stay) moved.push_back(x[d]);
  for (const size_t d : move) {
    flat.push_back(x[d]);
    moved.push_back(request.sizes[d]);
    inner.sizes.push_back(request.sizes[d]);
    if (!request.scales.empty()) inner.scales.push_back(request.scales[d]);
    if (request.roi.empty()) continue;
    starts.push_back(request.roi[d]);
    ends.push_back(request.roi[d + x.size()]);
  }
  if (!request.roi.empty()) {
    inner.roi = starts;
    inner.roi.insert(inner.roi.end(), ends.begin(), ends.end());
  }
  const ValueId source = t.reshape(t.transpose(value, order), flat);
  return t.transpose(t.reshape(t.emit("Resize", {source}, attributes_of(inner)), moved), back);
}

/// Linear on integers is computed in float32 and cut off, as onnxruntime does; so is cropping, which fills with a
/// float.
void produce_resize(Translation& t, const Request& request) {
  const Shape x = t.shape(0);
  std::vector<size_t> move;
  for (size_t d = 0; d < x.size(); ++d) {
    if (is_resized(request, x, d)) move.push_back(d);
  }
  if (move.empty()) return t.forward(t.input(0));
  const DType dtype = t.dtype(0);
  const bool copies = request.mode == "nearest" && request.coordinates != "tf_crop_and_resize";
  const bool computes_on_integers = !copies && dtype != DType::Float32;
  const bool exact = request.mode == "linear" || (request.mode == "nearest" && bit_width(dtype) <= 16);
  if (computes_on_integers && (!exact || dtype == DType::Bool)) {
    t.unsupported(
        fmt::format("mode '{}' with '{}' on {}, expected floats", request.mode, request.coordinates, name(dtype)));
  }
  if (move.front() >= 2 && x.size() <= 5 && !computes_on_integers) {
    return t.produce("Resize", {t.input(0)}, attributes_of(request));
  }
  ValueId value = computes_on_integers ? t.cast(t.input(0), DType::Float32) : t.input(0);
  constexpr size_t kMost = 3;
  for (size_t first = 0; first < move.size(); first += kMost) {
    const auto begin = move.begin() + static_cast<std::ptrdiff_t>(first);
    value =
        resized(t, value, request, {begin, begin + static_cast<std::ptrdiff_t>(std::min(kMost, move.size() - first))});
  }
  t.forward(computes_on_integers ? t.cast(value, dtype) : value);
}

/// One rounding for the dimensions that shrink, another for those that grow: one after the other.
void produce_mixed_nearest(Translation& t, Request request, const std::vector<size_t>& shrinking,
                           const std::vector<size_t>& growing) {
  ValueId value = t.input(0);
  for (const size_t d : shrinking) value = resized(t, value, request, {d});
  request.nearest = "floor";
  for (const size_t d : growing) value = resized(t, value, request, {d});
  t.forward(value);
}

/// Upsample and the first Resize (opset 10) know neither sizes nor coordinates: output i reads input i / scale, rounded
/// down where it grows and up where it shrinks (onnxruntime's "simple" nearest mode).
void upsample(Translation& t) {
  Request request;
  request.mode = t.text("mode", "nearest");
  if (request.mode == "bilinear") request.mode = "linear";  // opset 1's word, still written by some exporters
  const bool attribute = t.op() == "Upsample" && t.opset() < 9;
  const std::vector<double> scales = attribute ? t.reals("scales") : t.known_doubles(1, "scales");
  set_scales(t, request, scales);
  std::vector<size_t> shrinking, growing;
  for (size_t d = 0; d < scales.size(); ++d) {
    if (scales[d] < 1) shrinking.push_back(d);
    if (scales[d] > 1) growing.push_back(d);
  }
  if (request.mode == "nearest" && !shrinking.empty()) {
    request.nearest = "ceil";
    if (!growing.empty()) return produce_mixed_nearest(t, request, shrinking, growing);
  }
  produce_resize(t, request);
}

double round_half_up(double value) { return std::floor(value + 0.5); }

void set_sizes(const Translation& t, Request& request, const std::vector<int64_t>& wanted,
               const std::vector<size_t>& axes) {
  const Shape& x = t.shape(0);
  const std::string policy = t.text("keep_aspect_ratio_policy", "stretch");
  if (wanted.size() != axes.size()) {
    t.fail(Code::ImportShapeMismatch, fmt::format("{} sizes for {} axes", wanted.size(), axes.size()));
  }
  request.sizes = x;
  std::vector<double> ratios;
  for (size_t i = 0; i < axes.size(); ++i) {
    request.sizes[axes[i]] = checked_extent(t, static_cast<double>(wanted[i]));
    ratios.push_back(static_cast<double>(wanted[i]) / static_cast<double>(x[axes[i]]));
  }
  if (policy == "stretch" || ratios.empty()) return;
  if (policy != "not_larger" && policy != "not_smaller") {
    t.unsupported(fmt::format("keep_aspect_ratio_policy is '{}', expected stretch, not_larger or not_smaller", policy));
  }
  const double ratio = policy == "not_larger" ? *std::min_element(ratios.begin(), ratios.end())
                                              : *std::max_element(ratios.begin(), ratios.end());
  request.scales.assign(x.size(), 1.0);
  for (const size_t d : axes) {
    request.scales[d] = ratio;
    request.sizes[d] = checked_extent(t, round_half_up(ratio * static_cast<double>(x[d])));
  }
}

/// Some files give an empty tensor where they mean "left out".
bool given(const Translation& t, size_t input) { return t.has(input) && element_count(t.shape(input)) > 0; }

void resize(Translation& t) {
  if (t.opset() < 11) return upsample(t);
  const Shape x = t.shape(0);
  Request request;
  request.mode = t.text("mode", "nearest");
  request.coordinates = t.text("coordinate_transformation_mode", "half_pixel");
  request.nearest = t.text("nearest_mode", "round_prefer_floor");
  request.cubic_coeff_a = t.real("cubic_coeff_a", request.cubic_coeff_a);
  request.exclude_outside = t.integer("exclude_outside", 0);
  request.extrapolation_value = t.real("extrapolation_value", 0.0);

  std::vector<size_t> axes(x.size());
  std::iota(axes.begin(), axes.end(), size_t{0});
  if (t.has_attribute("axes")) {
    axes.clear();
    for (const int64_t axis : t.integers("axes")) {
      axes.push_back(static_cast<size_t>(t.axis(axis, static_cast<int64_t>(x.size()), "axes")));
    }
  }
  if (request.coordinates == "tf_crop_and_resize") {
    const std::vector<double> values = t.known_doubles(1, "roi");
    if (values.size() != 2 * axes.size()) t.fail(Code::ImportShapeMismatch, "roi needs a start and an end per axis");
    request.roi.assign(x.size(), 0.0);
    request.roi.resize(2 * x.size(), 1.0);
    for (size_t i = 0; i < axes.size(); ++i) {
      request.roi[axes[i]] = values[i];
      request.roi[axes[i] + x.size()] = values[i + axes.size()];
    }
  }
  if (given(t, 2)) {
    const std::vector<double> values = t.known_doubles(2, "scales");
    if (values.size() != axes.size()) {
      t.fail(Code::ImportShapeMismatch, fmt::format("{} scales for {} axes", values.size(), axes.size()));
    }
    std::vector<double> scales(x.size(), 1.0);
    for (size_t i = 0; i < axes.size(); ++i) scales[axes[i]] = values[i];
    set_scales(t, request, std::move(scales));
  } else if (given(t, 3)) {
    set_sizes(t, request, t.known_ints(3, "sizes"), axes);
  } else {
    t.fail(Code::ImportBadFile, "neither scales nor sizes are given", "export the model again");
  }
  bool shrinks = false;
  for (size_t d = 0; d < x.size(); ++d) {
    shrinks = shrinks || request.sizes[d] < x[d] || (!request.scales.empty() && request.scales[d] < 1);
  }
  if (shrinks && request.mode != "nearest") request.antialias = t.integer("antialias", 0);
  produce_resize(t, request);
}

constexpr OperatorRow kResizeRows[] = {
    {"Upsample", 7, 9, upsample},
    {"Resize", 10, 28, resize},
};

}  // namespace

std::span<const OperatorRow> resize_operators() { return kResizeRows; }

}  // namespace openrknn::onnx
