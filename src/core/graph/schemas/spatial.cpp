// Resize and the two depth/space shuffles.
#include <fmt/format.h>

#include "core/graph/resize_filter.h"
#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kResize[] = {
    {"sizes", AttributeType::Ints, true, "output extent per dimension; those of dimensions 0 and 1 are the input's"},
    {"scales", AttributeType::Floats, false, "output / input per dimension as the model said; default: from sizes"},
    {"roi", AttributeType::Floats, false, "starts, then ends per dimension, for tf_crop_and_resize"},
    {"mode", AttributeType::String, false, "nearest (default), linear or cubic"},
    {"coordinate_transformation_mode", AttributeType::String, false,
     "half_pixel (default), half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize"},
    {"nearest_mode", AttributeType::String, false, "round_prefer_floor (default), round_prefer_ceil, floor, ceil"},
    {"cubic_coeff_a", AttributeType::Float, false, "default: -0.75"},
    {"exclude_outside", AttributeType::Int, false, "1: weights outside the image are 0; default: 0"},
    {"antialias", AttributeType::Int, false,
     "1: the filter of linear and cubic is stretched by 1/scale where the size shrinks; default: 0"},
    {"extrapolation_value", AttributeType::Float, false, "outside the roi; default: 0"},
};
constexpr AttributeSpec kShuffle[] = {
    {"blocksize", AttributeType::Int, true, "edge of the spatial block"},
    {"mode", AttributeType::String, false, "DCR (default: depth, column, row) or CRD"},
};

void infer_resize(Inference& inference) {
  const Shape& x = inference.shape(0);
  require_rank(inference, 0, 3, 5);
  const std::vector<int64_t> sizes = list_of(inference, "sizes", x.size(), 0, 0);
  if (!fits(x[0], sizes[0]) || !fits(x[1], sizes[1])) {
    inference.fail(
        fmt::format("sizes are {} for input {}, expected batch and channels to stay", to_string(sizes), to_string(x)));
  }
  for (size_t d = 2; d < x.size(); ++d) {
    if (sizes[d] < 1 || x[d] == 0) {
      inference.fail(
          fmt::format("sizes are {} for input {}, expected positive extents", to_string(sizes), to_string(x)));
    }
  }
  const std::vector<double> scales = floats_attribute(inference.attributes(), "scales");
  if (!scales.empty() && scales.size() != x.size()) {
    inference.fail(fmt::format("scales have {} entries, expected {}", scales.size(), x.size()));
  }
  const std::vector<double> roi = floats_attribute(inference.attributes(), "roi");
  if (!roi.empty() && roi.size() != 2 * x.size()) {
    inference.fail(fmt::format("roi has {} entries, expected {}", roi.size(), 2 * x.size()));
  }
  choice_of(inference, "mode", {"nearest", "linear", "cubic"});
  choice_of(inference, "coordinate_transformation_mode",
            {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
             "tf_crop_and_resize", "tf_half_pixel_for_nn"});
  choice_of(inference, "nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  flag_of(inference, "exclude_outside", false);
  if (flag_of(inference, "antialias", false)) {
    constexpr int64_t kMostWeights = int64_t{1} << 26;
    const bool cubic = string_attribute(inference.attributes(), "mode", "nearest") == "cubic";
    for (size_t d = 2; d < x.size(); ++d) {
      const double scale = scales.empty() ? static_cast<double>(sizes[d]) / static_cast<double>(x[d]) : scales[d];
      if (x[d] < 0 || (scale > 0 && (scale >= 1 || resize_filter_taps(cubic, scale) <= kMostWeights / sizes[d]))) {
        continue;
      }
      inference.fail(
          fmt::format("antialias with scale {} along dimension {} needs more than {} weights", scale, d, kMostWeights));
    }
  }
  inference.set(0, inference.dtype(0), sizes);
}

int64_t block_of(const Inference& inference) {
  require_rank(inference, 0, 4, 4);
  choice_of(inference, "mode", {"DCR", "CRD"});
  constexpr int64_t kLargestBlock = 1 << 10;
  const int64_t block = int_attribute(inference.attributes(), "blocksize", 1);
  if (block < 1 || block > kLargestBlock) {
    inference.fail(fmt::format("blocksize is {}, expected 1 to {}", block, kLargestBlock));
  }
  return block;
}

void infer_depth_to_space(Inference& inference) {
  const int64_t block = block_of(inference);
  const Shape& x = inference.shape(0);
  if (x[1] >= 0 && x[1] % (block * block) != 0) {
    inference.fail(fmt::format("the input {} has {} channels, expected a multiple of {} (blocksize {} squared)",
                               to_string(x), x[1], block * block, block));
  }
  const auto grown = [&](int64_t extent) { return extent < 0 ? -1 : extent * block; };
  inference.set(0, inference.dtype(0), {x[0], x[1] < 0 ? -1 : x[1] / (block * block), grown(x[2]), grown(x[3])});
}

void infer_space_to_depth(Inference& inference) {
  const int64_t block = block_of(inference);
  const Shape& x = inference.shape(0);
  if ((x[2] >= 0 && x[2] % block != 0) || (x[3] >= 0 && x[3] % block != 0)) {
    inference.fail(fmt::format("the input {} has spatial extents {} and {}, expected multiples of blocksize {}",
                               to_string(x), x[2], x[3], block));
  }
  const auto shrunk = [&](int64_t extent) { return extent < 0 ? -1 : extent / block; };
  inference.set(0, inference.dtype(0), {x[0], x[1] < 0 ? -1 : x[1] * block * block, shrunk(x[2]), shrunk(x[3])});
}

const OpSchema kSpatialSchemas[] = {
    {.name = "Resize",
     .attributes = kResize,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .dimension_attributes = "sizes:per dimension,scales:per dimension,roi:begin-end per dimension",
     .quant = QuantRule::Same,
     .infer = infer_resize,
     .summary = "Spatial dimensions resampled to sizes."},
    {.name = "DepthToSpace",
     .attributes = kShuffle,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_depth_to_space,
     .summary = "Channels moved into blocks of blocksize x blocksize pixels."},
    {.name = "SpaceToDepth",
     .attributes = kShuffle,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_space_to_depth,
     .summary = "Blocks of blocksize x blocksize pixels moved into channels."},
};

}  // namespace

std::span<const OpSchema> spatial() { return kSpatialSchemas; }

}  // namespace openrknn::schemas
