// The flow: the text as a net, the numbers by layer, then layer by layer nodes.
#include "compiler/importers/caffe/importer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/importers/caffe/layers.h"
#include "compiler/importers/finite.h"
#include "compiler/importers/two_files.h"

namespace openrknn {
namespace caffe {
namespace {

/// Types without a translation, each once.
void check_types(const Net& net, std::span<const LayerRow> rows, Diagnostics& problems) {
  struct Refused {
    std::string_view reason;
    std::vector<std::string> layers;
    int64_t line = 0;
  };
  std::map<std::string, Refused> refused;
  for (const NetLayer& layer : net.layers) {
    const auto row = std::ranges::find(rows, layer.type, &LayerRow::type);
    if (row != rows.end() && row->refused.empty()) continue;
    Refused& one = refused[layer.type];
    if (one.layers.empty())
      one = {row == rows.end() ? "no layer type that is known here" : row->refused, {}, layer.line};
    one.layers.push_back(layer.name);
  }
  for (const auto& [type, one] : refused) {
    problems.add(Code::ImportUnsupportedOp, Location{.file = net.file, .node = one.layers.front(), .line = one.line},
                 fmt::format("{}: {} ({})", type, one.reason, counted(one.layers, "layer", 4)));
  }
}

/// The order the caller wants, or the net's.
std::vector<NetInput> ordered_inputs(const Net& net, const ImportOptions& options) {
  std::vector<NetInput> inputs = net.inputs;
  if (inputs.empty())
    fail(Code::ImportBadFile, Location{.file = net.file}, "the net has no input",
         "give the net for deployment (deploy.prototxt), which begins with an Input layer");
  if (!options.inputs.empty()) {
    std::vector<NetInput> ordered;
    for (const std::string& name : options.inputs) {
      const auto found = std::ranges::find(inputs, name, &NetInput::name);
      if (found != inputs.end()) ordered.push_back(*found);
    }
    if (ordered.size() != inputs.size() || ordered.size() != options.inputs.size()) {
      std::vector<std::string> names;
      for (const NetInput& input : inputs) names.push_back(input.name);
      fail(Code::ImportBadCrop, Location{.file = net.file},
           fmt::format("inputs: got '{}', expected all of '{}' in the order wanted", fmt::join(options.inputs, "', '"),
                       fmt::join(names, "', '")));
    }
    inputs = std::move(ordered);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i < options.input_shapes.size() && !options.input_shapes[i].empty()) {
      inputs[i].shape = options.input_shapes[i];
      if (inputs[i].shape.size() == 3) inputs[i].shape.insert(inputs[i].shape.begin(), 1);
    }
    if (inputs[i].shape.empty())
      fail(Code::ImportUnknownDimension, Location{.file = net.file, .tensor = inputs[i].name, .line = inputs[i].line},
           fmt::format("the file says no shape of the input '{}'", inputs[i].name),
           "give it: input_shapes=[[1, 3, 224, 224]]");
    for (const int64_t extent : inputs[i].shape) {
      if (extent < 1 || extent > kMostExtent)
        fail(Code::ImportBadFile, Location{.file = net.file, .tensor = inputs[i].name, .line = inputs[i].line},
             fmt::format("the input '{}' has the shape {}", inputs[i].name, to_string(inputs[i].shape)));
    }
  }
  return inputs;
}

/// Blobs are overwritten in place: the last layer that writes one gives it its name, the ones before are called after
/// themselves.
std::vector<std::vector<std::string>> tensor_names(const Net& net) {
  std::vector<std::vector<std::string>> names(net.layers.size());
  std::set<std::string> given;
  for (size_t i = net.layers.size(); i-- > 0;) {
    const NetLayer& layer = net.layers[i];
    for (const std::string& top : layer.tops) {
      const bool is_last = given.insert(top).second;
      names[i].push_back(is_last ? top : layer.name == top ? fmt::format("{}/{}", layer.name, layer.type) : layer.name);
    }
  }
  return names;
}

void note_missing(const MissingWeights& missing, const Net& net, const std::string& model, Diagnostics& problems) {
  if (missing.layers.empty()) return;
  const size_t shown = std::min<size_t>(missing.layers.size(), 8);
  problems.add(
      Code::ImportMissingTensor, Location{.file = model},
      fmt::format("the file has no weights of {} layer{} of {}: {}{}", missing.layers.size(),
                  missing.layers.size() == 1 ? "" : "s", net.file,
                  fmt::join(std::span(missing.layers).first(shown), ", "), missing.layers.size() > shown ? ", …" : ""),
      "give the .prototxt and .caffemodel that belong together");
}

void select_outputs(Graph& graph, const Net& net, const ImportOptions& options,
                    const std::map<std::string, ValueId>& blobs) {
  std::vector<std::string> wanted = options.outputs;
  if (wanted.empty()) {
    // What a layer gives and none reads.
    std::set<std::string> open;
    std::vector<std::string> order;
    for (const NetLayer& layer : net.layers) {
      for (const std::string& bottom : layer.bottoms) open.erase(bottom);
      for (const std::string& top : layer.tops) {
        open.insert(top);
        if (std::ranges::find(order, top) == order.end()) order.push_back(top);
      }
    }
    for (const std::string& name : order) {
      if (open.contains(name)) wanted.push_back(name);
    }
  }
  const auto find = [&](const std::string& name) {
    const auto blob = blobs.find(name);
    return blob == blobs.end() ? graph.find(name) : blob->second;
  };
  take_outputs(graph, wanted, find, net.file, "no layer gives", "give names of blobs, as the layers' tops have them");
}

}  // namespace

Graph import_net(std::string_view prototxt, const std::string& name, const MappedFile& caffemodel,
                 const ImportOptions& options) {
  const Net net = parse_net(prototxt, name);
  const std::vector<LayerRow> rows = layer_rows();
  LayerBuilder builder(name);
  check_types(net, rows, builder.problems);
  builder.finish();
  const Blobs weights = read_blobs(caffemodel);
  MissingWeights missing;
  std::map<std::string, ValueId> blobs;
  for (NetInput& input : ordered_inputs(net, options)) {
    const ValueId id = builder.add_input(input.name, DType::Float32, std::move(input.shape));
    blobs[input.name] = id;
  }
  const std::vector<std::vector<std::string>> names = tensor_names(net);
  for (size_t i = 0; i < net.layers.size(); ++i) {
    const NetLayer& source = net.layers[i];
    Layer layer{.builder = builder, .source = source, .blobs = weights, .missing = missing, .inputs = {}};
    bool is_fed = true;
    for (const std::string& bottom : source.bottoms) {
      const auto found = blobs.find(bottom);
      if (found == blobs.end()) {
        builder.problems.add(Code::ImportMissingTensor,
                             Location{.file = name, .node = source.name, .line = source.line},
                             fmt::format("bottom '{}' is given by no layer before", bottom));
        is_fed = false;
        continue;
      }
      layer.inputs.push_back(found->second);
    }
    const auto row = std::ranges::find(rows, source.type, &LayerRow::type);
    const Origin origin{
        .op = source.type, .node = source.name, .tensor = names[i].front(), .where = {.line = source.line}};
    const auto translate = [&] {
      if (layer.inputs.empty())
        layer.require_inputs(1, 1);  // each layer counts those it has; inputs are no layers here
      Results results = row->translate(layer);
      if (results.size() < source.tops.size())
        layer.refuse(fmt::format("{} tops, expected {}", source.tops.size(), results.size()));
      for (const ValueId id : results) {
        if (std::ranges::any_of(builder.shape(id), [](int64_t extent) { return extent > 16 * kMostExtent; })) {
          layer.refuse(fmt::format("the layer gives {}, which is beyond any net", to_string(builder.shape(id))));
        }
      }
      return results;
    };
    const std::vector<ValueId> results = is_fed ? builder.layer(origin, names[i], layer.inputs, translate)
                                                : std::vector<ValueId>(source.tops.size(), ValueId::None);
    for (size_t t = 0; t < source.tops.size(); ++t) blobs[source.tops[t]] = results[t];
  }
  note_missing(missing, net, caffemodel.name(), builder.problems);
  builder.finish();
  Graph& graph = builder.graph;
  select_outputs(graph, net, options, blobs);
  if (!net.name.empty()) graph.metadata.emplace("caffe.name", net.name);
  graph.remove_unused();
  require_finite(graph, caffemodel.name());
  return std::move(graph);
}

}  // namespace caffe

Graph import_caffe(const std::filesystem::path& path, const ImportOptions& options) {
  const TwoFiles files = two_files(path, ".prototxt", ".caffemodel", options);
  const std::string prototxt = read_text_file(files.text);
  return caffe::import_net(prototxt, files.text.string(), *MappedFile::open(files.weights), options);
}

bool looks_like_caffe(std::string_view head) { return caffe::looks_like_prototxt(head); }

std::vector<SourceOperator> caffe_operators() {
  std::vector<SourceOperator> operators{{.op = "Input"}};
  for (const caffe::LayerRow& row : caffe::layer_rows()) operators.push_back({.op = row.type, .refused = row.refused});
  std::ranges::sort(operators, {}, &SourceOperator::op);
  return operators;
}

}  // namespace openrknn
