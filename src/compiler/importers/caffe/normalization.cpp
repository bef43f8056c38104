// Normalisation over channels, neighbours and planes.
#include <fmt/format.h>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

Attributes over(Ints axes) { return {{"axes", std::move(axes)}, {"keepdims", int64_t{1}}}; }

// The statistics are sums; the third blob says of how many.
Results batch_norm(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("batch_norm_param");
  if (!options.boolean("use_global_stats", true))
    layer.refuse("use_global_stats=false normalises by the batch, which is for training");
  if (layer.rank() < 2) layer.refuse("the input has no channels");
  const int64_t channels = layer.shape()[1];
  const float count = layer.number(2, "factor"), factor = count == 0 ? 0 : 1 / count;
  const auto all = [&](std::string_view part, float number) {
    return layer.builder.constant(
        part, Tensor::from<float>({channels}, std::vector<float>(static_cast<size_t>(channels), number)));
  };
  return {layer.add("BatchNormalization",
                    {layer.inputs[0], all("ones", 1), all("zeros", 0), layer.weights(0, "mean", {channels}, factor),
                     layer.weights(1, "variance", {channels}, factor)},
                    {{"epsilon", options.number("eps", 1e-5)}})};
}

Results lrn(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("lrn_param");
  const int64_t size = options.integer("local_size", 5, 1, 1023);
  const double alpha = options.number("alpha", 1), beta = options.number("beta", 0.75);
  if (size % 2 == 0) layer.refuse(fmt::format("local_size={}: Caffe takes odd ones", size));
  const std::string region = options.text("norm_region", "ACROSS_CHANNELS");
  const ValueId x = layer.inputs[0];
  if (region == "ACROSS_CHANNELS" || region == "0") {
    return {
        layer.add("LRN", {x}, {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", options.number("k", 1)}})};
  }
  // x * (1 + alpha * mean of the squares around)^-beta: k is not read here.
  const int64_t pad = (size - 1) / 2;
  const ValueId mean = layer.add(
      "AveragePool", {layer.add("Mul", {x, x})},
      {{"kernel_shape", Ints{size, size}}, {"pads", Ints{pad, pad, pad, pad}}, {"count_include_pad", int64_t{1}}});
  const ValueId sum =
      layer.add("Add", {layer.add("Mul", {mean, layer.scalar("alpha", alpha)}), layer.scalar("one", 1)});
  return {layer.add("Mul", {x, layer.add("Pow", {sum, layer.scalar("beta", -beta)})})};
}

// eps is added to the deviation, not to the variance.
Results mvn(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("mvn_param");
  layer.require_four_dimensions();
  const Ints axes = options.boolean("across_channels", false) ? Ints{1, 2, 3} : Ints{2, 3};
  const ValueId x = layer.add("Sub", {layer.inputs[0], layer.add("ReduceMean", {layer.inputs[0]}, over(axes))});
  if (!options.boolean("normalize_variance", true)) return {x};
  const ValueId variance = layer.add("ReduceMean", {layer.add("Mul", {x, x})}, over(axes));
  const ValueId deviation =
      layer.add("Add", {layer.add("Sqrt", {variance}), layer.scalar("eps", options.number("eps", 1e-9))});
  return {layer.add("Div", {x, deviation})};
}

// SSD: x / sqrt(sum of squares + eps), times a learned factor or one a channel.
Results normalize(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("norm_param");
  layer.require_four_dimensions();
  const Ints axes = options.boolean("across_spatial", true) ? Ints{1, 2, 3} : Ints{1};
  const ValueId x = layer.inputs[0];
  const ValueId sum = layer.add(
      "Add", {layer.add("ReduceSumSquare", {x}, over(axes)), layer.scalar("eps", options.number("eps", 1e-10))});
  const ValueId unit = layer.add("Div", {x, layer.add("Sqrt", {sum})});
  const int64_t factors = options.boolean("channel_shared", true) ? 1 : layer.shape()[1];
  return {layer.add("Mul", {unit, layer.weights(0, "scale", {1, factors, 1, 1})})};
}

Results softmax(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {layer.add("Softmax", {layer.inputs[0]},
                    {{"axis", layer.axis(layer.options("softmax_param").integer("axis", 1), "axis")}})};
}

constexpr LayerRow kNormalizationRows[] = {
    {"BatchNorm", batch_norm}, {"LRN", lrn}, {"MVN", mvn}, {"Normalize", normalize}, {"Softmax", softmax},
};

}  // namespace

std::span<const LayerRow> rows_of_normalization() { return kNormalizationRows; }

}  // namespace openrknn::caffe
