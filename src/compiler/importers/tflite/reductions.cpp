// Over whole dimensions.
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

bool keeps(const Layer& layer) {
  const auto* options = layer.options<file::ReducerOptions>();
  return options != nullptr && options->keep_dims();
}

template <const char* op>
Results reduce_axes(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {reduce(layer, op, layer.real(0), layer.ints(1, "the axes"), keeps(layer))};
}
constexpr char kReduceMean[] = "ReduceMean", kReduceSum[] = "ReduceSum", kReduceMax[] = "ReduceMax",
               kReduceMin[] = "ReduceMin", kReduceProd[] = "ReduceProd";

Results truth(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  return {reduce_truth(layer, op, layer.real(0), layer.ints(1, "the axes"), keeps(layer))};
}
Results any(const Layer& layer) { return truth(layer, "ReduceMax"); }
Results all(const Layer& layer) { return truth(layer, "ReduceMin"); }

Results find(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const int64_t axis = layer.axis(layer.one_int(1, "the axis"), layer.rank());
  const ValueId place = layer.add(op, {layer.in_source_form(0)}, {{"axis", axis}, {"keepdims", int64_t{0}}});
  return {{layer.cast_to(layer.output().dtype, place), ImageForm::Source}};
}
Results arg_max(const Layer& layer) { return find(layer, "ArgMax"); }
Results arg_min(const Layer& layer) { return find(layer, "ArgMin"); }

Results running_sum(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::CumsumOptions>();
  const int64_t axis = layer.axis(layer.one_int(1, "the axis"), layer.rank());
  return {{layer.add("CumSum", {layer.in_source_form(0)},
                     {{"axis", axis},
                      {"exclusive", int64_t{options != nullptr && options->exclusive()}},
                      {"reverse", int64_t{options != nullptr && options->reverse()}}}),
           ImageForm::Source}};
}

constexpr LayerRow kReductionRows[] = {
    {40, "MEAN", reduce_axes<kReduceMean>},
    {56, "ARG_MAX", arg_max},
    {74, "SUM", reduce_axes<kReduceSum>},
    {79, "ARG_MIN", arg_min},
    {81, "REDUCE_PROD", reduce_axes<kReduceProd>},
    {82, "REDUCE_MAX", reduce_axes<kReduceMax>},
    {89, "REDUCE_MIN", reduce_axes<kReduceMin>},
    {91, "REDUCE_ANY", any},
    {128, "CUMSUM", running_sum},
    {140, "REDUCE_ALL", all},
};

}  // namespace

std::span<const LayerRow> rows_of_reductions() { return kReductionRows; }

}  // namespace openrknn::tflite
