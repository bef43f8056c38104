// A batch is a loop of the engine over cores, not a dimension of the graph.
#pragma once

#include <cstdint>
#include <functional>

namespace openrknn {

/// Calls body(item, lane) for every item, in order of the items, each on the first of `lanes` threads that is free (the
/// caller is one). After a failure no further item is begun; the exception of the lowest failing item is rethrown.
/// Returns the lane of the last item.
int for_each_item(int64_t items, int lanes, const std::function<void(int64_t item, int lane)>& body);

}  // namespace openrknn
