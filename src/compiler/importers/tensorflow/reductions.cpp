// Over whole dimensions.
#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

bool keeps(const Layer& layer) { return layer.node.boolean("keep_dims", false); }

template <const char* op>
Results reduce_axes(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {reduce(layer, op, layer.input(0), layer.ints(1, "the axes"), keeps(layer))};
}
constexpr char kReduceMean[] = "ReduceMean", kReduceSum[] = "ReduceSum", kReduceMax[] = "ReduceMax",
               kReduceMin[] = "ReduceMin", kReduceProd[] = "ReduceProd";

Results truth(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  return {reduce_truth(layer, op, layer.input(0), layer.ints(1, "the axes"), keeps(layer))};
}
Results any(const Layer& layer) { return truth(layer, "ReduceMax"); }
Results all(const Layer& layer) { return truth(layer, "ReduceMin"); }

Results find(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const AttributeValue* type = layer.node.find("output_type");
  const DType dtype = type == nullptr ? DType::Int64 : dtype_of_type(type->type).value_or(DType::Int64);
  const int64_t axis = layer.axis(layer.one_int(1, "the axis"), layer.rank());
  const ValueId place = layer.add(op, {layer.in_source_form()}, {{"axis", axis}, {"keepdims", int64_t{0}}});
  return {{layer.cast_to(dtype, place), ImageForm::Source}};
}
Results arg_max(const Layer& layer) { return find(layer, "ArgMax"); }
Results arg_min(const Layer& layer) { return find(layer, "ArgMin"); }

Results running(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  return {{layer.add(op, {layer.in_source_form()},
                     {{"axis", layer.axis(layer.one_int(1, "the axis"), layer.rank())},
                      {"exclusive", int64_t{layer.node.boolean("exclusive", false)}},
                      {"reverse", int64_t{layer.node.boolean("reverse", false)}}}),
           ImageForm::Source}};
}

Results running_sum(const Layer& layer) { return running(layer, "CumSum"); }
Results running_product(const Layer& layer) { return running(layer, "CumProd"); }

constexpr LayerRow kReductionRows[] = {
    {"All", all},
    {"Any", any},
    {"ArgMax", arg_max},
    {"ArgMin", arg_min},
    {"Cumprod", running_product},
    {"Cumsum", running_sum},
    {"Max", reduce_axes<kReduceMax>},
    {"Mean", reduce_axes<kReduceMean>},
    {"Min", reduce_axes<kReduceMin>},
    {"Prod", reduce_axes<kReduceProd>},
    {"Sum", reduce_axes<kReduceSum>},
};

}  // namespace

std::span<const LayerRow> rows_of_reductions() { return kReductionRows; }

}  // namespace openrknn::tensorflow
