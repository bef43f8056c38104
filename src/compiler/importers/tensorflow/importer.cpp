// The flow: what the outputs need, in data-flow order, node by node.
#include "compiler/importers/tensorflow/importer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/importers/finite.h"
#include "compiler/importers/tensorflow/formats.h"
#include "compiler/importers/tensorflow/graph_def.h"
#include "compiler/importers/tensorflow/inline_calls.h"
#include "compiler/importers/tensorflow/layers.h"
#include "compiler/importers/tensorflow/needed_nodes.h"

namespace openrknn {
namespace tensorflow {
namespace {

const LayerRow* row_of(std::string_view op) {
  static const std::vector<LayerRow> kAll = layer_rows();
  const auto row = std::ranges::find(kAll, op, &LayerRow::op);
  return row == kAll.end() ? nullptr : &*row;
}

constexpr std::string_view kVariables[] = {"VarHandleOp", "Variable", "VariableV2", "ReadVariableOp"};
constexpr std::string_view kOwn[] = {"Const", "Placeholder", "Switch", "Merge"};
/// Nodes that give nothing a model is made for.
constexpr std::string_view kNoResult[] = {"Assert", "Const",  "NoOp",      "Placeholder", "PlaceholderWithDefault",
                                          "Print",  "SaveV2", "RestoreV2", "Assign"};
template <size_t n>
bool is_one_of(const std::string_view (&list)[n], std::string_view op) {
  return std::ranges::find(list, op) != std::end(list);
}

class Import {
 public:
  Import(const SourceGraph& source, const ImportOptions& options)
      : source_(source),
        options_(options),
        builder_(source.file->name()),
        layout_(builder_),
        network_{.builder = builder_, .layout = layout_, .source = source, .random = {}} {}

  Graph run() {
    index();
    choose_outputs();
    choose_inputs();
    builder_.finish();
    count_outputs();
    order_ = needed_nodes(source_, by_name_, inputs_, outputs_, builder_.problems);
    builder_.finish();
    is_nchw_ = std::ranges::any_of(order_, [&](size_t i) {
      return source_.nodes[i].text("data_format") == "NCHW" && source_.nodes[i].op == "Conv2D";
    });
    add_inputs();
    builder_.finish();
    for (const size_t i : order_) translate(source_.nodes[i]);
    tell_of_types();
    builder_.finish();
    add_outputs();
    builder_.finish();
    Graph& graph = builder_.graph;
    for (const auto& [id, random] : network_.random) {
      if (graph.users(id).empty()) continue;
      fail(Code::ImportUnsupportedOp, graph.where(graph.users(id).front()),
           "it computes with random numbers: dropout is for training", "freeze the graph for inference");
    }
    graph.remove_unused();
    require_finite(graph, source_.file->name());
    return std::move(graph);
  }

 private:
  Location where(const std::string& node) const { return {.file = source_.file->name(), .node = node}; }

  void index() {
    for (size_t i = 0; i < source_.nodes.size(); ++i) {
      if (!by_name_.emplace(source_.nodes[i].name, i).second)
        builder_.problems.add(Code::ImportBadFile, where(source_.nodes[i].name), "two nodes have this name");
    }
    builder_.finish();
  }

  void count_outputs() {
    const auto count = [&](const TensorName& name) {
      int64_t& last = last_output_[name.node];
      last = std::max(last, name.output);
    };
    for (const TensorName& output : outputs_) count(output);
    for (const SourceNode& node : source_.nodes)
      for (const std::string& input : node.inputs) count(parse_name(input));
  }

  std::vector<TensorName> named(const std::vector<std::string>& names, const char* side) {
    std::vector<TensorName> chosen;
    std::set<std::string> seen;
    for (const std::string& text : names) {
      const TensorName name = parse_name(text);
      const bool is_known = !name.is_control && by_name_.contains(name.node);
      if (!is_known) {
        builder_.problems.add(Code::ImportBadCrop, Location{.file = source_.file->name(), .tensor = text},
                              fmt::format("{} names '{}', which is no tensor of the graph", side, text),
                              "`openrknn inspect` lists its nodes");
        continue;
      }
      if (!seen.insert(name.text()).second)
        builder_.problems.add(Code::ImportBadCrop, Location{.file = source_.file->name(), .tensor = text},
                              fmt::format("{} names '{}' twice", side, text));
      chosen.push_back(name);
    }
    return chosen;
  }

