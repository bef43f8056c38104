// Moving and choosing data, also where only a run can tell how much; sampling of images.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/exporters/onnx/operators.h"

namespace openrknn::onnx_export {
namespace {

void with_axis(Emission& e) { e.produce(e.node.op, e.all_inputs(), e.attributes({"axis"})); }

void reshape(Emission& e) {
  const std::vector<int64_t> shape = e.integers("shape");
  std::vector<NamedAttribute> attributes;
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (is_empty) attributes.push_back({"allowzero", int64_t{1}});
  e.produce("Reshape", {e.in(0), e.list(shape, "shape")}, std::move(attributes));
}

void transpose(Emission& e) { e.produce("Transpose", {e.in(0)}, e.attributes({"perm"})); }
void split(Emission& e) { e.produce("Split", {e.in(0), e.list(e.integers("split"), "split")}, e.attributes({"axis"})); }

void slice(Emission& e) {
  const std::vector<int64_t> starts = e.integers("starts");
  std::vector<int64_t> ends = e.integers("ends"), axes(starts.size()), steps = e.integers("steps");
  if (steps.empty()) steps.assign(starts.size(), 1);
  for (size_t d = 0; d < starts.size(); ++d) {
    axes[d] = static_cast<int64_t>(d);
    if (ends[d] < 0) ends[d] = std::numeric_limits<int64_t>::min();  // backwards to the beginning
  }
  e.produce("Slice",
            {e.in(0), e.list(starts, "starts"), e.list(ends, "ends"), e.list(axes, "axes"), e.list(steps, "steps")});
}

void pad(Emission& e) {
  std::string value;
  if (e.text("mode", "constant") == "constant") {
    value = e.number(e.real("value", 0), type_in_file(e.value(0)).dtype, "value");
  }
  e.produce("Pad", {e.in(0), e.list(e.integers("pads"), "pads"), value}, e.attributes({"mode"}));
}

void expand(Emission& e) { e.produce("Expand", {e.in(0), e.list(e.integers("shape"), "shape")}); }
void tile(Emission& e) { e.produce("Tile", {e.in(0), e.list(e.integers("repeats"), "repeats")}); }

void gather_nd(Emission& e) { e.produce("GatherND", e.all_inputs(), e.attributes({"batch_dims"})); }
void scatter(Emission& e) { e.produce(e.node.op, e.all_inputs(), e.attributes({"axis", "reduction"})); }
void top_k(Emission& e) {
  e.produce("TopK", {e.in(0), e.list({e.integer("k")}, "k")}, e.attributes({"axis", "largest"}));
}
void one_hot(Emission& e) {
  const std::string depth = e.number(static_cast<double>(e.integer("depth")), DType::Int64, "depth");
  e.produce("OneHot", {e.in(0), depth, e.in(1)}, e.attributes({"axis"}));
}
void trilu(Emission& e) {
  const std::string diagonal = e.number(static_cast<double>(e.integer("k")), DType::Int64, "k");
  e.produce("Trilu", {e.in(0), diagonal}, e.attributes({"upper"}));
}

/// ONNX takes sizes or scales, not both: where both are known and scales do not lead to the sizes, it is ours alone.
void resize(Emission& e) {
  const Shape& x = e.value(0).shape;
  const Shape sizes = e.integers("sizes");
  const std::vector<double> scales = floats_attribute(e.node.attributes, "scales");
  const std::vector<double> roi = floats_attribute(e.node.attributes, "roi");
  bool expressible = e.text("coordinate_transformation_mode", "") != "tf_half_pixel_for_nn";
  for (size_t d = 0; d < scales.size(); ++d) {
    const double crop = roi.empty() ? 1.0 : roi[d + x.size()] - roi[d];
    const float extent = static_cast<float>(x[d]) * static_cast<float>(crop) * static_cast<float>(scales[d]);
    expressible = expressible && std::floor(extent) == static_cast<float>(sizes[d]);
  }
  if (!expressible) return e.produce_own();
  const auto floats = [&](const std::vector<double>& values, std::string_view what) {
    return e.scope.add_initializer(
        e.node.name + "_" + std::string(what),
        cast(Tensor::from<double>({static_cast<int64_t>(values.size())}, values), DType::Float32));
  };
  std::vector<std::string> inputs = {e.in(0), roi.empty() ? "" : floats(roi, "roi")};
  if (scales.empty()) {
    inputs.insert(inputs.end(), {"", e.list(sizes, "sizes")});
  } else {
    inputs.push_back(floats(scales, "scales"));
  }
  e.produce("Resize", std::move(inputs),
            e.attributes({"mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside",
                          "antialias", "extrapolation_value"}));
}

void depth_to_space(Emission& e) { e.produce("DepthToSpace", {e.in(0)}, e.attributes({"blocksize", "mode"})); }
void space_to_depth(Emission& e) {
  if (e.text("mode", "DCR") != "DCR") return e.produce_own();
  e.produce("SpaceToDepth", {e.in(0)}, e.attributes({"blocksize"}));
}

void grid_sample(Emission& e) {
  e.produce("GridSample", e.all_inputs(), e.attributes({"mode", "padding_mode", "align_corners"}));
}
void roi_align(Emission& e) {
  e.produce("RoiAlign", e.all_inputs(),
            e.attributes({"mode", "output_height", "output_width", "sampling_ratio", "spatial_scale",
                          "coordinate_transformation_mode"}));
}
void max_roi_pool(Emission& e) {
  e.produce("MaxRoiPool", e.all_inputs(), e.attributes({"pooled_shape", "spatial_scale"}));
}
void col2im(Emission& e) {
  e.produce(
      "Col2Im",
      {e.in(0), e.list(e.integers("image_shape"), "image_shape"), e.list(e.integers("block_shape"), "block_shape")},
      e.attributes({"strides", "pads", "dilations"}));
}

void constant_of_shape(Emission& e) { e.produce("ConstantOfShape", {e.in(0)}, e.attributes({"value"})); }
void shape_of(Emission& e) { e.produce("Shape", {e.in(0)}, e.attributes({"start", "end"})); }

void compress(Emission& e) { e.produce("Compress", e.all_inputs(), e.attributes({"axis"})); }
void unique(Emission& e) { e.produce("Unique", {e.in(0)}, e.attributes({"axis", "sorted"})); }
void non_max_suppression(Emission& e) {
  e.produce("NonMaxSuppression", e.all_inputs(), e.attributes({"center_point_box"}));
}
void dynamic(Emission& e) {
  e.produce(e.node.op.substr(std::string_view("Dynamic").size()), e.all_inputs(),
            e.attributes({"allowzero", "axis", "largest"}));
}

constexpr OperatorRow kMovementRows[] = {
    {"Reshape", reshape},
    {"Transpose", transpose},
    {"Concat", with_axis},
    {"Split", split},
    {"Slice", slice},
    {"Pad", pad},
    {"Expand", expand},
    {"Tile", tile},
    {"Gather", with_axis},
    {"GatherElements", with_axis},
    {"GatherND", gather_nd},
    {"ScatterND", scatter},
    {"ScatterElements", scatter},
    {"TopK", top_k},
    {"OneHot", one_hot},
    {"Trilu", trilu},
    {"Resize", resize},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"GridSample", grid_sample},
    {"RoiAlign", roi_align},
    {"MaxRoiPool", max_roi_pool},
    {"Col2Im", col2im},
    {"Range", write_same},
    {"ConstantOfShape", constant_of_shape},
    {"Shape", shape_of},
    {"Size", write_same},
    {"NonZero", write_same},
    {"Compress", compress},
    {"Unique", unique},
    {"NonMaxSuppression", non_max_suppression},
    {"DynamicReshape", dynamic},
    {"DynamicSlice", dynamic},
    {"DynamicExpand", dynamic},
    {"DynamicTile", dynamic},
    {"DynamicTopK", dynamic},
};

}  // namespace

std::span<const OperatorRow> movement_operators() { return kMovementRows; }

}  // namespace openrknn::onnx_export
