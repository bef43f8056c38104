// Resizing, shuffles of pixels and channels, windows, borders, grids.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

struct Interpolation {
  std::string_view mode, coordinates = "half_pixel", nearest = "floor";
  bool antialias = false;
};

/// The size, or the factors where the size is None. Factors that are given decide the ratio as well (torch's
/// compute_scales_value), which floor(size · factor) / size would not.
Value resize(const Call& call, Interpolation how, size_t spatial, size_t align, size_t factors) {
  const ValueId x = call.floating(0);
  call.require_rank(x, static_cast<int64_t>(spatial) + 2, static_cast<int64_t>(spatial) + 2);
  std::vector<double> scales;
  if (call.at(factors).sequence() != nullptr) {
    scales = call.numbers(factors);
  } else {
    for (size_t d = 0; d < spatial; ++d)
      if (call.has(factors + d)) scales.push_back(call.number(factors + d));
  }
  if (!scales.empty() && scales.size() != spatial) scales.clear();
  Ints sizes = call.ints(1);
  Shape to(call.shape(x).begin(), call.shape(x).begin() + 2);
  std::vector<double> ratios(2, 1);
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t in = call.shape(x)[d + 2];
    if (sizes.empty() && scales.empty()) call.refuse("neither a size nor factors");
    const double wanted = sizes.empty() ? std::floor(static_cast<double>(in) * scales[d]) : 0;
    if (!(std::fabs(wanted) < 1e9)) call.refuse(fmt::format("the factor {}", scales[d]));
    to.push_back(sizes.empty() ? static_cast<int64_t>(wanted) : sizes.at(std::min(d, sizes.size() - 1)));
    if (!scales.empty()) ratios.push_back(scales[d]);
  }
  call.checked(to);
  const bool is_aligned = align != 0 && call.flag(align);
  Attributes attributes{
      {"sizes", to},
      {"mode", std::string(how.mode)},
      {"coordinate_transformation_mode", std::string(is_aligned ? "align_corners" : how.coordinates)}};
  if (!scales.empty() && !is_aligned) attributes.emplace("scales", ratios);
  if (how.mode == "nearest") attributes.emplace("nearest_mode", std::string(how.nearest));
  if (how.antialias) {
    attributes.emplace("antialias", int64_t{1});
    attributes.emplace("exclude_outside", int64_t{1});
    if (how.mode == "cubic") attributes.emplace("cubic_coeff_a", -0.5);
  }
  return box(call.add("Resize", {x}, std::move(attributes)));
}

template <size_t Spatial>
Value resize_nearest(const Call& call) {
  return resize(call, {.mode = "nearest", .coordinates = "asymmetric"}, Spatial, 0, 2);
}
template <size_t Spatial>
Value resize_nearest_exact(const Call& call) {
  return resize(call, {.mode = "nearest", .nearest = "round_prefer_ceil"}, Spatial, 0, 2);
}
template <size_t Spatial>
Value resize_linear(const Call& call) {
  return resize(call, {.mode = "linear"}, Spatial, 2, 3);
}
Value resize_cubic(const Call& call) { return resize(call, {.mode = "cubic"}, 2, 2, 3); }
Value resize_linear_antialias(const Call& call) { return resize(call, {.mode = "linear", .antialias = true}, 2, 2, 3); }
Value resize_cubic_antialias(const Call& call) { return resize(call, {.mode = "cubic", .antialias = true}, 2, 2, 3); }

template <const char* Node>
Value shuffle_pixels(const Call& call) {
  const ValueId x = call.floating(0);
  call.require_rank(x, 4, 4);
  return box(call.add(Node, {x}, {{"blocksize", call.integer(1)}, {"mode", std::string("CRD")}}));
}
constexpr char kDepthToSpace[] = "DepthToSpace", kSpaceToDepth[] = "SpaceToDepth";

Value shuffle_channels(const Call& call) {
  const ValueId x = call.tensor(0);
  call.require_rank(x, 3, 6);
  const Shape shape = call.shape(x);
  const int64_t groups = call.integer(1);
  if (groups < 1 || shape[1] % groups != 0) call.refuse(fmt::format("{} groups of {} channels", groups, shape[1]));
  Shape apart{shape[0], groups, shape[1] / groups};
  apart.insert(apart.end(), shape.begin() + 2, shape.end());
  Ints order{0, 2, 1};
  for (int64_t d = 3; d < static_cast<int64_t>(apart.size()); ++d) order.push_back(d);
  return box(call.reshape(call.transpose(call.reshape(x, apart), order), shape));
}

