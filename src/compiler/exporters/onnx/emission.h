// One scope of an ONNX file while it is written, and what the function that writes one of our nodes sees of it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/exporters/onnx/messages.h"
#include "core/graph/graph.h"

namespace openrknn::onnx_export {

/// What all scopes of a file share: ONNX wants names unique over all of them.
struct File {
  std::set<std::string, std::less<>> tensors, nodes;
  bool uses_own_domain = false;

  std::string tensor_name(const std::string& wanted);
  std::string node_name(const std::string& wanted);
};

struct Initializer {
  std::string name;
  Tensor content;
};

/// A graph, or the body of a node.
class Scope {
 public:
  Scope(File& shared, const Graph& written) : file(shared), graph(written) {}

  /// The tensor that readers of the value take; its constant is written when first read.
  std::string read(ValueId);
  /// The tensor the value's producer gives, before codes or float16 are made of it.
  std::string written(ValueId);
  /// Turns what written() named into what read() names.
  void store(ValueId);
  /// Readers of the value take this tensor.
  void rename(ValueId id, std::string name) { names_[id] = std::move(name); }
  /// What the value is called in the file; its own name unless told otherwise.
  void own_name(ValueId id, std::string name) { own_names_[id] = std::move(name); }
  /// A graph input of this name: readers take its codes or float16 numbers, if it is kept so.
  void take_input(ValueId, const std::string& name);

  void add_node(NodeMessage);
  std::string add_initializer(const std::string& name, Tensor);
  void declare(const std::string& name, TensorType type) { types_.emplace_back(name, std::move(type)); }

  File& file;
  const Graph& graph;
  std::string nodes;  ///< NodeProtos with their headers, as GraphProto holds them
  std::vector<Initializer> initializers;
  const std::vector<std::pair<std::string, TensorType>>& types() const { return types_; }

 private:
  std::string read_constant(ValueId);
  const std::string& own_name(ValueId) const;
  std::string dequantized(const std::string& codes, const std::string& wanted, const Value&, const Shape&);
  std::vector<std::string> parameters(const std::string& prefix, const Value&, const Shape&,
                                      std::vector<NamedAttribute>&);
  std::string through_codes(const std::string& real, const Value&, const std::string& wanted);
  std::string through_half(const std::string& real, const Value&, const std::string& wanted);

  std::map<ValueId, std::string> own_names_, names_, written_;
  std::vector<std::pair<std::string, TensorType>> types_;
};

/// The value is kept as codes or float16, which ONNX's float operators do not compute with.
bool is_coded(const Value&);
bool is_half(const Value&);
/// The type its tensor has in the file: float32 for everything that stands for real numbers.
TensorType type_in_file(const Value&);

/// One node of ours.
class Emission {
 public:
  Emission(Scope& around, NodeId id) : scope(around), node(around.graph[id]), id_(id) {}

  Scope& scope;
  const Node& node;

  size_t input_count() const { return node.inputs.size(); }
  bool has(size_t i) const { return i < node.inputs.size() && node.inputs[i] != ValueId::None; }
  const Value& value(size_t i) const { return scope.graph[node.inputs[i]]; }
  const Value& result(size_t i = 0) const { return scope.graph[node.outputs[i]]; }
  int64_t rank(size_t i = 0) const { return static_cast<int64_t>(value(i).shape.size()); }
  /// Names of tensors; "" for what is left out.
  std::string in(size_t i) const { return has(i) ? scope.read(node.inputs[i]) : ""; }
  std::vector<std::string> all_inputs() const;
  std::string out(size_t i = 0);
  std::vector<std::string> all_outputs();

  int64_t integer(std::string_view name, int64_t fallback = 0) const {
    return int_attribute(node.attributes, name, fallback);
  }
  double real(std::string_view name, double fallback) const { return float_attribute(node.attributes, name, fallback); }
  std::string text(std::string_view name, std::string_view fallback) const {
    return string_attribute(node.attributes, name, fallback);
  }
  std::vector<int64_t> integers(std::string_view name) const { return ints_attribute(node.attributes, name); }
  bool has_attribute(std::string_view name) const { return openrknn::has_attribute(node.attributes, name); }
  /// Those of the node's attributes that are there, under their own names.
  std::vector<NamedAttribute> attributes(std::initializer_list<std::string_view> names) const;

  /// A list or number the file gives as an input.
  std::string list(const std::vector<int64_t>&, std::string_view what);
  std::string number(double, DType, std::string_view what);
  /// A node whose result is an inner tensor.
  std::string emit(std::string_view op, std::vector<std::string> inputs, std::vector<NamedAttribute> = {});
  /// The node that gives this node's outputs. It has the node's name, unless another one has it already.
  void produce(std::string_view op, std::vector<std::string> inputs, std::vector<NamedAttribute> = {});
  void produce(std::string_view op, std::vector<std::string> inputs, std::vector<NamedAttribute>,
               std::vector<std::string> outputs);
  /// The node as it is, in a domain of our own.
  void produce_own();
  [[noreturn]] void unsupported(std::string problem, std::string fix = {}) const;

 private:
  void add(std::string_view op, std::string domain, std::vector<std::string> inputs, std::vector<NamedAttribute>,
           std::vector<std::string> outputs);
  NodeId id_;
  std::vector<std::string> outs_;
};

}  // namespace openrknn::onnx_export
