// Elements chosen and placed by indices.
#include <fmt/format.h>

#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

Results gather_at(const Layer& layer, int64_t axis) {
  if (layer.node.integer("batch_dims", 0) != 0)
    return {gather_in_batches(layer, layer.input(0), layer.input(1), axis, layer.node.integer("batch_dims", 0))};
  return {{layer.add("Gather", {layer.in_source_form(0), layer.in_source_form(1)},
                     {{"axis", layer.axis(axis, layer.rank())}}),
           ImageForm::Source}};
}
Results gather(const Layer& layer) {
  layer.require_inputs(2, 2);
  return gather_at(layer, 0);
}
Results gather_v2(const Layer& layer) {
  layer.require_inputs(3, 3);
  return gather_at(layer, layer.one_int(2, "the axis"));
}
Results gather_nd(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("GatherND", {layer.in_source_form(0), layer.cast_to(DType::Int64, layer.in_source_form(1))}),
           ImageForm::Source}};
}
Results one_hot_layer(const Layer& layer) {
  layer.require_inputs(4, 4);
  return {one_hot(layer, layer.input(0), layer.one_int(1, "the depth"), layer.input(2), layer.input(3),
                  layer.node.integer("axis", -1))};
}
Results top_k(const Layer& layer) {
  layer.require_inputs(2, 2);
  const std::vector<ValueId> found = layer.builder().add_many(
      "TopK", {layer.in_source_form()}, {{"axis", layer.axis(-1, layer.rank())}, {"k", layer.one_int(1, "k")}}, 2);
  return {{found[0], ImageForm::Source}, {layer.cast_to(DType::Int32, found[1]), ImageForm::Source}};
}

Results scatter_into_zeros(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {scatter(layer, layer.input(0), layer.input(1), layer.ints(2, "the shape"))};
}
Results scatter_update(const Layer& layer) {
  layer.require_inputs(3, 3);
  const ValueId places = layer.cast_to(DType::Int64, layer.in_source_form(1));
  return {{layer.add("ScatterND", {layer.in_source_form(0), places, layer.in_source_form(2)}), ImageForm::Source}};
}

Results reverse_sequence(const Layer& layer) {
  layer.require_inputs(2, 2);
  const ValueId lengths = layer.cast_to(DType::Int64, layer.in_source_form(1));
  return {{layer.add("ReverseSequence", {layer.in_source_form(0), lengths},
                     {{"batch_axis", layer.axis(layer.node.integer("batch_dim", 0), layer.rank())},
                      {"time_axis", layer.axis(layer.node.integer("seq_dim", 0), layer.rank())}}),
           ImageForm::Source}};
}

Results where(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {places_of_truth(layer, layer.input(0))};
}

constexpr LayerRow kLookupRows[] = {
    {"Gather", gather},
    {"GatherNd", gather_nd},
    {"GatherV2", gather_v2},
    {"OneHot", one_hot_layer},
    {"ReverseSequence", reverse_sequence},
    {"ScatterNd", scatter_into_zeros},
    {"TensorScatterUpdate", scatter_update},
    {"TopKV2", top_k},
    {"Where", where},
};

}  // namespace

std::span<const LayerRow> rows_of_lookups() { return kLookupRows; }

}  // namespace openrknn::tensorflow
