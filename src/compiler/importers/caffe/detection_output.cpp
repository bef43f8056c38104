// SSD's boxes: offsets of priors decoded, the best of each class, those that others cover left out
// (detection_output_layer.cpp, bbox_util.cpp). How many there are depends on the data: such a graph runs, and a build
// refuses it with the advice to cut before.
#include <fmt/format.h>

#include <limits>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

ValueId columns(const Layer& layer, ValueId x, int64_t start, int64_t end) {
  Shape ends = layer.builder.shape(x);
  ends.back() = end;
  Ints starts(ends.size(), 0);
  starts.back() = start;
  return layer.add("Slice", {x}, {{"starts", starts}, {"ends", ends}});
}

/// [boxes, 4] corners from the priors' and the offsets, both [boxes, 4].
ValueId decode(const Layer& layer, const std::string& code, ValueId priors, ValueId offsets) {
  if (code == "CORNER") return layer.add("Add", {priors, offsets});
  const ValueId low = columns(layer, priors, 0, 2), high = columns(layer, priors, 2, 4);
  const ValueId size = layer.add("Sub", {high, low});
  if (code == "CORNER_SIZE") {
    const ValueId sizes = layer.add("Concat", {size, size}, {{"axis", int64_t{1}}});
    return layer.add("Add", {priors, layer.add("Mul", {offsets, sizes})});
  }
  if (code != "CENTER_SIZE")
    layer.refuse(fmt::format("code_type: got {}, expected CORNER, CENTER_SIZE or CORNER_SIZE", code));
  const ValueId half = layer.scalar("half", 0.5);
  const ValueId centre = layer.add("Mul", {layer.add("Add", {low, high}), half});
  const ValueId moved = layer.add("Add", {centre, layer.add("Mul", {columns(layer, offsets, 0, 2), size})});
  const ValueId grown = layer.add("Mul", {layer.add("Exp", {columns(layer, offsets, 2, 4)}), size});
  const ValueId reach = layer.add("Mul", {grown, half});
  return layer.add("Concat", {layer.add("Sub", {moved, reach}), layer.add("Add", {moved, reach})},
                   {{"axis", int64_t{1}}});
}

/// [classes - 1, boxes] without the background.
ValueId scores_of_classes(const Layer& layer, int64_t boxes, int64_t classes, int64_t background) {
  const ValueId rows = layer.reshape(layer.inputs[1], {boxes, classes});
  const ValueId scores = layer.add("Transpose", {rows}, {{"perm", Ints{1, 0}}});
  if (background < 0 || background >= classes) return scores;
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < classes; ++i)
    if (i != background) kept.push_back(i);
  const ValueId places = layer.builder.constant("classes", Tensor::from<int64_t>({classes - 1}, kept));
  return layer.add("Gather", {scores, places}, {{"axis", int64_t{0}}});
}

/// The best `most` of the rows in their own order, if there are more.
ValueId best_rows(const Layer& layer, ValueId rows, ValueId scores, int64_t most) {
  const ValueId count = layer.add("Size", {scores});
  const ValueId k =
      layer.reshape(layer.add("Min", {count, layer.builder.constant("most", Tensor::scalar<int64_t>(most))}), {1});
  const ValueId best = layer.builder.add_many("DynamicTopK", {scores, k}, {{"axis", int64_t{0}}}, 2)[1];
  const ValueId sorted =
      layer.builder.add_many("DynamicTopK", {best, k}, {{"axis", int64_t{0}}, {"largest", int64_t{0}}}, 2)[0];
  return layer.add("Gather", {rows, sorted}, {{"axis", int64_t{0}}});
}

