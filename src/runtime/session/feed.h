// What the caller gives, checked against what the model wants.
#pragma once

#include <vector>

#include "openrknn/session_options.hpp"
#include "openrknn/session_types.hpp"
#include "rknn_api.h"
#include "runtime/session/block.h"

namespace openrknn::session {

/// How one input is presented to the caller and handed to the runtime.
struct InputSpec {
  NodeArg arg;
  rknn_tensor_attr attr{};
  rknn_tensor_format fmt = RKNN_TENSOR_UNDEFINED;   ///< of the array handed to the runtime
  bool transpose_here = false;                      ///< NCHW from the caller, NHWC to the runtime
  std::vector<std::vector<uint32_t>> dynamic_dims;  ///< per shape set, in the runtime's order; empty: a static model
};

InputSpec input_spec(const rknn_tensor_attr&, InputLayout);
NodeArg output_arg(const rknn_tensor_attr&);
/// Adds the sets of RKNN_QUERY_INPUT_DYNAMIC_RANGE.
void add_shape_sets(InputSpec&, const rknn_input_range&);

/// A feed as rknn_inputs_set takes it. Reused from call to call: it allocates only while it grows.
struct PreparedFeed {
  std::vector<rknn_input> inputs;  ///< pointers into the caller's arrays or into `copies`
  BlockPointer copies;
  size_t shape_set = 0;
};

/// Checks the feed (SessionError with the documented texts: counts, names, ranks, shapes) and fills `prepared`.
/// `keep`: everything is copied, because the caller's arrays do not last; else only what is not as the runtime takes
/// it.
void prepare(const std::vector<InputSpec>&, const Feed&, bool keep, BlockPool&, PreparedFeed& prepared);

/// The arrays of the feed in the order of the model's inputs.
void order_arrays(const std::vector<InputSpec>&, const Feed&, std::vector<const ArrayView*>& arrays);

std::string shape_text(std::span<const int64_t>);

}  // namespace openrknn::session
