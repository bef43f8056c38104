// What the NPU takes, as documented: convolutions over two dimensions, one group, channels that are multiples of 32.
#include "core/targets/sparsity.h"

#include <fmt/format.h>

#include <functional>

namespace openrknn {
namespace {

constexpr int64_t kGroup = 4, kMostOfGroup = 2, kChannels = 32;

/// Whether element i of the weights stands for zero.
std::function<bool(int64_t)> zero_test(const Value& value) {
  const Tensor& weights = *value.constant;
  if (weights.dtype() == DType::Float32)
    return [numbers = weights.values<float>()](int64_t i) { return numbers[static_cast<size_t>(i)] == 0; };
  const Tensor codes = cast(weights, DType::Float32);
  if (!value.quant) return [codes](int64_t i) { return codes.values<float>()[static_cast<size_t>(i)] == 0; };
  const std::vector<int32_t> zeros = value.quant->zero_point;
  const int64_t per_output = weights.size() / std::max<int64_t>(1, weights.shape()[0]);
  return [codes, zeros, per_output](int64_t i) {
    const auto channel = static_cast<size_t>(zeros.size() == 1 ? 0 : i / per_output);
    return codes.values<float>()[static_cast<size_t>(i)] == static_cast<float>(zeros[channel]);
  };
}

}  // namespace

std::string why_dense(const Graph& graph, const Node& node) {
  if (node.op != "Conv") return fmt::format("{} is no Conv", node.op);
  const Value& value = graph[node.inputs[1]];
  if (!value.constant) return "its weights are computed";
  const Shape& w = value.shape;
  if (w.size() != 4) return fmt::format("it has {} spatial dimensions, expected 2", static_cast<int64_t>(w.size()) - 2);
  if (const int64_t group = int_attribute(node.attributes, "group", 1); group != 1)
    return fmt::format("it has {} groups, expected 1", group);
  if (w[1] % kChannels != 0) return fmt::format("{} input channels are no multiple of {}", w[1], kChannels);
  if (w[0] % kChannels != 0) return fmt::format("{} output channels are no multiple of {}", w[0], kChannels);
  if (value.quant && value.quant->group != 0) return "its weights have a scale a group of channels";
  const std::function<bool(int64_t)> is_zero = zero_test(value);
  const int64_t kernel = w[2] * w[3];
  for (int64_t o = 0; o < w[0]; ++o) {
    for (int64_t group = 0; group < w[1] / kGroup; ++group) {
      for (int64_t k = 0; k < kernel; ++k) {
        int64_t used = 0;
        for (int64_t i = 0; i < kGroup; ++i) used += is_zero((o * w[1] + group * kGroup + i) * kernel + k) ? 0 : 1;
        if (used > kMostOfGroup) {
          return fmt::format(
              "input channels {} to {} of output {} hold {} weights that are not zero, at most {} of {} may",
              group * kGroup, group * kGroup + kGroup - 1, o, used, kMostOfGroup, kGroup);
        }
      }
    }
  }
  return {};
}

}  // namespace openrknn
