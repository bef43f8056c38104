#include "toolkit/check_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/graph/custom.h"

namespace openrknn {
namespace {

/// Layers with one reason.
struct Group {
  std::string op, reason, cure;
  Place place;
  std::vector<std::string> nodes;
};

std::string reason_of(const CheckedLayer& layer) {
  if (layer.placement.asked) return layer.placement.form.empty() ? "asked for" : layer.placement.form;
  std::string reason;
  for (const ExceededLimit& exceeded : layer.placement.exceeded) {
    reason += (reason.empty() ? "" : "; ") + to_string(exceeded);
  }
  return reason;
}

std::vector<Group> grouped(const std::vector<CheckedLayer>& layers) {
  std::vector<Group> groups;
  for (const CheckedLayer& layer : layers) {
    const std::string reason = reason_of(layer);
    auto group = std::ranges::find_if(groups, [&](const Group& other) {
      return other.op == layer.op && other.reason == reason && other.place == layer.placement.place;
    });
    if (group == groups.end()) {
      groups.push_back({layer.op, reason, "", layer.placement.place, {}});
      group = groups.end() - 1;
      for (const ExceededLimit& exceeded : layer.placement.exceeded) {
        if (group->cure.empty()) group->cure = exceeded.cure;
      }
    }
    group->nodes.push_back(layer.node);
  }
  std::ranges::stable_sort(groups, {}, [](const Group& group) { return group.place == Place::None ? 0 : 1; });
  return groups;
}

std::string names(const std::vector<std::string>& nodes, size_t shown) {
  const size_t count = std::min(shown, nodes.size());
  std::string text = fmt::format("{}", fmt::join(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(count), ", "));
  if (nodes.size() > count) text += fmt::format(" and {} more", nodes.size() - count);
  return text;
}

}  // namespace

std::vector<TargetCheck> check_targets(const TargetRequest& request) {
  const TargetViews model = view_targets(request);
  std::vector<TargetCheck> checks;
  for (const TargetView& view : model.views) {
    TargetCheck check{.target = view.target, .build = view.build};
    for (const NodeId id : model.graph->order()) {
      const Node& node = (*model.graph)[id];
      const DType dtype = view.types.node(id);
      NodePlacement placement = place_node(*model.graph, id, *view.target, dtype);
      int64_t& count = placement.place == Place::Npu   ? check.npu
                       : placement.place == Place::Cpu ? check.cpu
                                                       : check.impossible;
      ++count;
      if (placement.place == Place::Npu) continue;
      check.layers.push_back({node.name, std::string(shown_op(node)), dtype, std::move(placement)});
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

bool has_impossible(const std::vector<TargetCheck>& checks) {
  return std::ranges::any_of(checks, [](const TargetCheck& check) { return check.impossible > 0; });
}

std::string check_text(const std::vector<TargetCheck>& checks, size_t shown) {
  std::string text = fmt::format("{:<9} {:<18} {:>5} {:>5} {:>11}\n", "target", "build", "NPU", "CPU", "impossible");
  for (const TargetCheck& check : checks) {
    text += fmt::format("{:<9} {:<18} {:>5} {:>5} {:>11}\n", check.target->name, check.build, check.npu, check.cpu,
                        check.impossible);
  }
  for (const TargetCheck& check : checks) {
    if (check.layers.empty()) continue;
    text += fmt::format("\n{}\n", check.target->display_name);
    for (const Group& group : grouped(check.layers)) {
      text +=
          fmt::format("  {} {}: {}\n      {}{}{}\n", group.place == Place::None ? "not possible:" : "CPU:", group.op,
                      names(group.nodes, shown), group.reason, group.cure.empty() ? "" : "; ", group.cure);
    }
  }
  return text;
}

std::string check_json(const std::vector<TargetCheck>& checks) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  for (const TargetCheck& check : checks) {
    Json layers = Json::array();
    for (const CheckedLayer& layer : check.layers) {
      Json exceeded = Json::array();
      for (const ExceededLimit& limit : layer.placement.exceeded) {
        exceeded.push_back(
            {{"limit", limit.limit}, {"got", limit.got}, {"expected", limit.expected}, {"cure", limit.cure}});
      }
      layers.push_back({{"node", layer.node},
                        {"op", layer.op},
                        {"dtype", std::string(numpy_name(layer.dtype))},
                        {"place", layer.placement.place == Place::Cpu ? "cpu" : "none"},
                        {"reason", reason_of(layer)},
                        {"exceeded", std::move(exceeded)}});
    }
    rows.push_back({{"target", std::string(check.target->name)},
                    {"build", check.build},
                    {"npu", check.npu},
                    {"cpu", check.cpu},
                    {"impossible", check.impossible},
                    {"layers", std::move(layers)}});
  }
  return Json{{"targets", std::move(rows)}}.dump(2) + "\n";
}

}  // namespace openrknn