/// Pairs of borders, the last dimension's first.
Value pad(const Call& call, std::string mode, size_t value) {
  const ValueId x = call.tensor(0);
  const Ints given = call.ints(1);
  const auto rank = static_cast<size_t>(call.rank(x));
  if (given.size() % 2 != 0 || given.size() / 2 > rank)
    call.refuse(fmt::format("{} borders of a tensor of {}", given.size(), to_string(call.shape(x))));
  Ints pads(2 * rank, 0);
  for (size_t i = 0; i < given.size() / 2; ++i) {
    pads[rank - 1 - i] = given[2 * i];
    pads[2 * rank - 1 - i] = given[2 * i + 1];
  }
  static constexpr std::pair<std::string_view, std::string_view> kModes[] = {
      {"constant", "constant"}, {"reflect", "reflect"}, {"replicate", "edge"}, {"circular", "wrap"}};
  const auto* row = std::ranges::find(kModes, mode, &std::pair<std::string_view, std::string_view>::first);
  if (row == std::end(kModes)) call.refuse(fmt::format("the mode '{}'", mode));
  Attributes attributes{{"pads", pads}, {"mode", std::string(row->second)}};
  if (mode == "constant") attributes.emplace("value", call.number(value, 0));
  return box(call.add("Pad", {x}, std::move(attributes)));
}
Value pad_constant(const Call& call) { return pad(call, "constant", 2); }
Value pad_reflection(const Call& call) { return pad(call, "reflect", 2); }
Value pad_replication(const Call& call) { return pad(call, "replicate", 2); }
Value pad_by_mode(const Call& call) { return pad(call, call.text(2, "constant"), 3); }

Value grid_sampler(const Call& call) {
  constexpr std::string_view kModes[] = {"linear", "nearest", "cubic"}, kBorders[] = {"zeros", "border", "reflection"};
  const int64_t mode = call.integer(2), border = call.integer(3);
  if (mode < 0 || mode > 2 || border < 0 || border > 2) call.refuse(fmt::format("mode {}, border {}", mode, border));
  return box(call.add("GridSample", {call.floating(0), call.floating(1)},
                      {{"mode", std::string(kModes[mode])},
                       {"padding_mode", std::string(kBorders[border])},
                       {"align_corners", int64_t{call.flag(4)}}}));
}

/// The centres of `count` pixels, -1 to 1 across the image or from the first centre to the last.
std::vector<double> centres(int64_t count, bool align_corners) {
  std::vector<double> places(static_cast<size_t>(count), 0);
  for (int64_t i = 0; i < count && count > 1; ++i) {
    const double place = -1 + 2 * static_cast<double>(i) / static_cast<double>(count - 1);
    places[static_cast<size_t>(i)] =
        align_corners ? place : place * static_cast<double>(count - 1) / static_cast<double>(count);
  }
  return places;
}

/// theta [N, 2, 3] by the places of the pixels: [N, H, W, 2].
Value affine_grid(const Call& call) {
  const ValueId theta = call.floating(0);
  const Shape size = call.extents(1);
  if (size.size() != 4 || call.rank(theta) != 3 || call.extent(theta, 1) != 2) call.refuse("only of images");
  const std::vector<double> rows = centres(size[2], call.flag(2)), columns = centres(size[3], call.flag(2));
  std::vector<float> places;
  for (const double y : rows)
    for (const double x : columns) places.insert(places.end(), {static_cast<float>(x), static_cast<float>(y), 1.0F});
  const ValueId all = call.constant("places", Tensor::from<float>({1, size[2] * size[3], 3}, places));
  return box(call.reshape(call.add("MatMul", {all, call.transpose(theta, {0, 2, 1})}), {size[0], size[2], size[3], 2}));
}

