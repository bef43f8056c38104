#include "toolkit/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/hash.h"
#include "core/executor/plan.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"
#include "core/model/ports.h"
#include "core/model/precision_notes.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {
namespace {

using Json = nlohmann::ordered_json;

// Everything inspect knows, once; text and JSON are two views of it.
struct Inspection {
  FileDescription description;
  std::optional<Model> model;
  size_t bytes = 0;
};

Inspection look(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  Inspection inspection{.description = describe(*file), .model = {}, .bytes = file->bytes().size()};
  if (inspection.description.ours && !inspection.description.encryption) inspection.model = read(file);
  return inspection;
}

constexpr std::string_view kEncryptedSentence =
    "This file is encrypted. What is shown is what it shows to everybody; it can be run, with the key if it needs one.";
constexpr std::string_view kVendorSentence =
    "This file was made by the vendor's toolkit: its programs are for the NPU itself. It can be described here, but "
    "only a "
    "file written by OpenRKNN can be simulated.";

std::string_view note_on(const FileDescription& description) {
  return description.encryption ? kEncryptedSentence : kVendorSentence;
}

std::string quant_text(const Value& value) {
  if (!value.quant) return "";
  const QuantParams& quant = *value.quant;
  if (quant.scale.size() == 1) return fmt::format("scale {:.6g} zp {}", quant.scale[0], quant.zero_point[0]);
  const auto [low, high] = std::minmax_element(quant.scale.begin(), quant.scale.end());
  return fmt::format("{} scales {:.3g}..{:.3g} on axis {}", quant.scale.size(), *low, *high, quant.axis);
}

Json value_json(const Value& value) {
  Json json{{"name", value.name}, {"dtype", std::string(name(value.dtype))}, {"shape", value.shape}};
  if (value.quant)
    json["quant"] = {
        {"scale", value.quant->scale}, {"zero_point", value.quant->zero_point}, {"axis", value.quant->axis}};
  return json;
}

std::vector<std::string> origin_names(const Graph& graph, const Node& node) {
  std::vector<std::string> names;
  for (const int32_t origin : node.origins) names.push_back(graph.origins[static_cast<size_t>(origin)].node);
  return names;
}

/// Why a node computes in what it computes in, by node name.
std::map<std::string, std::string> precision_rules(const Model& model) {
  std::map<std::string, std::string> rules;
  for (PrecisionNote& note : precision_notes(model)) rules[note.node] = std::move(note.rule);
  return rules;
}

/// Types of custom operators, with how many nodes each has.
std::map<std::string, int64_t> custom_operators(const Graph& graph) {
  std::map<std::string, int64_t> types;
  for (const NodeId id : graph.order()) {
    if (const std::string_view type = custom_type(graph[id]); !type.empty()) ++types[std::string(type)];
  }
  return types;
}

/// The input shapes of every set, largest first.
std::vector<std::vector<Shape>> shape_sets(const Model& model) {
  std::vector<std::vector<Shape>> sets;
  for (const Graph& variant : model.variants) {
    std::vector<Shape>& set = sets.emplace_back();
    for (const ValueId id : variant.inputs) set.push_back(variant[id].shape);
  }
  return sets;
}

void print_ports(std::string& text, std::string_view title, const Graph& graph, const std::vector<ValueId>& ids,
                 const std::vector<Port>& ports) {
  text += fmt::format("\n{}\n", title);
  for (size_t i = 0; i < ids.size(); ++i) {
    const Value& value = graph[ids[i]];
    text += fmt::format("  {:<32} {:<5} {:<20} {}\n", ports[i].name, name(value.dtype), to_string(value.shape),
                        quant_text(value));
    if (!ports[i].pixel_format.empty()) text += fmt::format("  {:<32} {} frames\n", "", ports[i].pixel_format);
    if (!ports[i].mean.empty()) text += fmt::format("  {:<32} mean [{}]\n", "", fmt::join(ports[i].mean, ", "));
    if (!ports[i].std.empty()) text += fmt::format("  {:<32} std  [{}]\n", "", fmt::join(ports[i].std, ", "));
  }
}

void print_model(std::string& text, const Model& model) {
  const Graph& graph = model.variants.front();
  text += fmt::format("target       {} (arithmetic {} version {})\n", model.target, model.arithmetic.family,
                      model.arithmetic.version);
  text += fmt::format("made by      OpenRKNN {} from {}\n", model.tool_version, model.source_framework);
  if (!model.custom_string.empty()) text += fmt::format("custom       {}\n", model.custom_string);
  text += fmt::format("golden       {}\n",
                      model.golden ? "kept" : "not kept (convert with --keep-golden to compare layers)");
  if (model.batch > 1) text += fmt::format("batch        {} items of the shapes below\n", model.batch);
  if (model.variants.size() > 1) {
    const std::vector<std::vector<Shape>> sets = shape_sets(model);
    text += fmt::format("shape sets   {}, the largest below\n", sets.size());
    for (const std::vector<Shape>& set : sets) text += fmt::format("             {}\n", set);
  }
  if (const std::map<std::string, int64_t> types = custom_operators(graph); !types.empty()) {
    text += "custom ops   ";
    for (const auto& [type, nodes] : types) {
      text +=
          fmt::format("{}{} ({} node{})", type == types.begin()->first ? "" : ", ", type, nodes, nodes == 1 ? "" : "s");
    }
    text += "; register them before running (rknn_register_custom_ops, or a plug-in)\n";
  }
  print_ports(text, "Inputs", graph, graph.inputs, model.inputs);
  print_ports(text, "Outputs", graph, graph.outputs, model.outputs);
  text += fmt::format("\nOperations\n  {:<4} {:<18} {:<5} {:<22} {:<32} {:<24} {}\n", "#", "op", "dtype", "output",
                      "quantization", "computes", "precision");
  std::map<std::string, std::string> rules = precision_rules(model);
  int64_t number = 0;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const Value& output = graph[node.outputs[0]];
    const std::string activation = string_attribute(node.attributes, "activation", "");
    const std::string op = node.op == "Convert" ? "exDataConvert" : std::string(shown_op(node)) + activation;
    const std::string line = fmt::format(
        "  {:<4} {:<18} {:<5} {:<22} {:<32} {:<24} {}", number++, op, name(output.dtype), to_string(output.shape),
        quant_text(output), fmt::format("{}", fmt::join(origin_names(graph, node), ", ")), rules[node.name]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
}

}  // namespace

std::string inspect_text(const std::filesystem::path& path) {
  const Inspection inspection = look(path);
  const FileDescription& description = inspection.description;
  std::string text =
      fmt::format("{}\nsize         {:.2f} MB\n", path.string(), static_cast<double>(inspection.bytes) / 1e6);
  const bool is_all_hidden = description.encryption && description.encryption->level == EncryptionLevel::Nothing;
  if (!is_all_hidden) {
    text +=
        fmt::format("container    version {}\ncompiler     {}\n", description.container_version, description.compiler);
  }
  if (inspection.model) {
    print_model(text, *inspection.model);
    text += "\nSections\n";
    for (const FileDescription::Section& section : description.sections) {
      text += fmt::format("  {:<24} {:>12} bytes at {:<12} xxh3 {}\n", section.name, section.size, section.offset,
                          to_hex(section.hash));
    }
    return text;
  }
  if (description.encryption) text += fmt::format("encrypted    {}\n", to_string(*description.encryption));
  if (!is_all_hidden) {
    text += fmt::format("target       {}\nframework    {}\n", description.runtime_target, description.framework);
  }
  const auto print = [&](std::string_view title, const std::vector<FileDescription::Entry>& entries) {
    if (description.encryption && entries.empty()) return;  // hidden
    text += fmt::format("\n{}\n", title);
    for (const FileDescription::Entry& entry : entries)
      text += fmt::format("  {:<32} {:<9} {}\n", entry.name, entry.dtype, to_string(entry.shape));
  };
  print("Inputs", description.inputs);
  print("Outputs", description.outputs);
  return text + fmt::format("\n{}\n", note_on(description));
}

std::string inspect_json(const std::filesystem::path& path) {
  const Inspection inspection = look(path);
  const FileDescription& description = inspection.description;
  Json json{{"file", path.string()},
            {"bytes", inspection.bytes},
            {"ours", description.ours},
            {"container_version", description.container_version},
            {"compiler", description.compiler}};
  if (const std::optional<Encryption>& encryption = description.encryption) {
    json["encryption"] = {{"level", static_cast<int>(encryption->level)}, {"user_key", encryption->has_user_key}};
  }
  if (!inspection.model) {
    json["target"] = description.runtime_target;
    json["framework"] = description.framework;
    json["note"] = std::string(note_on(description));
    for (const auto& [key, entries] :
         {std::pair{"inputs", &description.inputs}, std::pair{"outputs", &description.outputs}}) {
      json[key] = Json::array();
      for (const FileDescription::Entry& entry : *entries)
        json[key].push_back({{"name", entry.name}, {"dtype", entry.dtype}, {"shape", entry.shape}});
    }
    return json.dump(2);
  }
  const Model& model = *inspection.model;
  const Graph& graph = model.variants.front();
  json["target"] = model.target;
  json["arithmetic"] = {{"family", model.arithmetic.family}, {"version", model.arithmetic.version}};
  json["tool_version"] = model.tool_version;
  json["custom_string"] = model.custom_string;
  json["golden"] = model.golden.has_value();
  json["metadata"] = graph.metadata;
  const auto ports = [&](const std::vector<ValueId>& ids, const std::vector<Port>& list) {
    Json array = Json::array();
    for (size_t i = 0; i < ids.size(); ++i) {
      Json entry = value_json(graph[ids[i]]);
      entry["name"] = list[i].name;
      entry["mean"] = list[i].mean;
      entry["std"] = list[i].std;
      if (!list[i].pixel_format.empty()) entry["pixel_format"] = list[i].pixel_format;
      array.push_back(std::move(entry));
    }
    return array;
  };
  json["inputs"] = ports(graph.inputs, model.inputs);
  json["outputs"] = ports(graph.outputs, model.outputs);
  json["batch"] = model.batch;
  json["shape_sets"] = shape_sets(model);
  json["custom_ops"] = custom_operators(graph);
  json["operations"] = Json::array();
  std::map<std::string, std::string> rules = precision_rules(model);
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    json["operations"].push_back({{"name", node.name},
                                  {"op", shown_op(node)},
                                  {"output", value_json(graph[node.outputs[0]])},
                                  {"precision", rules[node.name]},
                                  {"origins", origin_names(graph, node)}});
  }
  json["sections"] = Json::array();
  for (const FileDescription::Section& section : description.sections) {
    json["sections"].push_back(
        {{"name", section.name}, {"offset", section.offset}, {"size", section.size}, {"xxh3", to_hex(section.hash)}});
  }
  return json.dump(2);
}

}  // namespace openrknn
