// Over whole dimensions.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Placed reduced(const Layer& layer, std::string_view op, Placed x) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::ReducerOptions>();
  return reduce(layer, op, x, layer.ints(1, "the axes"), options != nullptr && options->keep_dims());
}

template <const char* op>
Results plain(const Layer& layer) {
  return {reduced(layer, op, layer.real(0))};
}
constexpr char kMean[] = "ReduceMean", kSum[] = "ReduceSum", kMax[] = "ReduceMax", kMin[] = "ReduceMin",
               kProd[] = "ReduceProd";

/// Of truth values, through integers.
Results reduce_truth(const Layer& layer, std::string_view op) {
  const Placed truth = layer.real(0);
  const ValueId numbers = layer.add("Cast", {truth.id}, {{"to", static_cast<int64_t>(DType::Int32)}});
  const Placed found = reduced(layer, op, {numbers, truth.form});
  return {{layer.add("Cast", {found.id}, {{"to", static_cast<int64_t>(DType::Bool)}}), found.form}};
}
Results any(const Layer& layer) { return reduce_truth(layer, "ReduceMax"); }
Results all(const Layer& layer) { return reduce_truth(layer, "ReduceMin"); }

Results find(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const Ints axis = layer.ints(1, "the axis");
  if (axis.size() != 1) layer.refuse(fmt::format("{} axes, expected 1", axis.size()));
  const ValueId place =
      layer.add(op, {layer.in_source_form(0)}, {{"axis", layer.axis(axis[0], layer.rank())}, {"keepdims", int64_t{0}}});
  return {{layer.add("Cast", {place}, {{"to", static_cast<int64_t>(layer.output().dtype)}}), ImageForm::Source}};
}
Results arg_max(const Layer& layer) { return find(layer, "ArgMax"); }
Results arg_min(const Layer& layer) { return find(layer, "ArgMin"); }

Results running_sum(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::CumsumOptions>();
  const Ints axis = layer.ints(1, "the axis");
  if (axis.size() != 1) layer.refuse(fmt::format("{} axes, expected 1", axis.size()));
  return {{layer.add("CumSum", {layer.in_source_form(0)},
                     {{"axis", layer.axis(axis[0], layer.rank())},
                      {"exclusive", int64_t{options != nullptr && options->exclusive()}},
                      {"reverse", int64_t{options != nullptr && options->reverse()}}}),
           ImageForm::Source}};
}

constexpr LayerRow kRows[] = {
    {40, "MEAN", plain<kMean>},      {56, "ARG_MAX", arg_max},          {74, "SUM", plain<kSum>},
    {79, "ARG_MIN", arg_min},        {81, "REDUCE_PROD", plain<kProd>}, {82, "REDUCE_MAX", plain<kMax>},
    {89, "REDUCE_MIN", plain<kMin>}, {91, "REDUCE_ANY", any},           {128, "CUMSUM", running_sum},
    {140, "REDUCE_ALL", all},
};

}  // namespace

std::span<const LayerRow> rows_of_reductions() { return kRows; }

}  // namespace openrknn::tflite