/// self kernel_size dilation padding stride: [N, C, H, W] -> [N, C · kernel, windows]
Value image_to_columns(const Call& call) {
  ValueId x = call.floating(0);
  call.require_rank(x, 4, 4);
  const Ints kernel = call.spread(1, 2, 1), dilation = call.spread(2, 2, 1), border = call.spread(3, 2, 0),
             stride = call.spread(4, 2, 1);
  if (border != Ints{0, 0})
    x = call.add("Pad", {x}, {{"pads", Ints{0, 0, border[0], border[1], 0, 0, border[0], border[1]}}});
  const Shape shape = call.shape(x);
  Ints count;
  for (size_t d = 0; d < 2; ++d) {
    for (const int64_t each : {kernel[d], stride[d], dilation[d]})
      if (each < 1 || each > 65536) call.refuse(fmt::format("a window with an extent or step of {}", each));
    const int64_t room = shape[d + 2] - dilation[d] * (kernel[d] - 1) - 1;
    if (room < 0) call.refuse("a window beyond the image");
    count.push_back(room / stride[d] + 1);
  }
  if (kernel[0] > 64 || kernel[1] > 64) call.refuse(fmt::format("a window of {}", to_string(kernel)));
  std::vector<ValueId> taps;
  for (int64_t i = 0; i < kernel[0]; ++i) {
    for (int64_t j = 0; j < kernel[1]; ++j) {
      const int64_t top = i * dilation[0], left = j * dilation[1];
      const ValueId rows = call.slice(x, 2, top, top + (count[0] - 1) * stride[0] + 1, stride[0]);
      const ValueId tap = call.slice(rows, 3, left, left + (count[1] - 1) * stride[1] + 1, stride[1]);
      taps.push_back(call.reshape(tap, {shape[0], shape[1], 1, count[0] * count[1]}));
    }
  }
  return box(
      call.reshape(call.concat(std::move(taps), 2), {shape[0], shape[1] * kernel[0] * kernel[1], count[0] * count[1]}));
}

/// self output_size kernel_size dilation padding stride
Value columns_to_image(const Call& call) {
  const Ints border = call.spread(4, 2, 0);
  return box(call.add("Col2Im", {call.floating(0)},
                      {{"image_shape", call.spread(1, 2, 1)},
                       {"block_shape", call.spread(2, 2, 1)},
                       {"dilations", call.spread(3, 2, 1)},
                       {"pads", Ints{border[0], border[1], border[0], border[1]}},
                       {"strides", call.spread(5, 2, 1)}}));
}

constexpr std::string_view kNearest = "input output_size scales_d scales_h scales_w",
                           kLinear = "input output_size align_corners scales_d scales_h scales_w";

constexpr OperatorRow kSamplingRows[] = {
    {"aten::_upsample_bicubic2d_aa", kLinear, resize_cubic_antialias},
    {"aten::_upsample_bilinear2d_aa", kLinear, resize_linear_antialias},
    {"aten::_upsample_nearest_exact1d", kNearest, resize_nearest_exact<1>},
    {"aten::_upsample_nearest_exact2d", kNearest, resize_nearest_exact<2>},
    {"aten::_upsample_nearest_exact3d", kNearest, resize_nearest_exact<3>},
    {"aten::affine_grid_generator", "theta size align_corners", affine_grid},
    {"aten::channel_shuffle", "self groups", shuffle_channels},
    {"aten::col2im", "self output_size kernel_size dilation padding stride", columns_to_image},
    {"aten::constant_pad_nd", "self pad value", pad_constant},
    {"aten::grid_sampler", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
    {"aten::grid_sampler_2d", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
    {"aten::grid_sampler_3d", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
    {"aten::im2col", "self kernel_size dilation padding stride", image_to_columns},
    {"aten::pad", "self pad mode value", pad_by_mode},
    {"aten::pixel_shuffle", "self upscale_factor", shuffle_pixels<kDepthToSpace>},
    {"aten::pixel_unshuffle", "self downscale_factor", shuffle_pixels<kSpaceToDepth>},
    {"aten::reflection_pad1d", "self padding", pad_reflection},
    {"aten::reflection_pad2d", "self padding", pad_reflection},
    {"aten::reflection_pad3d", "self padding", pad_reflection},
    {"aten::replication_pad1d", "self padding", pad_replication},
    {"aten::replication_pad2d", "self padding", pad_replication},
    {"aten::replication_pad3d", "self padding", pad_replication},
    {"aten::upsample_bicubic2d", kLinear, resize_cubic},
    {"aten::upsample_bilinear2d", kLinear, resize_linear<2>},
    {"aten::upsample_linear1d", kLinear, resize_linear<1>},
    {"aten::upsample_nearest1d", kNearest, resize_nearest<1>},
    {"aten::upsample_nearest2d", kNearest, resize_nearest<2>},
    {"aten::upsample_nearest3d", kNearest, resize_nearest<3>},
    {"aten::upsample_trilinear3d", kLinear, resize_linear<3>},
};

}  // namespace

std::span<const OperatorRow> rows_of_sampling() { return kSamplingRows; }

}  // namespace openrknn::torchscript
