// Several inputs, number by number, and learned factors.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

/// `dims` at `axis` of a tensor of this rank, ones around them.
Shape spread(const Shape& dims, int64_t axis, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  std::ranges::copy(dims, shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return shape;
}

/// The dimensions a learned (or second) tensor covers: num_axes from axis on, all of them for -1.
Shape covered(const Layer& layer, const Message& options, int64_t axis) {
  const int64_t count = options.integer("num_axes", 1), end = count < 0 ? layer.rank() : axis + count;
  if (end > layer.rank())
    layer.refuse(fmt::format("num_axes={} from axis {} on is more than the input {} has", count, axis,
                             to_string(layer.shape())));
  const auto begin = layer.shape().begin();
  return {begin + static_cast<std::ptrdiff_t>(axis), begin + static_cast<std::ptrdiff_t>(end)};
}

/// The second bottom, or the first blob, so that it can be combined with the first bottom.
ValueId operand(const Layer& layer, const Message& options, std::string_view part) {
  const int64_t axis = layer.axis(options.integer("axis", 1), "axis");
  if (layer.inputs.size() == 2) {
    const Shape dims = layer.shape(1);
    if (axis + static_cast<int64_t>(dims.size()) > layer.rank())
      layer.refuse(fmt::format("{} does not fit {} from axis {} on", to_string(dims), to_string(layer.shape()), axis));
    return layer.reshape(layer.inputs[1], spread(dims, axis, layer.rank()));
  }
  return layer.weights(0, part, spread(covered(layer, options, axis), axis, layer.rank()));
}

Results scale(const Layer& layer) {
  layer.require_inputs(1, 2);
  const Message& options = layer.options("scale_param");
  ValueId x = layer.add("Mul", {layer.inputs[0], operand(layer, options, "scale")});
  if (options.boolean("bias_term", false)) {
    // Blobs are those that are learned: with a second bottom the bias is the only one.
    const int64_t axis = layer.axis(options.integer("axis", 1), "axis");
    const Shape dims = layer.inputs.size() == 2 ? layer.shape(1) : covered(layer, options, axis);
    x = layer.add("Add",
                  {x, layer.weights(layer.inputs.size() == 2 ? 0 : 1, "bias", spread(dims, axis, layer.rank()))});
  }
  return {x};
}

Results bias(const Layer& layer) {
  layer.require_inputs(1, 2);
  return {layer.add("Add", {layer.inputs[0], operand(layer, layer.options("bias_param"), "bias")})};
}

// SegNet's batch normalisation with its statistics folded: scale and shift by channel.
Results folded_normalization(const Layer& layer) {
  layer.require_inputs(1, 1);
  layer.require_four_dimensions();
  const Shape shape{1, layer.shape()[1], 1, 1};
  const ValueId x = layer.add("Mul", {layer.inputs[0], layer.weights(0, "scale", shape)});
  return {layer.add("Add", {x, layer.weights(1, "shift", shape)})};
}

Results eltwise(const Layer& layer) {
  const Message& options = layer.options("eltwise_param");
  const std::string kind = options.text("operation", "SUM");
  const std::vector<double> factors = options.numbers("coeff");
  const bool is_sum = kind == "SUM" || kind == "1", is_product = kind == "PROD" || kind == "0";
  if (!is_sum && !is_product && kind != "MAX" && kind != "2")
    layer.refuse(fmt::format("operation: got '{}', expected PROD, SUM or MAX", kind));
  if (!factors.empty() && (!is_sum || factors.size() != layer.inputs.size())) {
    layer.refuse(fmt::format("{} coefficients for {} bottoms; only SUM has them, one each", factors.size(),
                             layer.inputs.size()));
  }
  for (size_t i = 1; i < layer.inputs.size(); ++i) {
    if (layer.shape(i) != layer.shape())
      layer.refuse(fmt::format("bottoms have shapes {} and {}", to_string(layer.shape()), to_string(layer.shape(i))));
  }
  const auto term = [&](size_t i) {
    const double factor = factors.empty() ? 1 : factors[i];
    return factor == 1 || (factor == -1 && i > 0) ? layer.inputs[i]
                                                  : layer.add("Mul", {layer.inputs[i], layer.scalar("coeff", factor)});
  };
  ValueId x = term(0);
  for (size_t i = 1; i < layer.inputs.size(); ++i) {
    const bool subtracts = !factors.empty() && factors[i] == -1;
    x = layer.add(!is_sum ? (is_product ? "Mul" : "Max") : subtracts ? "Sub" : "Add", {x, term(i)});
  }
  return {x};
}

// scale[n, c] * x + y
Results axpy(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Shape& x = layer.shape(1);
  if (x.size() != 4 || layer.builder.shape(layer.inputs[0])[0] != x[0])
    layer.refuse("expected factors [n, c] and two tensors of 4 dimensions");
  const ValueId factors = layer.reshape(layer.inputs[0], {x[0], x[1], 1, 1});
  return {layer.add("Add", {layer.add("Mul", {layer.inputs[1], factors}), layer.inputs[2]})};
}

constexpr LayerRow kArithmeticRows[] = {
    {"Axpy", axpy}, {"Bias", bias}, {"Eltwise", eltwise}, {"Scale", scale}, {"bn", folded_normalization},
};

}  // namespace

std::span<const LayerRow> rows_of_arithmetic() { return kArithmeticRows; }

}  // namespace openrknn::caffe
