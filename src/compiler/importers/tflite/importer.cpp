// The flow: operators in the order of the file. Between them tensors are numbers; what the file keeps as codes has a
// pair of QuantizeLinear and DequantizeLinear with the file's parameters.
#include "compiler/importers/tflite/importer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/importers/finite.h"
#include "compiler/importers/tflite/dequantize.h"
#include "compiler/importers/tflite/layers.h"
#include "compiler/importers/tflite/model.h"

namespace openrknn {
namespace tflite {
namespace {

constexpr int32_t kDequantize = 6, kCustomCode = 32, kDensify = 124;

const LayerRow* row_of(const SourceOperator& source) {
  static const std::vector<LayerRow> kAll = layer_rows();
  const auto matches = [&](const LayerRow& row) { return row.code == source.code; };
  if (source.code == kCustomCode) {
    const std::span<const LayerRow> custom = rows_of_custom();
    const auto row = std::ranges::find(custom, source.custom, &LayerRow::name);
    return row == custom.end() ? nullptr : &*row;
  }
  const auto row = std::ranges::find_if(kAll, matches);
  return row == kAll.end() ? nullptr : &*row;
}

std::string type_of(const SourceOperator& source) {
  if (source.code == kCustomCode) return source.custom.empty() ? "CUSTOM" : source.custom;
  const LayerRow* row = row_of(source);
  return row == nullptr ? fmt::format("builtin operator {}", source.code) : std::string(row->name);
}

/// What has to be computed: operators the outputs depend on, up to the inputs.
std::vector<bool> needed_operators(const SourceModel& model, std::span<const int32_t> inputs,
                                   std::span<const int32_t> outputs) {
  std::vector<bool> wanted(model.tensors.size(), false), needed(model.operators.size(), false);
  for (const int32_t output : outputs) wanted[static_cast<size_t>(output)] = true;
  for (const int32_t input : inputs) wanted[static_cast<size_t>(input)] = false;
  for (size_t i = model.operators.size(); i-- > 0;) {
    const SourceOperator& source = model.operators[i];
    const auto is_wanted = [&](int32_t tensor) { return wanted[static_cast<size_t>(tensor)]; };
    needed[i] = std::ranges::any_of(source.outputs, is_wanted);
    if (!needed[i]) continue;
    for (const int32_t tensor : source.inputs) {
      if (tensor != kNoTensor && std::ranges::find(inputs, tensor) == inputs.end())
        wanted[static_cast<size_t>(tensor)] = true;
    }
  }
  return needed;
}

/// All operators that cannot be read, each kind once.
void check_types(const SourceModel& model, const std::vector<bool>& needed, Diagnostics& problems) {
  std::map<std::string, std::vector<std::string>> places;
  std::map<std::string, std::string_view> reasons;
  for (size_t i = 0; i < model.operators.size(); ++i) {
    const SourceOperator& source = model.operators[i];
    const LayerRow* row = row_of(source);
    if (!needed[i] || (row != nullptr && row->refused.empty())) continue;
    const std::string type = type_of(source);
    places[type].push_back(model.tensors[static_cast<size_t>(source.outputs.front())].name);
    reasons[type] = row == nullptr ? std::string_view("is not supported") : row->refused;
  }
  for (const auto& [type, names] : places) {
    problems.add(Code::ImportUnsupportedOp, Location{.file = model.file->name(), .node = names.front()},
                 fmt::format("{}: {} ({})", type, reasons[type], counted(names, "operator", 8)));
  }
}

class Import {
 public:
  Import(const SourceModel& model, const ImportOptions& options)
      : model_(model),
        options_(options),
        builder_(model.file->name()),
        layout_(builder_),
        network_{.builder = builder_, .layout = layout_, .model = model, .states = {}} {}

  Graph run() {
    choose_ports();
    const std::vector<bool> needed = needed_operators(model_, inputs_, outputs_);
    check_types(model_, needed, builder_.problems);
    builder_.finish();
    network_.states.resize(model_.tensors.size());
    for (size_t i = 0; i < model_.tensors.size(); ++i) network_.states[i].content = model_.tensors[i].content;
    add_inputs();
    builder_.finish();
    for (size_t i = 0; i < model_.operators.size(); ++i)
      if (needed[i]) translate(model_.operators[i]);
    builder_.finish();
    add_outputs();
    builder_.finish();
    Graph& graph = builder_.graph;
    if (!model_.description.empty()) graph.metadata.emplace("tflite.description", model_.description);
    graph.remove_unused();
    require_finite(graph, model_.file->name());
    return std::move(graph);
  }

