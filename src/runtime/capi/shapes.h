// The sets of input shapes of a model, for queries.
#pragma once

#include "runtime/capi/state.h"

namespace openrknn::capi {

/// RKNN_QUERY_INPUT_DYNAMIC_RANGE; range.index says of which input. Throws ApiError (-6) for models with one set.
void query_dynamic_range(const Context&, rknn_input_range& range);

}  // namespace openrknn::capi
