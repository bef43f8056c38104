// What an operator is: one row per op. The op set is ONNX's names and meaning in NCHW, in one canonical form:
// what later opsets pass as constant inputs (axes, shape, pads, scales, …) are attributes here.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "core/graph/graph.h"

namespace openrknn {

enum class AttributeType : uint8_t { Int, Float, String, Ints, Floats, Strings, Tensor, Graph };

struct AttributeSpec {
  std::string_view name;
  AttributeType type;
  bool required = false;
  std::string_view meaning;  ///< one phrase with the default, for docs/operators.md
};

struct Arity {
  int least = 0, most = 0;  ///< most = kMany: any number
};
inline constexpr int kMany = 1 << 20;

/// How a node may be computed on permuted (channels-last) data.
enum class LayoutRule : uint8_t {
  Any,   ///< elementwise with broadcasting: any common permutation of all operands
  Axis,  ///< any permutation, once the attributes the schema names (axis, axes, perm, per-dimension lists) are permuted
         ///< too
  ChannelsLast,  ///< kernels exist for channels-last data inputs and outputs only
  Logical,       ///< needs the logical order (Reshape, MatMul, …)
};

/// What quantization does with the op (docs/operators.md).
enum class QuantRule : uint8_t {
  Compute,  ///< int8 arithmetic with an output range of its own
  Same,     ///< output has the parameters of data input 0
  Unify,    ///< all data inputs and the output share parameters where nothing forbids it
  Natural,  ///< as Compute, range clamped into the op's natural one (Sigmoid 0..1, Tanh -1..1)
  Float,    ///< never quantized: runs in fp16 between converts
  Index,    ///< integers, bools, shapes: never quantized and never fp16
};

/// What a schema's infer function sees and sets.
class Inference {
 public:
  Inference(const Graph& graph, const Node& node);
  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  size_t input_count() const { return node_.inputs.size(); }
  bool has(size_t input) const;
  DType dtype(size_t input) const;
  bool quantized(size_t input) const;  ///< has QuantParams
  const Shape& shape(size_t input) const;
  /// The content of an input, if it is known; else null.
  const Tensor* constant(size_t input) const;
  void set(size_t output, DType, Shape);
  void set_constant(size_t output, Tensor);  ///< content proven by shapes alone (Shape, Size)
  [[noreturn]] void fail(std::string problem, std::string fix = {}) const;

  struct Output {
    DType dtype = DType::Float32;
    Shape shape;
    std::optional<Tensor> constant;
    bool set = false;
  };
  std::vector<Output> outputs;

 private:
  const Graph& graph_;
  const Node& node_;
};

struct OpSchema {
  std::string_view name = {};
  int version = 1;  ///< stored in files; an older meaning keeps an upgrade function
  std::span<const AttributeSpec> attributes = {};
  bool any_attributes = false;  ///< further ones, of any name and type, are the user's
  Arity inputs = {}, outputs = {};
  LayoutRule layout = LayoutRule::Logical;
  /// Bit i: input i is data that follows the layout (the others, weights and tables, stay logical).
  uint32_t data_inputs = 1;
  /// Attributes that name dimensions of data input 0, as "name:kind" separated by commas without spaces, e.g.
  /// "axis:one" or "sizes:per dimension,scales:per dimension". The executor permutes them whenever it runs the node on
  /// permuted data. Kinds (p(d) = place of logical dimension d in the physical order):
  ///   one                      int d becomes p(d)
  ///   list                     every entry d becomes p(d); entries are sorted again
  ///   permutation              perm: output dimension i shows input dimension perm[i]; both sides are permuted
  ///   per dimension            entry d moves to place p(d) (ints or floats, rank entries)
  ///   begin-end per dimension  two lists of rank entries, one after the other, each as "per dimension"
  std::string_view dimension_attributes = {};
  QuantRule quant = QuantRule::Float;
  void (*infer)(Inference&) = nullptr;
  /// One sentence for docs/operators.md.
  std::string_view summary = {};
};

/// All rows, sorted by name. Immutable: thread-safe.
std::span<const OpSchema> all_schemas();
const OpSchema* find_schema(std::string_view op);
/// Throws Error (GraphUnknownOp).
const OpSchema& schema_of(const Node&);

/// What the schema says about the outputs of `node`, which need not be part of the graph yet (its inputs must be).
/// Checks arity and attributes first. Throws Error (GraphUnknownOp, GraphBadAttribute, GraphInferenceFailed).
std::vector<Inference::Output> inferred_outputs(const Graph&, const Node& node);

/// Computes a node whose inputs are all known; nullopt if it cannot. Passed in, because kernels live above the graph.
using Evaluator = std::function<std::optional<std::vector<Tensor>>(const Graph&, NodeId)>;

/// Checks arity and attributes, then sets dtype, shape (and known content) of the node's outputs. With an evaluator,
/// nodes whose inputs are all known and whose outputs are small (<= 64 Ki elements) get their content too: that is
/// how shapes travel through Shape -> Gather -> Concat -> Reshape. Outputs of a quantized node keep their dtype and
/// quant. Throws Error (GraphInferenceFailed, …).
void infer(Graph&, NodeId, const Evaluator& = {});

}  // namespace openrknn
