// x * (1 + erf(x / sqrt 2)) / 2 as frameworks write it out, and the tanh approximation
// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 (Hendrycks, Gimpel 2016).
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

constexpr double kSqrt2 = 1.4142135623730951, kSqrt2OverPi = 0.7978845608028654, kCubic = 0.044715;

/// x * inner / 2, whichever product is taken first.
std::vector<Pattern> half_product(const Pattern& x, const Pattern& inner) {
  return {divided(op("Mul", {x, inner}), 2), op("Mul", {x, divided(inner, 2)}), op("Mul", {divided(x, 2), inner})};
}

}  // namespace

bool fuse_gelu(Graph& graph, const PassContext& context) {
  const Pattern x = any("x");
  const Pattern erf =
      either({op("Add", {op("Erf", {divided(x, kSqrt2)}), number(1)}),
              op("Sub", {number(1), op("Erf", {divided(op("Neg", {x}), kSqrt2)})}),  // erfc(-x / sqrt 2)
              op("Sub", {number(1), op("Erf", {op("Mul", {x, number(-1 / kSqrt2)})})})});
  const Function exact = {.op = "Gelu", .spellings = half_product(x, erf)};

  const Pattern square = either({op("Mul", {x, x}), op("Pow", {x, number(2)})});
  const Pattern cube = either({op("Pow", {x, number(3)}), op("Mul", {square, x})});
  const Pattern argument = either({
      op("Mul", {op("Add", {x, op("Mul", {cube, number(kCubic)})}), number(kSqrt2OverPi)}),
      // x * sqrt(2/pi) * (1 + 0.044715 x * x), as in BERT exports
      op("Mul",
         {op("Mul", {x, number(kSqrt2OverPi)}),
          op("Add", {either({op("Mul", {op("Mul", {x, number(kCubic)}), x}), op("Mul", {square, number(kCubic)})}),
                     number(1)})}),
  });
  const Pattern tanh = op("Add", {op("Tanh", {argument}), number(1)});
  const Function approximate = {
      .op = "Gelu", .attributes = {{"approximate", std::string("tanh")}}, .spellings = half_product(x, tanh)};

  const bool changed = replace_function(graph, context, "fuse_gelu", exact);
  return replace_function(graph, context, "fuse_gelu", approximate) || changed;
}

}  // namespace openrknn::passes
