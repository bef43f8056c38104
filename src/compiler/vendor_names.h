// Names of the vendor's optimizer, which scripts carry: tensors with its endings, operators of its own set.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.h"

namespace openrknn {

/// The name of a layer as the graph has it: the name itself, or what is left of it without the endings by which the
/// vendor's optimizer tells its tensors apart ("conv1_rs"); "" if the graph has neither.
std::string layer_named(const Graph&, std::string_view name);

/// "exSwish" is SiLU here; other names are given back.
std::string_view operator_named(std::string_view vendor_type);

}  // namespace openrknn
