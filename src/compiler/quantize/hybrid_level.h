// quantized_hybrid_level: how much of an int8 build stays out of int8, in steps that each cost a little more time.
#pragma once

#include <map>
#include <string>

#include "core/graph/graph.h"

namespace openrknn {

inline constexpr int kHighestHybridLevel = 3;

/// The nodes of a golden graph that do not compute in int8 at this level, each with the reason as a sentence. A level
/// has all that those below it have; 0 has none. Operators that only move numbers are never among them: they follow
/// their neighbours.
std::map<NodeId, std::string> left_out_at_level(const Graph& golden, int level);

}  // namespace openrknn
