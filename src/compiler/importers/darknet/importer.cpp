// The flow: sections, then layer by layer nodes with their share of the weights.
#include "compiler/importers/darknet/importer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/importers/darknet/layers.h"
#include "compiler/importers/finite.h"
#include "compiler/importers/two_files.h"
#include "core/base/file.h"

namespace openrknn {
namespace darknet {
namespace {

const SectionRow* row_of(std::string_view type) {
  const std::span<const SectionRow> rows = section_rows();
  const auto row = std::ranges::find(rows, type, &SectionRow::type);
  return row == rows.end() ? nullptr : &*row;
}

/// All sections that cannot be read, each kind once.
void check_types(std::span<const Section> sections, Diagnostics& problems) {
  std::map<std::string, std::vector<int64_t>> lines;
  for (const Section& section : sections) {
    const SectionRow* row = row_of(section.type);
    if (row == nullptr || !row->refused.empty()) lines[section.type].push_back(section.line);
  }
  for (const auto& [type, at] : lines) {
    const SectionRow* row = row_of(type);
    const std::string times = at.size() == 1
                                  ? std::string()
                                  : fmt::format(", {} times, in lines {}", at.size(),
                                                fmt::join(std::span(at).first(std::min<size_t>(at.size(), 8)), ", "));
    problems.add(Code::ImportUnsupportedOp, Location{.file = sections.front().file, .line = at.front()},
                 row == nullptr ? fmt::format("[{}] is no known section{}", type, times)
                                : fmt::format("[{}]: {}{}", type, row->refused, times));
  }
}

Shape input_shape(const Section& net, const ImportOptions& options) {
  if (options.input_shapes.size() == 1) {
    Shape shape = options.input_shapes.front();
    if (shape.size() == 3) shape.insert(shape.begin(), 1);
    if (shape.size() != 4) {
      fail(Code::ImportShapeMismatch, net.where(),
           fmt::format("the shape given for 'data' is {}, expected 4 dimensions", to_string(shape)));
    }
    return shape;
  }
  const int64_t height = net.integer("height", 0, 0, kMostExtent), width = net.integer("width", 0, 0, kMostExtent);
  const int64_t channels = net.integer("channels", 0, 0, kMostChannels);
  if (height > 0 && width > 0 && channels > 0) return {1, channels, height, width};
  const int64_t inputs = net.integer("inputs", 0, 0, kMostChannels);
  if (inputs == 0) {
    fail(Code::ImportBadFile, net.where(), "[net] says no size of the input",
         "give height, width and channels, or inputs");
  }
  return {1, inputs, 1, 1};
}

void keep_options(Graph& graph, const std::string& key, const Section& section) {
  std::string text;
  for (const auto& [name, option] : section.options)
    text += fmt::format("{}{}={}", text.empty() ? "" : ";", name, option.text);
  graph.metadata.emplace(key, text);
}

void select_outputs(Graph& graph, const std::vector<ValueId>& heads, ValueId last, bool ends_in_head) {
  std::vector<ValueId> outputs = heads;
  if (!ends_in_head || heads.empty()) outputs.push_back(last);
  for (const ValueId id : outputs) {
    if (!graph.is_output(id)) graph.outputs.push_back(id);
  }
}

/// By the names of tensors; the network's own if none are given.
void crop(Graph& graph, const ImportOptions& options, const std::string& file) {
  if (!options.inputs.empty() && options.inputs != std::vector<std::string>{"data"}) {
    fail(Code::ImportBadCrop, Location{.file = file},
         fmt::format("inputs: got '{}', and the network's one input is 'data'", fmt::join(options.inputs, "', '")));
  }
  if (options.outputs.empty()) return;
  graph.outputs.clear();
  const auto find = [&](const std::string& name) {
    const ValueId id = graph.find(name);
    return id != ValueId::None && graph[id].producer == NodeId::None ? ValueId::None : id;
  };
  take_outputs(graph, options.outputs, find, file, "is no layer of the network",
               "layers are called by section and number: convolutional_0, maxpool_1, …");
}

}  // namespace

Graph import_network(std::string_view cfg, const std::string& cfg_name, std::span<const std::byte> weights,
                     const std::string& weights_name, const ImportOptions& options) {
  const std::vector<Section> all = parse_cfg(cfg, cfg_name);
  const std::span<const Section> sections = std::span(all).subspan(1);
  if (sections.empty()) fail(Code::ImportBadFile, all.front().where(), "the network has no layers");
  LayerBuilder builder(cfg_name);
  check_types(sections, builder.problems);
  builder.finish();

  WeightsReader reader(weights, weights_name);
  Network network{.builder = builder, .weights = reader};
  ValueId previous = builder.add_input("data", DType::Float32, input_shape(all.front(), options));
  std::vector<ValueId> heads;
  bool ends_in_head = false;
  for (size_t i = 0; i < sections.size(); ++i) {
    const Section& section = sections[i];
    const SectionRow& row = *row_of(section.type);
    const std::string name = fmt::format("{}_{}", section.type, i);
    Layer layer{.network = network, .section = section, .index = static_cast<int64_t>(i), .input = previous};
    std::vector<ValueId> reads;
    if (row.reads_previous) reads.push_back(previous);
    ValueId result = previous;
    const auto translate = [&] {
      const ValueId given = row.translate == nullptr ? previous : row.translate(layer);
      const Shape& shape = builder.shape(given);
      if (std::ranges::any_of(shape, [](int64_t extent) { return extent > kMostExtent; })) {
        layer.refuse(fmt::format("the layer gives {}, which is beyond any network", to_string(shape)));
      }
      return given;
    };
    const Origin origin{.op = section.type, .node = name, .tensor = name, .where = section.where()};
    try {
      if (row.reads != nullptr) {
        for (const int64_t other : row.reads(layer)) reads.push_back(layer.result(other));
      }
      result = builder.layer(origin, reads, translate);
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) builder.problems.add(diagnostic);
      result = ValueId::None;
    }
    if (row.role == Role::Head && result != ValueId::None) {
      heads.push_back(result);
      keep_options(builder.graph, fmt::format("darknet.{}", name), section);
    }
    if (row.role != Role::Removed) ends_in_head = row.role == Role::Head;
    network.results.push_back(result);
    previous = result;
  }
  builder.finish();
  reader.check_consumed(cfg_name);

  Graph& graph = builder.graph;
  select_outputs(graph, heads, previous, ends_in_head);
  crop(graph, options, cfg_name);
  keep_options(graph, "darknet.net", all.front());
  graph.remove_unused();
  require_finite(graph, weights_name);
  return std::move(graph);
}

}  // namespace darknet

Graph import_darknet(const std::filesystem::path& path, const ImportOptions& options) {
  const TwoFiles files = two_files(path, ".cfg", ".weights", options);
  const std::string text = read_text_file(files.text);
  const std::shared_ptr<const MappedFile> mapped = MappedFile::open(files.weights);
  return darknet::import_network(text, files.text.string(), mapped->bytes(), files.weights.string(), options);
}

bool looks_like_darknet(std::string_view head) { return darknet::looks_like_cfg(head); }

std::vector<SourceOperator> darknet_operators() {
  std::vector<SourceOperator> operators;
  for (const darknet::SectionRow& row : darknet::section_rows()) {
    operators.push_back({.op = row.type, .refused = row.refused});
  }
  std::ranges::sort(operators, {}, &SourceOperator::op);
  return operators;
}

}  // namespace openrknn