 private:
  void choose_ports() {
    const auto named = [&](const std::vector<std::string>& names, const char* side, std::vector<int32_t> own) {
      if (names.empty()) return own;
      std::vector<int32_t> chosen;
      for (const std::string& name : names) {
        const auto tensor = std::ranges::find(model_.tensors, name, &SourceTensor::name);
        if (tensor == model_.tensors.end()) {
          builder_.problems.add(Code::ImportBadCrop, Location{.file = model_.file->name(), .tensor = name},
                                fmt::format("{} names '{}', which is no tensor of the model", side, name),
                                "`openrknn inspect` lists them");
          continue;
        }
        const auto index = static_cast<int32_t>(tensor - model_.tensors.begin());
        if (std::ranges::find(chosen, index) != chosen.end())
          builder_.problems.add(Code::ImportBadCrop, Location{.file = model_.file->name(), .tensor = name},
                                fmt::format("{} names '{}' twice", side, name));
        chosen.push_back(index);
      }
      return chosen;
    };
    inputs_ = named(options_.inputs, "inputs", model_.inputs);
    outputs_ = named(options_.outputs, "outputs", model_.outputs);
    if (outputs_.empty() && builder_.problems.empty()) {
      builder_.problems.add(Code::ImportBadFile, Location{.file = model_.file->name()}, "the model has no outputs");
    }
    for (const std::vector<int32_t>* side : {&inputs_, &outputs_}) {
      std::set<int32_t> seen;
      for (const int32_t index : *side) {
        const SourceTensor& tensor = model_.tensors[static_cast<size_t>(index)];
        const Location where{.file = model_.file->name(), .tensor = tensor.name};
        if (tensor.is_text)
          builder_.problems.add(Code::ImportUnsupportedAttribute, where, "holds text or handles, expected numbers");
        if (!seen.insert(index).second) builder_.problems.add(Code::ImportBadFile, where, "is listed twice");
      }
    }
    if (!options_.input_shapes.empty() && options_.input_shapes.size() != inputs_.size()) {
      builder_.problems.add(Code::ImportShapeMismatch, Location{.file = model_.file->name()},
                            fmt::format("{} input shapes are given, the model has {} inputs",
                                        options_.input_shapes.size(), inputs_.size()));
    }
    builder_.finish();
  }

  /// As the caller wants it; three numbers for an image are those of one.
  Shape input_shape(size_t i, const SourceTensor& tensor) {
    if (options_.input_shapes.empty()) return tensor.shape;
    Shape shape = options_.input_shapes[i];
    if (shape.size() == 3 && tensor.shape.size() == 4) shape.insert(shape.begin(), 1);
    // Files may leave out the shape of what is computed, which a crop can begin at.
    if (shape.size() != tensor.shape.size() && !tensor.shape.empty()) {
      builder_.problems.add(
          Code::ImportShapeMismatch, Location{.file = model_.file->name(), .tensor = tensor.name},
          fmt::format("the shape given is {}, the model's is {}", to_string(shape), to_string(tensor.shape)));
      return tensor.shape;
    }
    has_other_shapes_ |= shape != tensor.shape;
    return shape;
  }

  void add_inputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const SourceTensor& tensor = model_.tensors[static_cast<size_t>(inputs_[i])];
      TensorState& state = network_.states[static_cast<size_t>(inputs_[i])];
      state.content.reset();
      const Placed given =
          layout_.add_input(tensor.name, tensor.dtype, input_shape(i, tensor), !options_.inputs_are_nchw);
      (holds_codes(tensor) ? state.codes : state.real) = given;
    }
  }

  void translate(const SourceOperator& source) {
    const std::string type = type_of(source);
    if ((source.code == kDequantize || source.code == kDensify) && unpacks_a_constant(source, type)) return;
    const LayerRow& row = *row_of(source);
    const Layer layer(network_, source, row.name);
    std::vector<std::string> names;
    for (const int32_t output : source.outputs) names.push_back(model_.tensors[static_cast<size_t>(output)].name);
    std::vector<ValueId> reads;
    for (const int32_t input : source.inputs)
      if (input != kNoTensor && network_.states[static_cast<size_t>(input)].failed) reads.push_back(ValueId::None);
    Results results;
    const auto give = [&] {
      const int64_t before = builder_.graph.node_count();
      results = row.translate(layer);
      if (results.size() < source.outputs.size())
        layer.refuse(fmt::format("{} outputs, expected {}", source.outputs.size(), results.size()));
      results.resize(source.outputs.size());
      std::vector<ValueId> ids;
      for (size_t o = 0; o < results.size(); ++o) ids.push_back(stored(layer, source.outputs[o], results[o], before));
      return ids;
    };
    const Origin origin{.op = type, .node = names.front(), .tensor = names.front(), .where = {}};
    const std::vector<ValueId> named = builder_.layer(origin, names, reads, give);
    for (size_t o = 0; o < named.size(); ++o) {
      TensorState& state = network_.states[static_cast<size_t>(source.outputs[o])];
      state.failed = named[o] == ValueId::None;
      if (state.failed) continue;
      const bool is_code =
          holds_codes(model_.tensors[static_cast<size_t>(source.outputs[o])]) && is_output(source.outputs[o]);
      (is_code ? state.codes : state.real) = {named[o], results[o].form};
    }
  }

