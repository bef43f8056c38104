// What the caller gives, checked against what the model wants, as rknn_input.
#pragma once

#include <cstddef>
#include <vector>

#include "openrknn/session.hpp"
#include "rknn_api.h"

namespace openrknn::session {

/// How one input is presented to the caller and handed to the runtime.
struct InputSpec {
  NodeArg arg;
  rknn_tensor_attr attr{};
  rknn_tensor_format fmt = RKNN_TENSOR_UNDEFINED;  ///< of the array handed to the runtime
  bool transpose_here = false;                     ///< NCHW from the caller, NHWC to the runtime
};

InputSpec input_spec(const rknn_tensor_attr&, InputLayout);
NodeArg output_arg(const rknn_tensor_attr&);

/// Inputs for rknn_inputs_set; `copies` owns what had to be transposed. Pointers are into the feed or the copies.
struct PreparedFeed {
  std::vector<rknn_input> inputs;
  std::vector<std::vector<std::byte>> copies;
};

/// Throws SessionError with the documented texts: counts, names, ranks, shapes.
PreparedFeed prepare(const std::vector<InputSpec>&, const Feed&);

}  // namespace openrknn::session
