// What tests of plans and runs share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/executor/plan.h"
#include "core/graph/text.h"

namespace openrknn::test {

/// Attributes of a convolution of single pixels, as the text form has them.
inline const std::string kOneByOne = "{kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1}";

inline std::vector<float> floats(const Tensor& tensor) {
  const std::span<const float> values = tensor.values<float>();
  return {values.begin(), values.end()};
}

inline PlanSummary summary_of(const std::string& text, PlanOptions options = {}) {
  Weights weights;
  return summary(*plan(parse_graph(text), {}, options, weights));
}

}  // namespace openrknn::test
