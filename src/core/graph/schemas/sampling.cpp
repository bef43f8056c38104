// Reading an input at computed places: GridSample, RoiAlign, MaxRoiPool, DeformIm2Col; and Col2Im, which adds up
// overlapping blocks.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kGridSample[] = {
    {"mode", AttributeType::String, false, "linear (default), nearest or cubic"},
    {"padding_mode", AttributeType::String, false, "zeros (default), border or reflection"},
    {"align_corners", AttributeType::Int, false,
     "1: -1 and 1 are centres of the outermost pixels; default: 0, their edges"},
};
constexpr AttributeSpec kRoiAlign[] = {
    {"output_height", AttributeType::Int, false, "default: 1"},
    {"output_width", AttributeType::Int, false, "default: 1"},
    {"mode", AttributeType::String, false, "avg (default) or max"},
    {"sampling_ratio", AttributeType::Int, false, "samples per bin and direction; 0 (default): one per pixel"},
    {"spatial_scale", AttributeType::Float, false, "pixels of x per unit of the rois; default: 1"},
    {"coordinate_transformation_mode", AttributeType::String, false,
     "half_pixel (default) or output_half_pixel (no shift by half a pixel)"},
};
constexpr AttributeSpec kMaxRoiPool[] = {
    {"pooled_shape", AttributeType::Ints, true, "height and width of the output"},
    {"spatial_scale", AttributeType::Float, false, "pixels of x per unit of the rois; default: 1"},
};
constexpr AttributeSpec kDeformIm2Col[] = {
    {"kernel_shape", AttributeType::Ints, true, "height and width of the kernel"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"group", AttributeType::Int, false, "groups of the convolution that reads the columns; default: 1"},
    {"offset_group", AttributeType::Int, false, "channels are split into so many parts with own offsets; default: 1"},
};
constexpr AttributeSpec kCol2Im[] = {
    {"image_shape", AttributeType::Ints, true, "spatial extents of the output"},
    {"block_shape", AttributeType::Ints, true, "extents of one block"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
};

/// Linear and cubic weights are real numbers; nearest moves elements.
void infer_grid_sample(Inference& inference) {
  require_rank(inference, 0, 3, 5);
  require_real(inference, 1);
  const Shape &x = inference.shape(0), &grid = inference.shape(1);
  const std::string mode = choice_of(inference, "mode", {"linear", "nearest", "cubic"});
  if (mode != "nearest") require_real(inference, 0);
  choice_of(inference, "padding_mode", {"zeros", "border", "reflection"});
  flag_of(inference, "align_corners", false);
  const auto spatial = static_cast<int64_t>(x.size()) - 2;
  if (grid.size() != x.size() || grid.back() != spatial || !fits(grid[0], x[0])) {
    inference.fail(fmt::format("the grid has shape {}, expected [{}, {} output extents, {}] for input {}",
                               to_string(grid), x[0], spatial, spatial, to_string(x)));
  }
  Shape out = {x[0], x[1]};
  out.insert(out.end(), grid.begin() + 1, grid.end() - 1);
  for (size_t d = 2; d < x.size(); ++d) {
    if (x[d] == 0) inference.fail(fmt::format("the input {} has no pixels to sample", to_string(x)));
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

int64_t extent_of(const Inference& inference, std::string_view name, int64_t fallback, int64_t least, int64_t most) {
  const int64_t value = int_attribute(inference.attributes(), name, fallback);
  if (value < least || value > most) {
    inference.fail(fmt::format("attribute '{}' is {}, expected {} to {}", name, value, least, most));
  }
  return value;
}

/// Checks x and the list of boxes, `columns` numbers each; returns how many there are.
int64_t box_count(const Inference& inference, int64_t columns) {
  require_real(inference, 0);
  require_real(inference, 1);
  require_rank(inference, 0, 4, 4);
  const Shape& rois = inference.shape(1);
  if (rois.size() != 2 || rois[1] != columns) {
    inference.fail(fmt::format("rois have shape {}, expected [number of rois, {}]", to_string(rois), columns));
  }
  const Shape& x = inference.shape(0);
  if (x[0] == 0 || x[2] == 0 || x[3] == 0) {
    inference.fail(fmt::format("the input {} has no pixels to sample", to_string(x)));
  }
  return rois[0];
}

constexpr int64_t kLargestBoxExtent = 1 << 14, kMostSamples = 1 << 10;

void infer_roi_align(Inference& inference) {
  const int64_t boxes = box_count(inference, 4);
  require_index(inference, 2);
  require_vector(inference, 2, "batch_indices", boxes);
  choice_of(inference, "mode", {"avg", "max"});
  choice_of(inference, "coordinate_transformation_mode", {"half_pixel", "output_half_pixel"});
  extent_of(inference, "sampling_ratio", 0, 0, kMostSamples);
  inference.set(0, inference.dtype(0),
                {boxes, inference.shape(0)[1], extent_of(inference, "output_height", 1, 1, kLargestBoxExtent),
                 extent_of(inference, "output_width", 1, 1, kLargestBoxExtent)});
}

void infer_max_roi_pool(Inference& inference) {
  const int64_t boxes = box_count(inference, 5);
  const std::vector<int64_t> pooled = list_of(inference, "pooled_shape", 2, 1, 1);
  if (pooled[0] > kLargestBoxExtent || pooled[1] > kLargestBoxExtent) {
    inference.fail(fmt::format("pooled_shape is {}, expected 1 to {} each", to_string(pooled), kLargestBoxExtent));
  }
  inference.set(0, inference.dtype(0), {boxes, inference.shape(0)[1], pooled[0], pooled[1]});
}

void infer_deform_im2col(Inference& inference) {
  for (const size_t i : {0, 1, 2}) {
    if (!inference.has(i)) continue;
    require_real(inference, i);
    require_rank(inference, i, 4, 4);
  }
  const Shape &x = inference.shape(0), &offset = inference.shape(1);
  const std::vector<int64_t> kernel = list_of(inference, "kernel_shape", 2, 1, 1);
  constexpr int64_t kMostTaps = 1 << 20;
  if (kernel[0] * kernel[1] > kMostTaps) {
    inference.fail(fmt::format("kernel_shape is {}, expected up to {} taps", to_string(kernel), kMostTaps));
  }
  const Window window = window_of(inference, kernel);
  const int64_t group = extent_of(inference, "group", 1, 1, kLargestParameter);
  const int64_t offset_group = extent_of(inference, "offset_group", 1, 1, kLargestParameter);
  if (x[1] % group != 0 || x[1] % offset_group != 0) {
    inference.fail(fmt::format("the input has {} channels, expected a multiple of group {} and offset_group {}", x[1],
                               group, offset_group));
  }
  Shape out = {x[0], x[1] * kernel[0] * kernel[1]};
  for (size_t d = 0; d < 2; ++d) out.push_back(window_extent(inference, window, d, x[d + 2], false));
  const int64_t places = offset_group * kernel[0] * kernel[1];
  const auto require_shape = [&](size_t input, std::string_view what, int64_t channels) {
    const Shape expected = {x[0], channels, out[2], out[3]};
    if (inference.has(input) && inference.shape(input) != expected) {
      inference.fail(fmt::format("{} (input {}) has shape {}, expected {}", what, input,
                                 to_string(inference.shape(input)), to_string(expected)));
    }
  };
  require_shape(1, "offset", 2 * places);
  require_shape(2, "mask", places);
  if (x[2] == 0 || x[3] == 0 || offset.empty()) {
    inference.fail(fmt::format("the input {} has no pixels to sample", to_string(x)));
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_col2im(Inference& inference) {
  require_rank(inference, 0, 3, 3);
  constexpr size_t kMostDimensions = 6;
  const Shape& x = inference.shape(0);
  const std::vector<int64_t> image = ints_attribute(inference.attributes(), "image_shape");
  if (image.empty() || image.size() > kMostDimensions) {
    inference.fail(fmt::format("image_shape is {}, expected 1 to {} extents", to_string(image), kMostDimensions));
  }
  list_of(inference, "image_shape", image.size(), 1, 1);
  const Window window = window_of(inference, list_of(inference, "block_shape", image.size(), 1, 1));
  int64_t taps = 1, blocks = 1;
  for (size_t d = 0; d < image.size(); ++d) {
    taps *= window.kernel[d];
    blocks *= window_extent(inference, window, d, image[d], false);
    if (taps > kLargestParameter || blocks > kLargestParameter) {
      inference.fail(
          fmt::format("image_shape {} and block_shape {} are too large", to_string(image), to_string(window.kernel)));
    }
  }
  if (x[1] % taps != 0 || x[2] != blocks) {
    inference.fail(fmt::format("the input has shape {}, expected [N, C * {}, {}]: blocks of {} elements, {} of them",
                               to_string(x), taps, blocks, taps, blocks));
  }
  Shape out = {x[0], x[1] / taps};
  out.insert(out.end(), image.begin(), image.end());
  inference.set(0, inference.dtype(0), std::move(out));
}

const OpSchema kSamplingSchemas[] = {
    {.name = "GridSample",
     .attributes = kGridSample,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_grid_sample,
     .summary = "x read at the places of grid[N, extents…, (x, y, z)], -1 to 1 across the image."},
    {.name = "RoiAlign",
     .attributes = kRoiAlign,
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_roi_align,
     .summary = "Boxes of x sampled and pooled to one size; inputs x, rois[R,4] (x1, y1, x2, y2), batch_indices[R]."},
    {.name = "MaxRoiPool",
     .attributes = kMaxRoiPool,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_max_roi_pool,
     .summary = "Maximum over the bins of boxes; inputs x, rois[R,5] (batch, x1, y1, x2, y2)."},
    {.name = "DeformIm2Col",
     .attributes = kDeformIm2Col,
     .inputs = {2, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .data_inputs = 0b111,
     .quant = QuantRule::Float,
     .infer = infer_deform_im2col,
     .summary = "What each tap of a deformable convolution reads, as channels [group][tap][channel]; inputs x, offset, "
                "mask."},
    {.name = "Col2Im",
     .attributes = kCol2Im,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_col2im,
     .summary = "Blocks [N, C * block, L] added up to an image [N, C, …]."},
};

}  // namespace

std::span<const OpSchema> sampling() { return kSamplingSchemas; }

}  // namespace openrknn::schemas
