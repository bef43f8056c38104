// Layers with constant weights (Conv, ConvTranspose, MatMul) seen through their output and input channels.
#pragma once

#include <optional>
#include <vector>

#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

struct Layer {
  NodeId node = NodeId::None;
  int64_t inputs = 0, outputs = 0;          ///< channels
  int64_t input_axis = 0, output_axis = 0;  ///< dimension of data input / output that holds them
};
enum class Weights : uint8_t {
  Free,     ///< may be replaced by others
  OrGiven,  ///< or the model gives their codes, which are to stay
};
/// The layer, if its weights and bias (if any) are Float32 constants and no activation is fused.
std::optional<Layer> as_layer(const Graph&, NodeId, Weights = Weights::Free);
/// The same with whatever activation is fused: for changes of what goes in.
std::optional<Layer> as_activated_layer(const Graph&, NodeId, Weights = Weights::Free);
/// The layer that computes `value` for one reader only: what follows may be folded into it.
std::optional<Layer> layer_before(const Graph&, ValueId value, Weights = Weights::Free);

/// A constant that varies along dimension `axis` of `shape` only and broadcasts into it: one number per index of axis.
std::optional<std::vector<double>> along_axis(const Graph&, ValueId constant, const Shape& shape, int64_t axis);

/// The bias, zeros if there is none.
std::vector<double> bias_of(const Graph&, const Layer&);
void set_bias(Graph&, const Layer&, const std::vector<double>&);
/// The weights between an input and an output channel: all kernel positions.
struct ChannelWeight {
  int64_t output = 0, input = 0;
  double largest = 0;  ///< magnitude
  double sum = 0;
};
std::vector<ChannelWeight> channel_weights(const Graph&, const Layer&);
/// Multiplies the weights of every output (input) channel; new constants, the old ones may have other readers.
void scale_outputs(Graph&, const Layer&, const std::vector<double>& scale);
void scale_inputs(Graph&, const Layer&, const std::vector<double>& scale);
/// The layer takes over the output of `next`, which is swallowed.
void swallow(Graph&, const Layer&, NodeId next);

}  // namespace openrknn::passes
