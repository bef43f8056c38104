// Structured sparsity: convolutions whose weights have two zeros in every four input channels, which some NPUs skip.
#pragma once

#include <string>

#include "core/graph/graph.h"

namespace openrknn {

/// Why a Conv's weights are not computed as sparse ones, as a sentence's end ("31 input channels are no multiple of
/// 32"); empty: they are, 4:2 along the input channels. Weights are floats, or codes with their zero point.
std::string why_dense(const Graph&, const Node&);

}  // namespace openrknn