  void choose_outputs() {
    if (!options_.outputs.empty()) {
      outputs_ = named(options_.outputs, "outputs");
      return;
    }
    std::set<std::string> read;
    for (const SourceNode& node : source_.nodes)
      for (const std::string& input : node.inputs) read.insert(parse_name(input).node);
    for (const SourceNode& node : source_.nodes) {
      if (!read.contains(node.name) && !is_one_of(kNoResult, node.op)) outputs_.push_back({node.name});
    }
    if (outputs_.empty())
      builder_.problems.add(Code::ImportBadFile, Location{.file = source_.file->name()},
                            "no node gives a result that nothing reads", "name the outputs: outputs=['node', …]");
  }

  void choose_inputs() {
    if (!options_.inputs.empty()) {
      inputs_ = named(options_.inputs, "inputs");
      return;
    }
    for (const SourceNode& node : source_.nodes) {
      if (node.op == "Placeholder") inputs_.push_back({node.name});
      if (node.op == "PlaceholderWithDefault" && node.inputs.empty()) inputs_.push_back({node.name});
    }
  }

  bool is_input(const std::string& tensor) const { return names_tensor(inputs_, tensor); }

  /// True if the node's operator is read. Of branches that are not taken nobody asks.
  bool is_supported(const SourceNode& node) {
    const LayerRow* row = row_of(node.op);
    if (is_one_of(kOwn, node.op) || (row != nullptr && row->refused.empty())) return true;
    (is_one_of(kVariables, node.op) ? variables_ : unsupported_[node.op]).push_back(node.name);
    return false;
  }

  /// All operators that cannot be read, each kind once.
  void tell_of_types() {
    if (!variables_.empty()) {
      builder_.problems.add(Code::ImportUnsupportedOp, where(variables_.front()),
                            fmt::format("the graph has {} variables, expected a frozen one", variables_.size()),
                            freezing_command("FOLDER"));
    }
    for (const auto& [op, names] : unsupported_) {
      const LayerRow* row = row_of(op);
      builder_.problems.add(Code::ImportUnsupportedOp, where(names.front()),
                            fmt::format("{}: {} ({})", op, row == nullptr ? "is not supported" : row->refused,
                                        counted(names, "node", 8)));
    }
  }

  /// Extents of the node's own shape, -1 where it has none.
  std::optional<Shape> shape_in_file(const SourceNode& node) const {
    const AttributeValue* shape = node.find("shape");
    if (shape != nullptr && shape->shape && node.op.starts_with("Placeholder")) return shape->shape;
    return std::nullopt;
  }

  void add_inputs() {
    if (!options_.input_shapes.empty() && options_.input_shapes.size() != inputs_.size()) {
      builder_.problems.add(
          Code::ImportShapeMismatch, Location{.file = source_.file->name()},
          fmt::format("{} input shapes are given, there are {} inputs", options_.input_shapes.size(), inputs_.size()));
      return;
    }
    for (const size_t node : order_)
      for (const std::string& input : source_.nodes[node].inputs) read_.insert(parse_name(input).text());
    for (size_t i = 0; i < inputs_.size(); ++i) add_input(i);
  }

  void add_input(size_t i) {
    const std::string tensor = inputs_[i].text();
    const SourceNode& node = source_.nodes[by_name_.at(inputs_[i].node)];
    std::optional<Tensor> frozen = i < options_.initial_values.size() ? options_.initial_values[i] : std::nullopt;
    for (const std::string& name : {tensor, node.name}) {
      const auto found = options_.constants.find(name);
      if (found != options_.constants.end()) frozen = found->second;
    }
    const AttributeValue* type = nullptr;
    for (const char* key : {"dtype", "DstT", "T"})
      if (type == nullptr) type = node.find(key);
    const DType dtype = type == nullptr ? DType::Float32 : dtype_of_type(type->type).value_or(DType::Float32);
    if (frozen) {
      tensors_[tensor] = {builder_.graph.add_constant(tensor, cast(*frozen, computed_as(dtype))), ImageForm::Source};
      return;
    }
    if (!read_.contains(tensor) && options_.inputs.empty()) return;  // of another branch
    Shape shape;
    if (!options_.input_shapes.empty()) {
      shape = options_.input_shapes[i];
      const std::optional<Shape> known = shape_in_file(node);
      const size_t rank = known ? known->size() : 4;
      if (shape.size() + 1 == rank) shape.insert(shape.begin(), 1);
    } else {
      const std::optional<Shape> known = shape_in_file(node);
      if (!known) {
        builder_.problems.add(Code::ImportShapeMismatch, where(node.name), "the graph does not say its shape",
                              "give it: input_shapes=[[1, 224, 224, 3]], input_size_list of load_tensorflow");
        return;
      }
      shape = *known;
      if (!shape.empty() && shape[0] == -1) shape[0] = 1;
    }
    if (std::ranges::any_of(shape, [](int64_t extent) { return extent < 1 || extent > 16 * kMostExtent; })) {
      builder_.problems.add(Code::ImportShapeMismatch, where(node.name),
                            fmt::format("its shape is {}", to_string(shape)),
                            "give all extents: input_shapes=[[1, 224, 224, 3]], input_size_list of load_tensorflow");
      return;
    }
    const Placed input = layout_.add_input(tensor, dtype, shape, !is_nchw_ && !options_.inputs_are_nchw);
    tensors_[tensor] = input;
    if (computed_as(dtype) == dtype) return;
    const auto widened = [&] {
      return builder_.add_beside("Cast", {input.id}, {{"to", static_cast<int64_t>(computed_as(dtype))}});
    };
    tensors_[tensor].id = builder_.layer({.op = node.op, .node = node.name, .tensor = tensor + "/Cast", .where = {}},
                                         std::span(&input.id, 1), widened);
  }

