#include "core/targets/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/graph/custom.h"

namespace openrknn {
namespace {

/// What a sentence about a layer is made of.
struct Subject {
  const LayerWork& work;
  const LayerCost& cost;
  const Node& node;
  const Target& target;
};

std::string describe_array(const Subject& subject) {
  const LayerWork& work = subject.work;
  const double lanes = static_cast<double>(products_per_step(subject.target, work.dtype)) * (work.sparse ? 2 : 1);
  const double filled = static_cast<double>(work.products) / (work.array_steps * lanes);
  return filled > 0.95 ? "the multipliers, nearly all of them busy"
                       : fmt::format("the multipliers, {:.0f} % of them busy", 100 * filled);
}

std::string describe_output(const Subject& subject) {
  const LayerWork& work = subject.work;
  if (work.pooled > work.results) return "the output stage: the windows of a pool";
  if (work.curve_results == 0) return "the output stage: many results for so few products";
  const std::string op = subject.node.op == "Attention" ? "Softmax" : subject.node.op;
  return fmt::format("the output stage: the table of {}", string_attribute(subject.node.attributes, "activation", op));
}

std::string describe_bus(const Subject& subject) {
  const LayerWork& work = subject.work;
  const std::array<std::pair<int64_t, std::string_view>, 3> parts = {
      {{work.weight_bytes, "weights"}, {work.feature_bytes, "inputs"}, {work.result_bytes, "results"}}};
  const std::string_view most = std::ranges::max(parts, {}, [](const auto& part) { return part.first; }).second;
  return fmt::format("memory: mostly {}{}", most,
                     work.tiles > 1 ? ", and the buffer is too small to read everything once" : "");
}

std::string describe_start(const Subject& subject) {
  return subject.work.tiles > 1 ? fmt::format("its start and its {} pieces", subject.work.tiles)
                                : "its start, which takes longer than its work";
}

std::string describe_place(const Subject& subject) { return to_string(subject.work.placement, subject.target); }

std::string describe_limit(const Subject& subject) {
  // In the order of Bottleneck.
  constexpr std::array kSentences = {describe_array, describe_output, describe_bus, describe_start, describe_place};
  return kSentences[static_cast<size_t>(subject.cost.bottleneck)](subject);
}

bool is_dot(const RooflineLayer& layer) { return layer.place == Place::Npu; }

/// Of the layers that multiply; where none does, of all on the NPU, so that the picture still has a roof.
std::vector<ComputeRoof> roofs_over(const std::vector<RooflineLayer>& layers, const Target& target,
                                    const CostParameters& parameters, int cores) {
  const auto multiplies = [](const RooflineLayer& layer) { return is_dot(layer) && layer.products > 0; };
  const bool any = std::ranges::any_of(layers, multiplies);
  std::vector<ComputeRoof> roofs;
  for (const RooflineLayer& layer : layers) {
    if (any ? !multiplies(layer) : !is_dot(layer)) continue;
    const auto is_same = [&](const ComputeRoof& r) { return r.dtype == layer.dtype && r.sparse == layer.sparse; };
    if (std::ranges::any_of(roofs, is_same)) continue;
    const double each = static_cast<double>(products_per_step(target, layer.dtype)) * (layer.sparse ? 2 : 1);
    roofs.push_back({layer.dtype, layer.sparse, each * cores * target.clock_mhz * 1e6 / parameters.cycles_per_step});
  }
  std::ranges::stable_sort(roofs, {}, &ComputeRoof::products_per_second);
  return roofs;
}

}  // namespace

double Roofline::roof_over(const RooflineLayer& layer) const {
  const double slope = layer.intensity() * bytes_per_second;
  for (const ComputeRoof& roof : roofs) {
    if (roof.dtype == layer.dtype && roof.sparse == layer.sparse) return std::min(slope, roof.products_per_second);
  }
  return slope;
}

Roofline roofline_of(const ModelCost& cost, const Graph& graph, const Target& target, std::string build, int cores) {
  const CostParameters& parameters = cost_parameters_of(target);
  Roofline result{.target = &target,
                  .build = std::move(build),
                  .cores = cores,
                  .calibrated = parameters.calibrated,
                  .microseconds = cost.microseconds,
                  .run_microseconds = parameters.run_microseconds,
                  .bytes_per_second = target.clock_mhz * 1e6 / parameters.cycles_per_byte,
                  .roofs = {},
                  .layers = {}};
  for (size_t i = 0; i < cost.works.size(); ++i) {
    const LayerWork& work = cost.works[i];
    const LayerCost& layer = cost.layers[i];
    if (layer.microseconds <= 0) continue;
    const Node& node = graph[work.node];
    result.layers.push_back({.name = node.name,
                             .op = std::string(shown_op(node)),
                             .dtype = work.dtype,
                             .sparse = work.sparse,
                             .place = work.placement.place,
                             .products = work.products,
                             .bytes = work.bytes(),
                             .microseconds = layer.microseconds,
                             .bottleneck = layer.bottleneck,
                             .limit = describe_limit({work, layer, node, target})});
  }
  result.roofs = roofs_over(result.layers, target, parameters, cores);
  return result;
}

}  // namespace openrknn
