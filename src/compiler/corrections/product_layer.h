// A layer with constant weights as what corrections compute with: each output channel is a row of weights, each output
// position a column of inputs, and a result is their product.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn::corrections {

struct ProductLayer {
  NodeId node = NodeId::None;
  ValueId input = ValueId::None;
  int64_t groups = 1;    ///< each has inputs and channels of its own
  int64_t channels = 0;  ///< results of a group
  int64_t depth = 0;     ///< inputs of a result: input channels of a group times taps
  int64_t taps = 1;
  // The input is [batch][groups * depth / taps][area].
  int64_t batch = 1, area = 1, places = 1;  ///< places: output positions of one item
  std::vector<int32_t> offsets;             ///< [places][taps]: where in the area, -1: in the padding
  // Flat index of a weight, see weight().
  int64_t group_step = 0, channel_step = 0, input_step = 0;

  int64_t positions() const { return batch * places; }
  int64_t results() const { return groups * channels; }
  int64_t weight(int64_t group, int64_t channel, int64_t k) const {
    return group * group_step + channel * channel_step + k / taps * input_step + k % taps;
  }
  /// Both see the same columns.
  bool sees_as(const ProductLayer& other) const {
    return input == other.input && groups == other.groups && depth == other.depth && taps == other.taps &&
           batch == other.batch && area == other.area && offsets == other.offsets;
  }
};

/// Conv, ConvTranspose and MatMul with constant weights (one matrix) and a computed input; else nullopt.
std::optional<ProductLayer> product_layer(const Graph& golden, NodeId);

/// Inputs of one group at some positions: row k has input k at each of them.
void gather_columns(const ProductLayer&, std::span<const float> input, int64_t group,
                    std::span<const int64_t> positions, float* rows);
/// Σ over all positions of every input of every group: [groups][depth].
std::vector<double> input_sums(const ProductLayer&, std::span<const float> input);

}  // namespace openrknn::corrections
