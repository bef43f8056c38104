// The text of RKNN_QUERY_PERF_DETAIL, in the columns that programs cut out of it.
#pragma once

#include <string>

#include "runtime/engine/context.h"

namespace openrknn::capi {

/// Two tables: every layer of the last profiled run, then operators by the time they took.
std::string perf_detail(const Context&);

}  // namespace openrknn::capi
