#include "compiler/importers/recurrent_layers.h"

namespace openrknn {

Attributes recurrent_attributes(std::string_view direction, std::vector<std::string> functions) {
  const std::vector<double> none(functions.size(), 0);
  return {{"direction", std::string(direction)},
          {"activations", std::move(functions)},
          {"activation_alpha", none},
          {"activation_beta", none}};
}

ValueId gates_in_order(LayerBuilder& builder, ValueId weights, std::span<const int64_t> gates) {
  const Shape shape = builder.shape(weights);
  const int64_t hidden = shape[0] / static_cast<int64_t>(gates.size());
  ValueId joined = weights;
  if (gates.size() > 1) {
    std::vector<ValueId> parts;
    for (const int64_t gate : gates) {
      std::vector<int64_t> starts(shape.size(), 0), ends = shape;
      starts[0] = gate * hidden;
      ends[0] = (gate + 1) * hidden;
      parts.push_back(builder.add_beside("Slice", {weights}, {{"starts", starts}, {"ends", ends}}));
    }
    joined = builder.add_beside("Concat", std::move(parts), {{"axis", int64_t{0}}});
  }
  Shape with_direction = shape;
  with_direction.insert(with_direction.begin(), 1);
  return builder.add_beside("Reshape", {joined}, {{"shape", std::move(with_direction)}});
}

}  // namespace openrknn
