// A graph in an attribute (a branch, the body of a loop) becomes a Graph of its own.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/builder.h"

namespace openrknn::onnx {
namespace {

/// Builder::graph is the body's while this lives.
class BodyGraph {
 public:
  BodyGraph(Builder& builder, Scope& around) : builder_(builder), capture_{around, {}, {}} {
    std::swap(builder_.graph, capture_.graph);
  }
  ~BodyGraph() { finish(); }
  BodyGraph(const BodyGraph&) = delete;
  BodyGraph& operator=(const BodyGraph&) = delete;

  Capture& capture() { return capture_; }
  void finish() {
    if (finished_) return;
    finished_ = true;
    std::swap(builder_.graph, capture_.graph);
  }

 private:
  Builder& builder_;
  Capture capture_;
  bool finished_ = false;
};

}  // namespace

std::optional<ImportedBody> import_body(Builder& builder, Scope& scope, const NodeProto& node, const GraphProto& body,
                                        std::span<const std::pair<DType, Shape>> inputs) {
  check_depth(builder, scope, node);
  if (body.inputs.size() != inputs.size()) {
    fail(Code::ImportBadFile, builder.where(scope, node),
         fmt::format("{}: the body '{}' has {} inputs, the node gives it {}", node.op, body.name, body.inputs.size(),
                     inputs.size()),
         "export the model again");
  }
  BodyGraph own(builder, scope);
  Graph& graph = builder.graph;
  Scope inner;
  inner.capture = &own.capture();
  inner.prefix = scope.prefix;
  inner.opsets = scope.opsets;
  inner.arguments = scope.arguments;
  inner.depth = scope.depth + 1;
  for (const TensorProto& tensor : body.initializers) inner.initializers.emplace(tensor.name, &tensor);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!body.inputs[i].other_kind.empty()) {
      fail(Code::ImportUnsupportedType, builder.where(scope, node),
           fmt::format("{}: input '{}' of the body is a {}, expected a tensor", node.op, body.inputs[i].name,
                       body.inputs[i].other_kind));
    }
    const ValueId id = graph.add(
        {.name = scope.prefix + std::string(body.inputs[i].name), .dtype = inputs[i].first, .shape = inputs[i].second});
    graph.inputs.push_back(id);
    inner.values[body.inputs[i].name] = id;
  }

  std::vector<Bytes> wanted;
  for (const ValueInfo& output : body.outputs) wanted.push_back(output.name);
  const size_t problems_before = builder.problems.list().size();
  const auto is_given = [&](Bytes name) { return Builder::is_given(inner, name); };
  const Selection selection = select_nodes(body.nodes, wanted, is_given, builder.file(), builder.problems);
  inner.read = selection.reached;
  if (builder.problems.list().size() > problems_before) return std::nullopt;
  builder.translate(selection.nodes, inner);
  for (const Bytes name : wanted) {
    const ValueId id = builder.lookup(inner, name);
    if (id == ValueId::None) return std::nullopt;  // behind a node that is noted already
    graph.outputs.push_back(id);
  }
  graph.remove_unused();
  own.finish();
  return ImportedBody{std::move(own.capture().graph), std::move(own.capture().values)};
}

}  // namespace openrknn::onnx