  void translate(const SourceNode& node) {
    if (is_input(fmt::format("{}:0", node.name))) return;
    if (node.op == "Const") return add_constant(node);
    if (node.op == "Placeholder") {
      // An input by default that nothing reads, or one that was cropped away.
      if (!tensors_.contains(node.name + ":0"))
        builder_.problems.add(Code::ImportMissingTensor, where(node.name), "the output depends on this input",
                              "name it in inputs=, or give it an initial value");
      return;
    }
    std::vector<Placed> inputs;
    std::vector<std::string> names;
    bool is_dead = false;
    std::vector<ValueId> reads;
    for (const std::string& text : node.inputs) {
      const TensorName name = parse_name(text);
      if (name.is_control) continue;
      names.push_back(name.text());
      if (node.op == "Merge") continue;
      if (is_dead_tensor(name)) {
        is_dead = true;
        continue;
      }
      const auto found = tensors_.find(name.text());
      inputs.push_back(found == tensors_.end() ? Placed{} : found->second);
      reads.push_back(inputs.back().id);
    }
    if (is_dead) {
      dead_nodes_.insert(node.name);
      return;
    }
    if (!is_supported(node)) return;
    if (node.op == "Merge") return merge(node, names);
    if (node.op == "Switch") return choose_branch(node, inputs);
    const Layer layer(network_, node, inputs);
    const LayerRow& row = *row_of(node.op);
    std::vector<std::string> tensors;
    for (int64_t o = 0; o <= last_output_[node.name]; ++o) tensors.push_back(fmt::format("{}:{}", node.name, o));
    Results results;
    const auto give = [&] {
      const int64_t before = builder_.graph.node_count();
      results = row.translate(layer);
      if (results.size() < tensors.size())
        layer.refuse(fmt::format("output {} is read, it gives {}", tensors.size() - 1, results.size()));
      std::vector<ValueId> ids;
      for (size_t o = 0; o < results.size(); ++o) {
        const Shape& shape = builder_.shape(results[o].id);
        if (std::ranges::any_of(shape, [](int64_t extent) { return extent > 16 * kMostExtent; }))
          layer.refuse(fmt::format("the node gives {}, which is beyond any network", to_string(shape)));
        // An output of the graph is a value of its own, so that it can bear its name.
        const NodeId maker = builder_.graph[results[o].id].producer;
        const bool is_own = maker != NodeId::None && static_cast<int64_t>(maker) >= before;
        if (o < tensors.size() && !is_own && is_static(shape) && names_tensor(outputs_, tensors[o]))
          results[o].id = layer.reshape(results[o].id, Shape(shape));
        ids.push_back(results[o].id);
      }
      return ids;
    };
    const Origin origin{.op = node.op, .node = node.name, .tensor = tensors.front(), .where = {}};
    const std::vector<ValueId> named = builder_.layer(origin, tensors, reads, give);
    if (named.front() == ValueId::None) return;
    for (size_t o = 0; o < tensors.size(); ++o) tensors_[tensors[o]] = {named[o], results[o].form};
  }

  void add_constant(const SourceNode& node) {
    const AttributeValue* value = node.find("value");
    try {
      if (value == nullptr) fail(Code::ImportBadFile, "the constant has no value");
      Tensor content = read_tensor(value->tensor, source_.file);
      content = cast(content, computed_as(content.dtype()));
      tensors_[node.name + ":0"] = {builder_.graph.add_constant(node.name + ":0", std::move(content)),
                                    ImageForm::Source};
    } catch (const Error& error) {
      for (Diagnostic diagnostic : error.diagnostics) {
        diagnostic.where = where(node.name);
        builder_.problems.add(std::move(diagnostic));
      }
    }
  }

