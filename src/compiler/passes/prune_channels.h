// model_pruning: channels that are always zero, and channels nothing looks at, leave the network.
#pragma once

#include <string>

#include "compiler/passes/pass.h"

namespace openrknn {

struct PruningResult {
  int64_t channels = 0;                       ///< removed
  int64_t weights = 0, products = 0;          ///< numbers saved
  int64_t all_weights = 0, all_products = 0;  ///< before
};

/// Every real number the graph computes stays the same: what goes is weights that are zero, or whose results meet
/// zeros only. Channels of inputs, outputs and of values that other operators than layers and channel-wise ones touch
/// stay; so does one channel of every value.
PruningResult prune_channels(Graph&, const PassContext&);

/// The toolkit's three lines; empty if nothing went.
std::string pruning_text(const PruningResult&);

}  // namespace openrknn
