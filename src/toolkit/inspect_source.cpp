#include "toolkit/inspect_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/graph/products.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

using Json = nlohmann::ordered_json;

struct WeightTotals {
  int64_t numbers = 0, bytes = 0;
};

struct SourceFacts {
  std::string_view framework;
  Graph graph;
  std::map<std::string, int64_t> layers;        ///< by operator of the source
  std::map<std::string, WeightTotals> weights;  ///< by type
  int64_t products = 0;
};

SourceFacts look_at_source(const Importer& importer, const std::filesystem::path& path, const ImportOptions& options) {
  SourceFacts facts{.framework = importer.framework, .graph = importer.import(path, options)};
  const Graph& graph = facts.graph;
  for (const Origin& origin : graph.origins) ++facts.layers[origin.op];
  for (const NodeId id : graph.order()) facts.products += products_of(graph, graph[id]);
  for (int64_t i = 0; i < graph.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    const Value& value = graph[id];
    if (!value.constant || value.producer != NodeId::None || graph.users(id).empty()) continue;
    WeightTotals& row = facts.weights[std::string(name(value.dtype))];
    row.numbers += value.constant->size();
    row.bytes += static_cast<int64_t>(value.constant->bytes().size());
  }
  return facts;
}

/// An input or output as the source has it.
struct SourcePort {
  std::string name;
  DType dtype;
  Shape shape;
};

std::vector<SourcePort> described(const Graph& graph, const std::vector<ValueId>& ids, const std::vector<Port>& ports) {
  std::vector<SourcePort> all;
  for (size_t i = 0; i < ids.size(); ++i)
    all.push_back({ports[i].name, ports[i].dtype, expected_shape(ports[i], graph[ids[i]].shape, PortLayout::Source)});
  return all;
}
std::vector<SourcePort> inputs_of(const Graph& graph) { return described(graph, graph.inputs, source_inputs(graph)); }
std::vector<SourcePort> outputs_of(const Graph& graph) {
  return described(graph, graph.outputs, source_outputs(graph));
}

/// The outline, where shapes of inputs are all that is missing. The error again, where it is another.
ModelOutline outline_or_throw(const Importer& importer, const std::filesystem::path& path, const Error& error) {
  const bool lacks_shapes = std::ranges::all_of(error.diagnostics, [](const Diagnostic& diagnostic) {
    return diagnostic.code == Code::ImportUnknownDimension || diagnostic.code == Code::ImportUnsupportedType;
  });
  std::optional<ModelOutline> outline;
  if (lacks_shapes && importer.outline != nullptr) outline = importer.outline(path);
  if (!outline) throw error;
  return *outline;
}

std::vector<std::pair<std::string, int64_t>> most_first(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> all(counts.begin(), counts.end());
  std::ranges::stable_sort(all, [](const auto& a, const auto& b) { return a.second > b.second; });
  return all;
}

std::string list_of(const std::map<std::string, int64_t>& counts) {
  std::vector<std::string> items;
  for (const auto& [op, count] : most_first(counts)) items.push_back(fmt::format("{} {}", op, count));
  return fmt::format("{}", fmt::join(items, ", "));
}

std::string text_of(const std::filesystem::path& path, std::string_view framework, const ModelOutline& outline) {
  std::string text = fmt::format("{}: a model of {}\n", path.filename().string(), framework);
  for (const std::string& argument : outline.arguments) text += fmt::format("takes   {}\n", argument);
  text += fmt::format("calls   {}\nweights {} numbers\n", list_of(outline.operators), outline.weights);
  return text + "shapes  are not in the file: --input-size-list \"[[1, 3, 224, 224]]\" shows layers and outputs";
}

std::string line_of(const SourcePort& port) {
  return fmt::format("{} {}{}", port.name, name(port.dtype), to_string(port.shape));
}

}  // namespace

std::string inspect_source_text(const std::filesystem::path& path, const ImportOptions& options) {
  const Importer& importer = importer_for(path);
  std::optional<SourceFacts> found;
  try {
    found = look_at_source(importer, path, options);
  } catch (const Error& error) {
    return text_of(path, importer.framework, outline_or_throw(importer, path, error));
  }
  const SourceFacts& facts = *found;
  const Graph& graph = facts.graph;
  std::string text = fmt::format("{}: a model of {}\n", path.filename().string(), facts.framework);
  for (const SourcePort& port : inputs_of(graph)) text += fmt::format("input   {}\n", line_of(port));
  for (const SourcePort& port : outputs_of(graph)) text += fmt::format("output  {}\n", line_of(port));
  text += fmt::format("layers  {}: {}\n", graph.origins.size(), list_of(facts.layers));
  text += fmt::format("work    {:.3f} million multiplications\n", static_cast<double>(facts.products) / 1e6);
  for (const auto& [type, row] : facts.weights) {
    text += fmt::format("weights {} {}, {:.2f} MB\n", row.numbers, type, static_cast<double>(row.bytes) / 1e6);
  }
  for (const auto& [key, value] : graph.metadata) text += fmt::format("about   {}: {}\n", key, value);
  text.pop_back();
  return text;
}

std::string inspect_source_json(const std::filesystem::path& path, const ImportOptions& options) {
  const Importer& importer = importer_for(path);
  std::optional<SourceFacts> found;
  try {
    found = look_at_source(importer, path, options);
  } catch (const Error& error) {
    const ModelOutline outline = outline_or_throw(importer, path, error);
    return Json{{"framework", std::string(importer.framework)},
                {"arguments", outline.arguments},
                {"operators", outline.operators},
                {"weights", outline.weights}}
        .dump(2);
  }
  const SourceFacts& facts = *found;
  const Graph& graph = facts.graph;
  Json json{{"framework", std::string(facts.framework)}};
  for (const auto& [key, ports] : {std::pair{"inputs", inputs_of(graph)}, std::pair{"outputs", outputs_of(graph)}}) {
    json[key] = Json::array();
    for (const SourcePort& port : ports)
      json[key].push_back({{"name", port.name}, {"dtype", std::string(name(port.dtype))}, {"shape", port.shape}});
  }
  json["operators"] = facts.layers;
  json["layers"] = Json::array();
  for (const Origin& origin : graph.origins) {
    json["layers"].push_back({{"op", origin.op}, {"name", origin.node}, {"tensor", origin.tensor}});
  }
  json["multiplications"] = facts.products;
  json["weights"] = Json::object();
  for (const auto& [type, row] : facts.weights)
    json["weights"][type] = {{"numbers", row.numbers}, {"bytes", row.bytes}};
  json["metadata"] = graph.metadata;
  return json.dump(2);
}

}  // namespace openrknn
