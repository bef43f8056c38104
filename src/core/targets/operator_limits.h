// What an NPU asks of an operator's attributes and shapes, checked on a node: the conditions of operator_placement's
// letters 'c', as code. Each check adds what is exceeded, with numbers, and what could be done about it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/graph/graph.h"
#include "core/targets/family.h"

namespace openrknn {

/// Of a dimension, where an operator has no other limit.
inline constexpr int64_t kLargestExtent = 8192;

struct ExceededLimit {
  std::string limit;          ///< "kernel height"
  std::string got, expected;  ///< "33", "1 to 31"
  std::string cure;           ///< what to change; empty: nothing simple
};
/// "kernel height is 33, up to 31"
std::string to_string(const ExceededLimit&);

/// A node on a SoC, as the checks see it, and what they say of it.
struct LimitQuery {
  const Graph& graph;
  const Node& node;
  Family family;
  DType dtype;  ///< Int8 (an integer build, 16 bits too) or Float16

  std::vector<ExceededLimit> exceeded = {};
  std::string form = {};  ///< the NPU computes it as something else: "as a chain of pools"

  const Value& input(size_t i) const { return graph[node.inputs[i]]; }
  const Value& output(size_t i = 0) const { return graph[node.outputs[i]]; }
  bool has_input(size_t i) const { return i < node.inputs.size() && node.inputs[i] != ValueId::None; }
  void exceed(std::string limit, std::string got, std::string expected, std::string cure = {}) {
    exceeded.push_back({std::move(limit), std::move(got), std::move(expected), std::move(cure)});
  }
  /// Exceeds `limit` unless low <= value <= high.
  void require_range(std::string_view limit, int64_t value, int64_t low, int64_t high, std::string_view cure = {});
};

using LimitCheck = void (*)(LimitQuery&);

// window_limits.cpp
void check_conv(LimitQuery&);
void check_conv_transpose(LimitQuery&);
void check_max_pool(LimitQuery&);
void check_average_pool(LimitQuery&);
void check_global_pool(LimitQuery&);
void check_resize(LimitQuery&);
// elementwise_limits.cpp
void check_broadcast(LimitQuery&);
void check_sub(LimitQuery&);
void check_expand(LimitQuery&);
void check_pow(LimitQuery&);
void check_elu(LimitQuery&);
void check_hard_sigmoid(LimitQuery&);
void check_prelu(LimitQuery&);
void check_rewritten(LimitQuery&);  ///< always within limits, as another operator: the row's condition says which
// axis_limits.cpp
void check_softmax(LimitQuery&);
void check_spatial_reduction(LimitQuery&);
void check_layer_normalization(LimitQuery&);
void check_mat_mul(LimitQuery&);
void check_attention(LimitQuery&);
void check_recurrent(LimitQuery&);
void check_slice(LimitQuery&);
void check_pad(LimitQuery&);
void check_gather(LimitQuery&);
// transpose_limits.cpp
void check_transpose(LimitQuery&);

/// Four extents, ones in front: how tensors of fewer dimensions stand on the NPU. Ranks above 4 lose extents of 1; what
/// is left above 4 stays.
Shape four_dimensions(const Shape&);

}  // namespace openrknn
