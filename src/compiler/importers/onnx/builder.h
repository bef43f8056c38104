// The graph while it is being imported: scopes of names, and nodes translated one after another.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/importers/onnx/crop.h"
#include "compiler/importers/onnx/custom.h"
#include "compiler/importers/onnx/tensor.h"
#include "compiler/importers/onnx/wire.h"
#include "core/graph/graph.h"

namespace openrknn::onnx {

using Arguments = std::unordered_map<Bytes, const AttributeProto*>;

struct Scope;

/// The graph around a body of control flow, while Builder::graph is the body's own. What the body reads from around it
/// becomes a further input, constants become its own.
struct Capture {
  Scope& around;
  Graph graph;
  std::vector<ValueId> values;  ///< of `graph`, in the order of the inputs they became
};

/// Names of one graph or function body while it is translated.
struct Scope {
  Scope* outer = nullptr;      ///< where captured names are looked up; a function body has none
  Capture* capture = nullptr;  ///< set in the outermost scope of a body that is a graph of its own
  std::string prefix;          ///< goes before names of nodes and tensors: "block1/" inside a function call
  std::span<const OpsetId> opsets;
  const Arguments* arguments = nullptr;  ///< attributes of the function call around it
  int depth = 0;                         ///< how many function calls and branches are around it

  std::unordered_map<Bytes, ValueId> values;                   ///< what is known so far
  std::unordered_map<Bytes, const TensorProto*> initializers;  ///< become constants when first read
  std::unordered_map<Bytes, ValueId> targets;                  ///< outputs whose Value exists before their node
  NameSet poisoned;                                            ///< behind a node that could not be translated
  NameSet read;                                                ///< tensors somebody needs
};

/// The scope in which names unknown to this one are looked up; null if there is none.
Scope* scope_around(const Scope&);
/// The version of an operator domain; 0 if it is not imported.
int64_t opset_of(std::span<const OpsetId>, Bytes domain);

class Builder {
 public:
  /// All arguments must outlive the builder.
  Builder(const ModelProto&, TensorFiles&, const ImportOptions&, std::string file);

  Graph graph;
  Diagnostics problems;
  CustomOperators custom;

  /// Translates `nodes` in order. Problems are collected; what depends on a failed node is skipped.
  void translate(std::span<const NodeProto* const> nodes, Scope&);
  /// Notes the nodes among these that have no translation, without translating any.
  void note_unsupported(std::span<const NodeProto* const> nodes, const Scope&);
  /// Reports the collected unsupported nodes, one diagnostic per operator, and throws if there is any problem.
  void finish();

  /// The tensor of that name, which must exist: None if it lies behind a failed node. Initializers are read now.
  ValueId lookup(Scope&, Bytes name);
  /// Some scope, from this one outwards, knows the name.
  static bool is_given(const Scope&, Bytes name);
  bool is_poisoned(const Scope&, Bytes name) const;
  /// The Value a node's output is to become: the one that waits for it, or a new one.
  ValueId target(Scope&, Bytes name);
  /// A new value with a name no tensor of the file has.
  ValueId add_intermediate(std::string wanted);
  ValueId add_constant(std::string wanted, Tensor);

  /// Adds a node and infers its outputs, known contents included.
  NodeId add_node(std::string_view op, std::string name, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                  Attributes, int32_t origin);
  /// `name` is the same numbers as `value`.
  void forward(Scope&, Bytes name, ValueId value, const std::string& node_name, int32_t origin);

  Location where(const Scope&, const NodeProto&) const;
  std::string node_name(const Scope&, const NodeProto&) const;
  const FunctionProto* find_function(const NodeProto&) const;
  const std::string& file() const { return file_; }
  Tensor read_tensor(const TensorProto& proto, std::string_view name) { return files_.read(proto, name); }

 private:
  struct Refused {
    int64_t count = 0;
    std::string examples;
    Location first;
    std::string crop_names;
  };
  void translate_node(const NodeProto&, Scope&);
  ValueId capture(Scope&, Bytes name);
  bool is_supported(const NodeProto&, const Scope&) const;
  void refuse(const NodeProto&, const Scope&, const std::string& reason);
  void place(int32_t origin, int64_t first_new_node, const NodeProto&, Scope&);
  void collect(const Error&, const NodeProto&, const Scope&);

  const ModelProto& model_;
  TensorFiles& files_;
  std::string file_;
  std::unordered_set<std::string> reserved_;  // tensor names of the file
  std::unordered_map<const NodeProto*, std::string> generated_names_;
  std::unordered_map<std::string, int64_t> suffixes_;
  std::map<std::pair<std::string, std::string>, Refused> refused_;  // by operator and reason
  int64_t translated_ = 0;
};

/// functions.cpp: replaces a call by the body of a function of the model, and an If by one of its branches.
void inline_function(Builder&, Scope&, const NodeProto& call, const FunctionProto&, int32_t origin);
void inline_branch(Builder&, Scope&, const NodeProto& node, const GraphProto& branch, int32_t origin);
/// The graph of an attribute applied to `inputs`; its results. Its nodes are called after the node and `part`.
std::vector<ValueId> inline_graph(Builder&, Scope&, const NodeProto& node, const GraphProto&,
                                  std::span<const ValueId> inputs, const std::string& part);

/// body.cpp: a graph in an attribute as a Graph of its own.
struct ImportedBody {
  Graph graph;                    ///< inputs: the given ones, then one per capture
  std::vector<ValueId> captures;  ///< values of Builder::graph
};
/// `inputs` are types and shapes of the body's own inputs. Nullopt if something in it cannot be translated (noted).
std::optional<ImportedBody> import_body(Builder&, Scope&, const NodeProto& node, const GraphProto& body,
                                        std::span<const std::pair<DType, Shape>> inputs);
/// Throws Error (ImportBadFile) if functions, branches and bodies are nested too deeply.
void check_depth(const Builder&, const Scope&, const NodeProto&);

}  // namespace openrknn::onnx