  /// float16 weights and sparse ones come with an operator each that makes float32 of them: the layers that read them
  /// take what is stored.
  bool unpacks_a_constant(const SourceOperator& source, const std::string& type) {
    if (source.inputs.size() != 1 || source.inputs[0] == kNoTensor || is_output(source.outputs[0])) return false;
    const TensorState& from = network_.states[static_cast<size_t>(source.inputs[0])];
    if (!from.content && from.stored_as == kNoTensor) return false;
    network_.states[static_cast<size_t>(source.outputs[0])].stored_as =
        from.stored_as == kNoTensor ? source.inputs[0] : from.stored_as;
    const std::string& name = model_.tensors[static_cast<size_t>(source.outputs[0])].name;
    builder_.leave_out({.op = type, .node = name, .tensor = name, .where = {}});
    return true;
  }

  bool is_output(int32_t tensor) const { return std::ranges::find(outputs_, tensor) != outputs_.end(); }

  /// What a layer computed, as the tensor it is: codes and back. An output of the graph stays codes, and is a value of
  /// its own so that it can bear its name.
  ValueId stored(const Layer& layer, int32_t index, Placed& result, int64_t nodes_before) {
    const SourceTensor& tensor = model_.tensors[static_cast<size_t>(index)];
    check_shape(layer, tensor, result);
    if (holds_codes(tensor)) {
      const ValueId codes = quantized(builder_, result.id, tensor, result.form);
      return is_output(index) ? codes : dequantized(builder_, codes, tensor, result.form);
    }
    const DType dtype = builder_.graph[result.id].dtype;
    const DType wanted = tensor.dtype == DType::Float16 ? DType::Float32 : tensor.dtype;
    if (dtype != wanted && !(is_integer(wanted) && tensor.quant)) {
      if (is_floating(dtype) != is_floating(wanted))
        layer.refuse(fmt::format("'{}' is {}, and {} is computed", tensor.name, name(wanted), name(dtype)));
      result.id = layer.cast_to(wanted, result.id);
    }
    const NodeId maker = builder_.graph[result.id].producer;
    const bool is_own = maker != NodeId::None && static_cast<int64_t>(maker) >= nodes_before;
    return is_output(index) && !is_own ? layer.reshape(result.id, builder_.shape(result.id)) : result.id;
  }

  void check_shape(const Layer& layer, const SourceTensor& tensor, Placed result) {
    const Shape shape = layout_.shape(result);
    if (shape.size() == 4 && std::ranges::any_of(shape, [](int64_t extent) { return extent > 16 * kMostExtent; }))
      layer.refuse(fmt::format("the layer gives {}, which is beyond any network", to_string(shape)));
    if (has_other_shapes_ || tensor.has_open_shape || !is_static(shape) || shape == tensor.shape) return;
    // Files leave out the shape of what depends on data.
    if (tensor.shape.empty() || element_count(tensor.shape) == 0) return;
    fail(Code::ImportShapeMismatch, fmt::format("'{}' is declared as {}, and {} is what the layer gives", tensor.name,
                                                to_string(tensor.shape), to_string(shape)));
  }

  void add_outputs() {
    for (const int32_t index : outputs_) {
      const SourceTensor& tensor = model_.tensors[static_cast<size_t>(index)];
      const TensorState& state = network_.states[static_cast<size_t>(index)];
      const Placed result = state.codes.id != ValueId::None ? state.codes : state.real;
      if (result.id == ValueId::None || builder_.graph.is_input(result.id)) {
        builder_.problems.add(Code::ImportBadCrop, Location{.file = model_.file->name(), .tensor = tensor.name},
                              "is an output that no operator gives");
        continue;
      }
      layout_.add_output(result);
    }
  }

  const SourceModel& model_;
  const ImportOptions& options_;
  LayerBuilder builder_;
  ImageLayout layout_;
  Network network_;
  std::vector<int32_t> inputs_, outputs_;
  bool has_other_shapes_ = false;
};

}  // namespace

Graph import_model(std::shared_ptr<const MappedFile> mapped, const ImportOptions& options) {
  const SourceModel model = read_model(std::move(mapped));
  return Import(model, options).run();
}

}  // namespace tflite

Graph import_tflite(const std::filesystem::path& path, const ImportOptions& options) {
  return tflite::import_model(MappedFile::open(path), options);
}

bool looks_like_tflite(std::string_view head) { return head.size() >= 8 && head.substr(4, 4) == "TFL3"; }

std::vector<SourceOperator> tflite_operators() {
  std::vector<SourceOperator> operators;
  const auto take = [&](std::span<const tflite::LayerRow> rows) {
    for (const tflite::LayerRow& row : rows) operators.push_back({.op = row.name, .refused = row.refused});
  };
  static const std::vector<tflite::LayerRow> kAll = tflite::layer_rows();
  take(kAll);
  take(tflite::rows_of_custom());
  for (const std::string_view name : {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"})
    operators.push_back({.op = name, .refused = {}});  // resolved before there are layers
  std::ranges::sort(operators, {}, &SourceOperator::op);
  return operators;
}

}  // namespace openrknn