/// Rows of (image, class, score, x1, y1, x2, y2): [1, 1, found, 7]. Caffe itself has a row of -1 where nothing is
/// found.
Results detection_output(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Message& options = layer.options("detection_output_param");
  const Message& suppression = options.message("nms_param");
  const int64_t classes = options.integer("num_classes", 0, 1, 1 << 16);
  const int64_t boxes = element_count(layer.shape(2)) / 8;
  if (!options.boolean("share_location", true)) layer.refuse("share_location: false is not supported");
  if (suppression.number("eta", 1) != 1) layer.refuse("nms_param.eta: only 1 is supported");
  if (classes < 2 || boxes < 1 || element_count(layer.shape(0)) != 4 * boxes ||
      element_count(layer.shape(1)) != classes * boxes || element_count(layer.shape(2)) != 8 * boxes)
    layer.refuse(fmt::format("the inputs are {}, {} and {} for {} classes, expected those of one image",
                             to_string(layer.shape(0)), to_string(layer.shape(1)), to_string(layer.shape(2)), classes));
  const ValueId priors = layer.reshape(layer.inputs[2], {2, boxes, 4});
  const auto prior_part = [&](int64_t i) {
    const ValueId part = layer.add("Slice", {priors}, {{"starts", Ints{i, 0, 0}}, {"ends", Ints{i + 1, boxes, 4}}});
    return layer.reshape(part, {boxes, 4});
  };
  ValueId offsets = layer.reshape(layer.inputs[0], {boxes, 4});
  if (!options.boolean("variance_encoded_in_target", false)) offsets = layer.add("Mul", {offsets, prior_part(1)});
  const ValueId corners = decode(layer, options.text("code_type", "CORNER"), prior_part(0), offsets);

  const int64_t background = options.integer("background_label_id", 0);
  const ValueId all_scores = scores_of_classes(layer, boxes, classes, background);
  const int64_t top_k = suppression.integer("top_k", -1), candidates = top_k < 0 ? boxes : std::min(top_k, boxes);
  if (candidates < 1) layer.refuse(fmt::format("nms_param.top_k is {}", top_k));
  const int64_t kinds = layer.builder.shape(all_scores)[0];
  const std::vector<ValueId> best =
      layer.builder.add_many("TopK", {all_scores}, {{"axis", int64_t{1}}, {"k", candidates}}, 2);
  // Each class is an image of its own to the suppression: it has boxes of its own.
  const ValueId own = layer.add("Gather", {corners, best[1]}, {{"axis", int64_t{0}}});
  const auto number = [&](std::string_view part, double value) {
    return layer.builder.constant(part, Tensor::from<float>({1}, {static_cast<float>(value)}));
  };
  const ValueId found =
      layer.add("NonMaxSuppression",
                {own, layer.reshape(best[0], {kinds, 1, candidates}),
                 layer.builder.constant("most of a class", Tensor::from<int64_t>({1}, {candidates})),
                 number("overlap", suppression.number("nms_threshold", 0.3)),
                 number("least score", options.number("confidence_threshold", -std::numeric_limits<float>::max()))});
  // [found, 3]: class, 0, candidate -> [found, 2]
  const ValueId place =
      layer.add("Gather", {found, layer.builder.constant("class and candidate", Tensor::from<int64_t>({2}, {0, 2}))},
                {{"axis", int64_t{1}}});
  const ValueId score = layer.add("GatherND", {best[0], place}), box = layer.add("GatherND", {own, place});
  const ValueId kind = layer.add("Gather", {place, layer.builder.constant("class", Tensor::from<int64_t>({1}, {0}))},
                                 {{"axis", int64_t{1}}});
  std::vector<float> labels;
  for (int64_t i = 0; i < classes; ++i)
    if (i != background) labels.push_back(static_cast<float>(i));
  const ValueId label = layer.add(
      "Gather", {layer.builder.constant("labels", Tensor::from<float>({kinds}, labels)), kind}, {{"axis", int64_t{0}}});
  const ValueId column = layer.builder.constant("column", Tensor::from<int64_t>({2}, {-1, 1}));
  const ValueId score_column = layer.add("DynamicReshape", {score, column});
  const ValueId image = layer.add("Mul", {score_column, layer.scalar("image", 0)});
  ValueId rows = layer.add("Concat", {image, label, score_column, box}, {{"axis", int64_t{1}}});
  if (const int64_t most = options.integer("keep_top_k", -1); most >= 0) rows = best_rows(layer, rows, score, most);
  const ValueId shape = layer.builder.constant("shape", Tensor::from<int64_t>({4}, {1, 1, -1, 7}));
  return {layer.add("DynamicReshape", {rows, shape})};
}

constexpr LayerRow kDetectionOutputRows[] = {
    {"DetectionOutput", detection_output},
};

}  // namespace

std::span<const LayerRow> rows_of_detection_output() { return kDetectionOutputRows; }

}  // namespace openrknn::caffe
