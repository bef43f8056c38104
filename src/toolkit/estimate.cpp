#include "toolkit/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "compiler/analysis/report/report.h"
#include "core/graph/custom.h"

namespace openrknn {
namespace {

std::string_view place_text(Place place) { return place == Place::Npu ? "NPU" : place == Place::Cpu ? "CPU" : "none"; }

std::string mebibytes(int64_t bytes) { return fmt::format("{:.2f}", static_cast<double>(bytes) / (1 << 20)); }

void add_layers(std::string& text, const Estimate& estimate, size_t most) {
  std::vector<size_t> order(estimate.cost.layers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](size_t i) { return estimate.cost.layers[i].microseconds; });
  text += fmt::format("\n{:>9} {:>6}  {:<4} {:<12} {:>10} {:>9}  {:<16} {}\n", "us", "%", "on", "waits for",
                      "M products", "KiB", "op", "layer");
  for (size_t i = 0; i < std::min(most, order.size()); ++i) {
    const LayerCost& layer = estimate.cost.layers[order[i]];
    const LayerWork& work = estimate.cost.works[order[i]];
    const Node& node = (*estimate.graph)[work.node];
    text += fmt::format("{:>9.1f} {:>6.1f}  {:<4} {:<12} {:>10.1f} {:>9.0f}  {:<16} {}\n", layer.microseconds,
                        layer.microseconds / estimate.cost.microseconds * 100, place_text(work.placement.place),
                        name(layer.bottleneck), static_cast<double>(work.products) / 1e6,
                        static_cast<double>(work.bytes()) / 1024, shown_op(node), node.name);
  }
}

}  // namespace

std::vector<Estimate> estimate(const TargetRequest& request, int cores) {
  const TargetViews model = view_targets(request);
  std::vector<Estimate> estimates;
  for (const TargetView& view : model.views) {
    const int used = std::clamp(cores, 1, view.target->cores);
    estimates.push_back({.target = view.target,
                         .build = view.build,
                         .cores = used,
                         .calibrated = cost_parameters_of(*view.target).calibrated,
                         .cost = cost_of_model(*model.graph, *view.target, view.types, used),
                         .graph = model.graph});
  }
  return estimates;
}

std::string estimate_text(const std::vector<Estimate>& estimates, size_t layers) {
  std::string text = fmt::format(
      "Estimates, not measurements: docs/estimates.md has how good they are.\n{:<9} {:<18} {:>5} {:>9} "
      "{:>8} {:>11} {:>12} {:>10}  {}\n",
      "target", "build", "cores", "ms", "fps", "weights MiB", "features MiB", "memory MiB", "");
  for (const Estimate& estimate : estimates) {
    int64_t nowhere = 0;
    for (const LayerWork& work : estimate.cost.works) nowhere += work.placement.place == Place::None ? 1 : 0;
    std::string remark = estimate.calibrated ? "" : "uncalibrated";
    if (nowhere > 0) remark += fmt::format("{}{} layers cannot run there", remark.empty() ? "" : "; ", nowhere);
    text += fmt::format("{:<9} {:<18} {:>5} {:>9.2f} {:>8.1f} {:>11} {:>12} {:>10}  {}\n", estimate.target->name,
                        estimate.build, estimate.cores, estimate.milliseconds(), estimate.frames_per_second(),
                        mebibytes(estimate.cost.weight_bytes), mebibytes(estimate.cost.feature_bytes),
                        mebibytes(estimate.memory_bytes()), remark);
  }
  if (estimates.size() == 1) add_layers(text, estimates.front(), layers);
  return text;
}

std::string estimate_json(const std::vector<Estimate>& estimates) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  for (const Estimate& estimate : estimates) {
    Json layers = Json::array();
    for (size_t i = 0; i < estimate.cost.layers.size(); ++i) {
      const LayerCost& layer = estimate.cost.layers[i];
      const LayerWork& work = estimate.cost.works[i];
      const Node& node = (*estimate.graph)[work.node];
      layers.push_back({{"node", node.name},
                        {"op", std::string(shown_op(node))},
                        {"dtype", std::string(numpy_name(work.dtype))},
                        {"place", std::string(place_text(work.placement.place))},
                        {"form", work.placement.form},
                        {"fused", work.fused_into != NodeId::None},
                        {"microseconds", layer.microseconds},
                        {"bottleneck", std::string(name(layer.bottleneck))},
                        {"products", work.products},
                        {"array_steps", work.array_steps},
                        {"results", work.results},
                        {"curve_results", work.curve_results},
                        {"pooled", work.pooled},
                        {"moved", work.moved},
                        {"weight_bytes", work.weight_bytes},
                        {"feature_bytes", work.feature_bytes},
                        {"result_bytes", work.result_bytes},
                        {"tiles", work.tiles}});
    }
    rows.push_back({{"target", std::string(estimate.target->name)},
                    {"build", estimate.build},
                    {"cores", estimate.cores},
                    {"calibrated", estimate.calibrated},
                    {"milliseconds", estimate.milliseconds()},
                    {"frames_per_second", estimate.frames_per_second()},
                    {"weight_bytes", estimate.cost.weight_bytes},
                    {"feature_bytes", estimate.cost.feature_bytes},
                    {"program_bytes", estimate.cost.program_bytes},
                    {"memory_bytes", estimate.memory_bytes()},
                    {"layers", std::move(layers)}});
  }
  return Json{{"estimate", true}, {"targets", std::move(rows)}}.dump(2) + "\n";
}

Roofline roofline_of(const Estimate& estimate) {
  return roofline_of(estimate.cost, *estimate.graph, *estimate.target, estimate.build, estimate.cores);
}

std::string estimate_html(const std::string& model, const std::vector<Estimate>& estimates) {
  std::vector<Roofline> speed;
  for (const Estimate& estimate : estimates) speed.push_back(roofline_of(estimate));
  return speed_html(model, speed);
}

}  // namespace openrknn
