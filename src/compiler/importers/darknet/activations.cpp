// DarkNet's activations (activations.h), by the operators they are made of.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/importers/darknet/layers.h"

namespace openrknn::darknet {
namespace {

using Function = ValueId (*)(LayerBuilder&, ValueId);

/// low * (x - at) + at … : straight lines that meet at the two bounds.
ValueId three_lines(LayerBuilder& b, ValueId x, float low, float high, float outer, float inner, float offset) {
  // Inside: inner * x + offset. Outside the line goes on with the slope `outer` from the bound.
  const ValueId inside = b.add("Clip", {x}, {{"min", double{low}}, {"max", double{high}}});
  const ValueId middle = b.add("Add", {b.add("Mul", {inside, b.scalar("inner", inner)}), b.scalar("offset", offset)});
  const ValueId beyond = b.add("Mul", {b.add("Sub", {x, inside}), b.scalar("outer", outer)});
  return b.add("Add", {middle, beyond});
}

/// x where it is above 0, over the sum of these along the channels.
ValueId normalize_channels(LayerBuilder& b, ValueId x) {
  const ValueId above = b.add("Relu", {x});
  const ValueId sum = b.add("ReduceSum", {above}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{1}}});
  return b.add("Div", {above, b.add("Add", {sum, b.scalar("least", 0.0001F)})});
}

ValueId hard_mish(LayerBuilder& b, ValueId x) {
  // x above 0, x²/2 + x down to -2, 0 below: x * clip(x/2 + 1, 0, 1).
  const ValueId line = b.add("Add", {b.add("Mul", {x, b.scalar("half", 0.5F)}), b.scalar("one", 1.0F)});
  return b.add("Mul", {x, b.add("Clip", {line}, {{"min", 0.0}, {"max", 1.0}})});
}

ValueId loggy(LayerBuilder& b, ValueId x) {
  return b.add("Sub", {b.add("Mul", {b.add("Sigmoid", {x}), b.scalar("two", 2.0F)}), b.scalar("one", 1.0F)});
}

ValueId ramp(LayerBuilder& b, ValueId x) {
  return b.add("Add", {b.add("Relu", {x}), b.add("Mul", {x, b.scalar("tenth", 0.1F)})});
}

struct Row {
  std::string_view name;
  Function function;
};
constexpr Row kRows[] = {
    {"elu",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Elu", {x}, {{"alpha", 1.0}});
     }},
    {"gelu",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Gelu", {x}, {{"approximate", std::string("tanh")}});
     }},
    {"hard_mish", hard_mish},
    {"hardtan",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Clip", {x}, {{"min", -1.0}, {"max", 1.0}});
     }},
    {"leaky",
     [](LayerBuilder& b, ValueId x) {
       return b.add("LeakyRelu", {x}, {{"alpha", 0.1}});
     }},
    {"lhtan", [](LayerBuilder& b, ValueId x) { return three_lines(b, x, 0, 1, 0.001F, 1, 0); }},
    {"linear", [](LayerBuilder&, ValueId x) { return x; }},
    {"loggy", loggy},
    {"logistic", [](LayerBuilder& b, ValueId x) { return b.add("Sigmoid", {x}); }},
    {"mish", [](LayerBuilder& b, ValueId x) { return b.add("Mish", {x}); }},
    {"normalize_channels", normalize_channels},
    {"normalize_channels_softmax",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Softmax", {x}, {{"axis", int64_t{1}}});
     }},
    {"normalize_channels_softmax_maxval",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Softmax", {x}, {{"axis", int64_t{1}}});
     }},
    {"plse", [](LayerBuilder& b, ValueId x) { return three_lines(b, x, -4, 4, 0.01F, 0.125F, 0.5F); }},
    {"ramp", ramp},
    {"relie",
     [](LayerBuilder& b, ValueId x) {
       return b.add("LeakyRelu", {x}, {{"alpha", 0.01}});
     }},
    {"relu", [](LayerBuilder& b, ValueId x) { return b.add("Relu", {x}); }},
    {"relu6",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Clip", {x}, {{"min", 0.0}, {"max", 6.0}});
     }},
    {"revleaky",
     [](LayerBuilder& b, ValueId x) {
       return b.add("LeakyRelu", {x}, {{"alpha", 0.1}});
     }},
    {"selu",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Selu", {x}, {{"alpha", 1.6732}, {"gamma", 1.0507}});
     }},
    {"swish",
     [](LayerBuilder& b, ValueId x) {
       return b.add("Mul", {x, b.add("Sigmoid", {x})});
     }},
    {"tanh", [](LayerBuilder& b, ValueId x) { return b.add("Tanh", {x}); }},
};

}  // namespace

ValueId activate(const Layer& layer, ValueId x, std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.function(layer.builder(), x);
  }
  std::vector<std::string_view> known;
  for (const Row& row : kRows) known.push_back(row.name);
  layer.refuse(fmt::format("activation: got '{}', expected one of: {}", name, fmt::join(known, ", ")), "activation");
}

ValueId activate(const Layer& layer, ValueId x) {
  return activate(layer, x, layer.section.text("activation", "linear"));
}

}  // namespace openrknn::darknet