  /// data to output 0 where the predicate is false, to 1 where it is true; the other one is dead.
  void choose_branch(const SourceNode& node, const std::vector<Placed>& inputs) {
    if (std::ranges::any_of(inputs, [](const Placed& input) { return input.id == ValueId::None; })) return;
    const std::optional<Tensor> known = inputs.size() == 2 ? builder_.graph[inputs[1].id].constant : std::nullopt;
    if (!known || known->size() != 1) {
      builder_.problems.add(Code::ImportUnsupportedOp, where(node.name),
                            "Switch: its predicate is computed by the model, expected a constant",
                            "give the input it depends on an initial value, or freeze the graph for inference");
      return;
    }
    const int64_t taken = to_ints(cast(*known, DType::Int64))[0] != 0 ? 1 : 0;
    tensors_[fmt::format("{}:{}", node.name, taken)] = inputs[0];
    dead_.insert(fmt::format("{}:{}", node.name, 1 - taken));
    skip(node);
  }

  void merge(const SourceNode& node, const std::vector<std::string>& names) {
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = tensors_.find(names[i]);
      if (found == tensors_.end()) continue;
      tensors_[node.name + ":0"] = found->second;
      const auto index = static_cast<int32_t>(i);
      tensors_[node.name + ":1"] = {builder_.graph.add_constant(node.name + ":1", Tensor::scalar<int32_t>(index)),
                                    ImageForm::Source};
      return skip(node);
    }
    if (std::ranges::all_of(names, [&](const std::string& name) { return is_dead_tensor(parse_name(name)); }))
      dead_nodes_.insert(node.name);
  }

  bool is_dead_tensor(const TensorName& name) const {
    return dead_.contains(name.text()) || dead_nodes_.contains(name.node);
  }

  void skip(const SourceNode& node) {
    builder_.leave_out({.op = node.op, .node = node.name, .tensor = node.name + ":0", .where = {}});
  }

  void add_outputs() {
    for (const TensorName& output : outputs_) {
      const auto found = tensors_.find(output.text());
      if (found == tensors_.end() || builder_.graph.is_input(found->second.id) ||
          network_.random.contains(found->second.id) || builder_.graph.is_output(found->second.id)) {
        builder_.problems.add(Code::ImportBadCrop, where(output.node),
                              fmt::format("'{}' is an output that no node computes", output.text()));
        continue;
      }
      layout_.add_output(found->second);
    }
  }

  const SourceGraph& source_;
  const ImportOptions& options_;
  LayerBuilder builder_;
  ImageLayout layout_;
  Network network_;
  std::map<std::string, size_t> by_name_;
  std::vector<TensorName> inputs_, outputs_;
  std::vector<size_t> order_;
  std::map<std::string, Placed> tensors_;
  std::set<std::string> read_;                                   ///< tensors that needed nodes read
  std::map<std::string, int64_t> last_output_;                   ///< of a node, the last one that is read
  std::set<std::string> dead_, dead_nodes_;                      ///< tensors and nodes of branches that are not taken
  std::map<std::string, std::vector<std::string>> unsupported_;  ///< nodes by operator
  std::vector<std::string> variables_;
  bool is_nchw_ = false;
};

}  // namespace

Graph import_graph(std::shared_ptr<const MappedFile> file, const ImportOptions& options) {
  SourceGraph source = read_graph(std::move(file));
  inline_calls(source);
  return Import(source, options).run();
}

}  // namespace tensorflow

Graph import_tensorflow(const std::filesystem::path& path, const ImportOptions& options) {
  tensorflow::refuse_unfrozen(path);
  return tensorflow::import_graph(MappedFile::open(path), options);
}

bool looks_like_tensorflow(std::string_view head) {
  return tensorflow::looks_like_graph_def(head) || tensorflow::looks_like_saved_model(head) ||
         tensorflow::looks_like_hdf5(head);
}

std::vector<SourceOperator> tensorflow_operators() {
  std::vector<SourceOperator> operators;
  for (const tensorflow::LayerRow& row : tensorflow::layer_rows())
    operators.push_back({.op = row.op, .refused = row.refused});
  for (const std::string_view op : {"Const", "Merge", "Placeholder", "Switch"}) operators.push_back({.op = op});
  std::ranges::sort(operators, {}, &SourceOperator::op);
  return operators;
}

}  // namespace openrknn
