#include "compiler/importers/tensorflow/layers.h"

#include <fmt/format.h>

namespace openrknn::tensorflow {
namespace {

constexpr std::string_view kBoxes = "boxes are chosen on the host: cut the graph before it with outputs=",
                           kLoop = "loops are not supported: unroll them, or convert the model with tf2onnx",
                           kCall = "the function it calls is not there: freeze the graph with its functions inlined",
                           kText = "text and files are for the host: cut the graph behind it with inputs=";
constexpr LayerRow kRefused[] = {
    {.op = "CombinedNonMaxSuppression", .refused = kBoxes},
    {.op = "CropAndResize", .refused = kBoxes},
    {.op = "DecodeJpeg", .refused = kText},
    {.op = "Enter", .refused = kLoop},
    {.op = "Exit", .refused = kLoop},
    {.op = "LoopCond", .refused = kLoop},
    {.op = "NextIteration", .refused = kLoop},
    {.op = "NonMaxSuppressionV2", .refused = kBoxes},
    {.op = "NonMaxSuppressionV3", .refused = kBoxes},
    {.op = "NonMaxSuppressionV4", .refused = kBoxes},
    {.op = "NonMaxSuppressionV5", .refused = kBoxes},
    {.op = "PartitionedCall", .refused = kCall},
    {.op = "StatefulPartitionedCall", .refused = kCall},
    {.op = "TensorArrayV3", .refused = kLoop},
    {.op = "While", .refused = kLoop},
};

}  // namespace

std::vector<LayerRow> layer_rows() {
  std::vector<LayerRow> rows(std::begin(kRefused), std::end(kRefused));
  for (const std::span<const LayerRow> table :
       {rows_of_products(), rows_of_functions(), rows_of_arithmetic(), rows_of_shapes(), rows_of_lookups(),
        rows_of_reductions(), rows_of_quantization()}) {
    rows.insert(rows.end(), table.begin(), table.end());
  }
  return rows;
}

Placed Layer::input(size_t i) const {
  if (i >= inputs.size()) refuse(fmt::format("input {} is missing, it has {}", i + 1, inputs.size()));
  return inputs[i];
}

ValueId Layer::image(size_t i) const {
  if (rank(i) != 4) refuse(fmt::format("input {} is {}, expected 4 dimensions", i + 1, to_string(shape(i))));
  return is_nchw() ? in_source_form(i) : layout().channels_first(input(i));
}

std::pair<int64_t, int64_t> Layer::spatial(std::string_view key, int64_t fallback) const {
  const Ints all = node.integers(key);
  return all.empty() ? std::pair(fallback, fallback) : spatial(all, key);
}

std::pair<int64_t, int64_t> Layer::spatial(const Ints& all, std::string_view key) const {
  if (all.size() != 4) refuse(fmt::format("{} has {} numbers, expected 4", key, all.size()));
  const size_t h = is_nchw() ? 2 : 1, c = is_nchw() ? 1 : 3;
  if (all[0] != 1 || all[c] != 1) refuse(fmt::format("{}: batch and channels have to stay 1", key));
  if (all[h] < 1 || all[h + 1] < 1 || all[h] > kMostExtent || all[h + 1] > kMostExtent)
    refuse(fmt::format("{}: got {} and {}", key, all[h], all[h + 1]));
  return {all[h], all[h + 1]};
}

std::optional<Tensor> Layer::content(size_t i) const {
  const Placed x = input(i);
  return x.form == ImageForm::Source ? builder().graph[x.id].constant : std::nullopt;
}

ValueId Layer::weights(size_t i, std::string_view part, const std::vector<int>& order) const {
  const Shape given = shape(i);
  if (given.size() != order.size())
    refuse(fmt::format("{} is {}, expected {} dimensions", part, to_string(given), order.size()));
  const Value& value = builder().graph[input(i).id];
  if (value.constant && value.producer == NodeId::None && input(i).form == ImageForm::Source)
    return builder().constant(part, transpose(*value.constant, order));
  return beside("Transpose", {in_source_form(i)}, {{"perm", Ints(order.begin(), order.end())}});
}

void Layer::require_inputs(size_t least, size_t most) const {
  if (inputs.size() < least || inputs.size() > most)
    refuse(least == most ? fmt::format("{} inputs, expected {}", inputs.size(), least)
                         : fmt::format("{} inputs, expected {} to {}", inputs.size(), least, most));
}

}  // namespace openrknn::tensorflow
