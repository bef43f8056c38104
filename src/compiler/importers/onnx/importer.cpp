// The flow: file -> messages -> inputs and outputs -> nodes -> checks.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "compiler/importers/finite.h"
#include "compiler/importers/importer.h"
#include "compiler/importers/onnx/builder.h"
#include "compiler/importers/onnx/inputs.h"
#include "compiler/importers/onnx/operators.h"

namespace openrknn {
namespace onnx {
namespace {

constexpr int64_t kNewestIrVersion = 14;  // of onnx 1.23

Location in_file(const std::string& file, Bytes tensor = {}) {
  Location where;
  where.file = file;
  where.tensor = std::string(tensor);
  return where;
}

void check_versions(const ModelProto& model, const std::string& file) {
  if (model.ir_version > kNewestIrVersion) {
    fail(Code::ImportUnsupportedVersion, in_file(file),
         fmt::format("the file has ONNX IR version {}, this importer knows versions up to {}", model.ir_version,
                     kNewestIrVersion),
         "export it with an older onnx package, or update OpenRKNN");
  }
  const int64_t opset = opset_of(model.opsets, {});
  const bool standard_nodes = std::any_of(model.graph.nodes.begin(), model.graph.nodes.end(),
                                          [](const NodeProto& node) { return node.domain.empty(); });
  if ((opset != 0 || standard_nodes) && (opset < kOldestOpset || opset > kNewestOpset)) {
    fail(Code::ImportUnsupportedVersion, in_file(file),
         opset == 0 ? std::string("the file does not say its opset")
                    : fmt::format("the file has opset {}, expected {} to {}", opset, kOldestOpset, kNewestOpset),
         opset > kNewestOpset
             ? "export it with an older opset, for example 17, or update OpenRKNN"
             : "export it with a newer opset, for example 17, or convert it with onnx.version_converter");
  }
}

/// Which tensors go in and out, and the nodes between them.
struct Cut {
  std::vector<Bytes> inputs, outputs;
  Selection selection;
};

Cut cut(const GraphProto& graph, const ImportOptions& options, const std::string& file, Diagnostics& problems) {
  Cut result;
  const std::vector<Bytes> names = tensor_names(graph);
  const NameSet known(names.begin(), names.end());
  NameSet initializers;
  for (const TensorProto& tensor : graph.initializers) initializers.insert(tensor.name);
  for (const Bytes name : graph.sparse_initializers) {
    problems.add(Code::ImportUnsupportedType, in_file(file, name),
                 fmt::format("'{}' is a sparse tensor, which is not supported", name), "store it densely");
  }
  const auto take = [&](const std::vector<std::string>& wanted, std::string_view what, std::vector<Bytes>& out) {
    for (const std::string& name : wanted) {
      const auto found = known.find(name);
      if (found == known.end()) {
        problems.add(
            Code::ImportBadCrop, in_file(file, name),
            fmt::format("{} names '{}', which is no tensor of the model{}", what, name, near_matches(name, names)),
            "give names of tensors, as the nodes' inputs and outputs have them");
      } else if (std::find(out.begin(), out.end(), *found) != out.end()) {
        problems.add(Code::ImportBadCrop, in_file(file, name), fmt::format("{} names '{}' twice", what, name));
      } else {
        out.push_back(*found);
      }
    }
  };
  take(options.inputs, "inputs", result.inputs);
  take(options.outputs, "outputs", result.outputs);
  if (options.outputs.empty()) {
    for (const ValueInfo& output : graph.outputs) {
      if (std::find(result.outputs.begin(), result.outputs.end(), output.name) != result.outputs.end()) {
        problems.add(Code::ImportDuplicateTensor, in_file(file, output.name),
                     fmt::format("output '{}' is listed twice", output.name));
      } else {
        result.outputs.push_back(output.name);
      }
    }
    if (graph.outputs.empty()) {
      problems.add(Code::ImportBadFile, in_file(file), "the graph has no outputs", "name them: outputs=['…']");
    }
  }
  NameSet model_inputs;
  for (const ValueInfo& input : graph.inputs) {
    // An initializer with an input's name is its default value: a constant, unless the caller asks for the input.
    if (initializers.contains(input.name)) continue;
    model_inputs.insert(input.name);
    if (options.inputs.empty()) result.inputs.push_back(input.name);
  }
  problems.throw_if_any();

  const NameSet chosen(result.inputs.begin(), result.inputs.end());
  const auto is_given = [&](Bytes name) {
    return chosen.contains(name) || initializers.contains(name) || model_inputs.contains(name);
  };
  result.selection = select_nodes(graph.nodes, result.outputs, is_given, file, problems);
  const NameSet& reached = result.selection.reached;
  for (const ValueInfo& input : graph.inputs) {
    if (model_inputs.contains(input.name) && !chosen.contains(input.name) && reached.contains(input.name)) {
      problems.add(Code::ImportBadCrop, in_file(file, input.name),
                   fmt::format("the outputs also need the model's input '{}', which inputs leaves out", input.name),
                   fmt::format("add '{}' to inputs", input.name));
    }
  }
  for (const Bytes name : options.inputs.empty() ? std::vector<Bytes>{} : result.inputs) {
    if (!reached.contains(name) && !model_inputs.contains(name)) {
      problems.add(Code::ImportBadCrop, in_file(file, name),
                   fmt::format("no output depends on '{}', named in inputs", name),
                   "leave it out, or name outputs behind it");
    }
  }
  return result;
}

void keep_metadata(const ModelProto& model, Graph& graph) {
  for (const auto& [key, value] : model.metadata) graph.metadata.emplace(key, value);
  const auto keep = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) graph.metadata.emplace(fmt::format("onnx.{}", key), value);
  };
  keep("producer_name", model.producer_name);
  keep("producer_version", model.producer_version);
  keep("domain", model.domain);
  keep("doc_string", model.doc);
  keep("graph_name", model.graph.name);
  keep("graph_doc_string", model.graph.doc);
  keep("ir_version", std::to_string(model.ir_version));
  keep("model_version", std::to_string(model.model_version));
  for (const OpsetId& opset : model.opsets) {
    keep(opset.domain.empty() ? "opset" : fmt::format("opset.{}", opset.domain), std::to_string(opset.version));
  }
}

Graph import_graph(const ModelProto& model, TensorFiles& files, const std::string& file, const ImportOptions& options);

/// Dtype and shape of tensors inside the model: the part before them is imported with the model's own inputs.
InferTensor inference_of(const ModelProto& model, TensorFiles& files, const std::string& file,
                         const ImportOptions& options) {
  return [&](Bytes name) -> std::optional<std::pair<DType, Shape>> {
    if (options.inputs.empty()) return std::nullopt;
    ImportOptions before;
    before.outputs = {std::string(name)};
    before.dimensions = options.dimensions;
    try {
      const Graph graph = import_graph(model, files, file, before);
      return std::pair(graph[graph.outputs[0]].dtype, graph[graph.outputs[0]].shape);
    } catch (const Error&) {
      return std::nullopt;  // then the caller has to say it
    }
  };
}

Graph import_graph(const ModelProto& model, TensorFiles& files, const std::string& file, const ImportOptions& options) {
  Builder builder(model, files, options, file);
  Diagnostics& problems = builder.problems;
  Graph& graph = builder.graph;
  const Cut chosen = cut(model.graph, options, file, problems);

  // Inputs that a cropped model no longer needs go; without cropping every input stays.
  const bool keep_all = !options.inputs.empty() || options.outputs.empty();
  const auto is_needed = [&](Bytes name) { return keep_all || chosen.selection.reached.contains(name); };
  const std::vector<InputPlan> plans = plan_inputs(model.graph, chosen.inputs, is_needed, options,
                                                   inference_of(model, files, file, options), file, problems);

  Scope scope;
  scope.opsets = model.opsets;
  scope.read = chosen.selection.reached;
  for (const TensorProto& tensor : model.graph.initializers) scope.initializers.emplace(tensor.name, &tensor);
  for (const Bytes name : chosen.inputs) scope.initializers.erase(name);
  for (const InputPlan& plan : plans) {
    Value value;
    value.name = plan.name;
    value.dtype = plan.dtype;
    value.shape = plan.shape;
    value.constant = plan.frozen;
    builder.custom.learn(plan.name, plan.shape);
    const ValueId id = graph.add(std::move(value));
    if (!plan.frozen) graph.inputs.push_back(id);
    scope.values.emplace(*std::find(chosen.inputs.begin(), chosen.inputs.end(), plan.name), id);
  }
  for (const Bytes name : chosen.inputs) {
    if (!scope.values.contains(name)) scope.poisoned.insert(name);  // its problem is noted already
  }
  const auto finish = [&] {
    builder.finish();  // throws if anything is wrong
  };
  if (!problems.empty()) {
    // Shapes are missing: nothing can be inferred, but operators without a translation are worth knowing now.
    builder.note_unsupported(chosen.selection.nodes, scope);
    finish();
  }

  // Outputs exist before their nodes, so that they keep their names and their order.
  for (const Bytes name : chosen.outputs) {
    if (scope.values.contains(name) || scope.initializers.contains(name)) {
      graph.outputs.push_back(builder.lookup(scope, name));
      continue;
    }
    Value value;
    value.name = std::string(name);
    const ValueId id = graph.add(std::move(value));
    scope.targets.emplace(name, id);
    graph.outputs.push_back(id);
  }
  builder.translate(chosen.selection.nodes, scope);
  finish();

  graph.remove_unused();  // shape arithmetic that has become attributes
  require_finite(graph, file);
  keep_metadata(model, graph);
  return std::move(graph);
}

}  // namespace
}  // namespace onnx

/// A ModelProto begins with field 1 (IR version, a small number) and goes on with one of its first fields.
bool looks_like_onnx(std::string_view head) {
  constexpr std::string_view kNextFields("\x12\x1a\x22\x28\x32\x3a\x42");
  return head.size() >= 3 && head[0] == 0x08 && head[1] > 0 && head[1] < 32 &&
         kNextFields.find(head[2]) != std::string_view::npos;
}

Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const onnx::ModelProto model = onnx::parse_model(*file);
  onnx::check_versions(model, file->name());
  Diagnostics problems;
  onnx::check_single_assignment(model.graph, file->name(), problems);
  problems.throw_if_any();
  onnx::TensorFiles files(file, path);
  return onnx::import_graph(model, files, file->name(), options);
}

}  // namespace openrknn
