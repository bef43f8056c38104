// Who can take a factor per channel of a value into constants of its own.
#pragma once

#include <optional>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn::corrections {

/// Scaling a channel of the input scales that channel of the output alike (Relu, PRelu, pools, …; no activation fused).
bool keeps_channel_scales(const Graph&, const Node&);
/// The node, before such functions at most, whose constants decide about the size of the channels along `axis` of
/// `value`: a layer, a normalisation, a product with a constant. Nobody else reads anything in between; who reads
/// `value` itself is the caller's business.
NodeId channel_source(const Graph&, ValueId value, int64_t axis);
/// Its constants multiplied, so that channel i of what it gives is multiplied by scale[i] > 0.
void scale_channels(Graph&, NodeId source, int64_t axis, const std::vector<double>& scale);

}  // namespace openrknn::corrections
