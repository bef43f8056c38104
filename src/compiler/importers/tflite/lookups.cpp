// Elements chosen and placed by indices.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results gather(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::GatherOptions>();
  const int64_t axis = layer.axis(options == nullptr ? 0 : options->axis(), layer.rank());
  if (options != nullptr && options->batch_dims() != 0)
    return {gather_in_batches(layer, layer.real(0), layer.real(1), axis, options->batch_dims())};
  return {
      {layer.add("Gather", {layer.in_source_form(0), layer.in_source_form(1)}, {{"axis", axis}}), ImageForm::Source}};
}

Results embedding(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("Gather", {layer.in_source_form(1), layer.in_source_form(0)}, {{"axis", int64_t{0}}}),
           ImageForm::Source}};
}

Results gather_nd(const Layer& layer) {
  layer.require_inputs(2, 2);
  const ValueId places = layer.cast_to(DType::Int64, layer.in_source_form(1));
  return {{layer.add("GatherND", {layer.in_source_form(0), places}), ImageForm::Source}};
}

Results scatter_nd(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {scatter(layer, layer.real(0), layer.real(1), layer.ints(2, "the shape"))};
}

/// A part written over: the place is clamped so that the part fits.
Results dynamic_update_slice(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Shape whole = layer.shape(0), part = layer.shape(1);
  const Ints given = layer.ints(2, "the place");
  if (given.size() != whole.size() || part.size() != whole.size())
    layer.refuse(fmt::format("{} numbers place {} in {}", given.size(), to_string(part), to_string(whole)));
  Ints pads;
  for (size_t d = 0; d < whole.size(); ++d) {
    if (part[d] > whole[d]) layer.refuse(fmt::format("{} is larger than {}", to_string(part), to_string(whole)));
    pads.push_back(std::clamp<int64_t>(given[d], 0, whole[d] - part[d]));
  }
  for (size_t d = 0; d < whole.size(); ++d) pads.push_back(whole[d] - part[d] - pads[d]);
  const ValueId moved = layer.add("Pad", {layer.in_source_form(1)}, {{"pads", pads}});
  Tensor ones(DType::Bool, part);
  for (bool& one : ones.mutable_values<bool>()) one = true;
  const ValueId mask = layer.add("Pad", {layer.builder().constant("places", ones)}, {{"pads", pads}});
  return {{layer.add("Where", {mask, moved, layer.in_source_form(0)}), ImageForm::Source}};
}

Results one_hot_layer(const Layer& layer) {
  layer.require_inputs(4, 4);
  const auto* options = layer.options<file::OneHotOptions>();
  return {one_hot(layer, layer.real(0), layer.one_int(1, "the depth"), layer.real(2), layer.real(3),
                  options == nullptr ? -1 : options->axis())};
}

Results reverse_sequence(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::ReverseSequenceOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  const ValueId lengths = layer.cast_to(DType::Int64, layer.in_source_form(1));
  return {{layer.add("ReverseSequence", {layer.in_source_form(0), lengths},
                     {{"batch_axis", int64_t{options->batch_dim()}}, {"time_axis", int64_t{options->seq_dim()}}}),
           ImageForm::Source}};
}

Results top_k(const Layer& layer) {
  layer.require_inputs(2, 2);
  const int64_t k = layer.one_int(1, "k");
  const std::vector<ValueId> found = layer.builder().add_many("TopK", {layer.in_source_form(0)},
                                                              {{"axis", layer.axis(-1, layer.rank())}, {"k", k}}, 2);
  const ValueId places = layer.cast_to(layer.output(1).dtype, found[1]);
  return {{found[0], ImageForm::Source}, {places, ImageForm::Source}};
}

Results where(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {places_of_truth(layer, layer.real(0))};
}

constexpr LayerRow kLookupRows[] = {
    {7, "EMBEDDING_LOOKUP", embedding},
    {36, "GATHER", gather},
    {48, "TOPK_V2", top_k},
    {85, "ONE_HOT", one_hot_layer},
    {107, "GATHER_ND", gather_nd},
    {109, "WHERE", where},
    {112, "REVERSE_SEQUENCE", reverse_sequence},
    {122, "SCATTER_ND", scatter_nd},
    {151, "DYNAMIC_UPDATE_SLICE", dynamic_update_slice},
};

}  // namespace

std::span<const LayerRow> rows_of_lookups() { return kLookupRows; }

}  // namespace openrknn::tflite
