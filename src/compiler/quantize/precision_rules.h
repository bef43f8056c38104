// What quantization knows about operators beyond their QuantRule: roles of inputs, and reasons not to quantize a node.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "core/graph/graph.h"

namespace openrknn {

/// What an input of a node is to quantization.
enum class InputRole : uint8_t {
  Data,       ///< a tensor of real numbers with parameters of its own
  Weights,    ///< constant weights of Conv, ConvTranspose, MatMul: parameters per output channel
  Bias,       ///< at scale sx·sw, Int32
  Parameter,  ///< constants the op reads as floats in every build (scale, slope, …)
  Other,      ///< indices, conditions, tables, shapes
};
/// Role of input `index` of a node of the golden graph.
InputRole role_of(const Graph& golden, NodeId, size_t index);
/// The axis of output channels of the Weights input.
int weight_axis(const Graph& golden, NodeId);

/// The value is a constant that no node gives: not one that inference has proven.
bool is_plain_constant(const Graph& golden, ValueId);
/// True for values that stand for real numbers: what quantization is about.
bool is_real(const Graph& golden, ValueId);
/// The node gives at least one real value.
bool gives_reals(const Graph& golden, NodeId);

/// What a node without real results is said to compute in: the type of its first result. Int32 stands for plain
/// integers of 8 and 16 bits (QuantizeLinear as an operator), which are no codes that the graph has parameters for.
DType type_of_integers(const Graph& golden, NodeId);

/// Why the node cannot be computed on codes (Int8, Int16), as a sentence; nullopt if it can.
std::optional<std::string> integer_refusal(const Graph& golden, NodeId, DType codes);
/// Elementwise arithmetic and reductions: cheap enough that int8 gains nothing between two float16 nodes.
bool is_light(const Node&);
/// QuantRule Same or Unify: the op only moves or chooses numbers, so it runs in whatever its neighbours use.
bool is_flexible(const Node&);

/// The range the node's output cannot leave, by its op or its fused activation.
std::optional<std::pair<double, double>> natural_range(const Node&);

}  // namespace openrknn
