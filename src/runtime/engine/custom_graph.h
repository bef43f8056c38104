// What custom code changes about a graph, and what it is shown of it.
#pragma once

#include "runtime/engine/custom_site.h"
#include "runtime/engine/device.h"

namespace openrknn {

/// The node as its code meets it, constants filled in. Throws Error (NotBuilt) for a weight format without float32
/// form.
CustomSite make_site(const Graph&, NodeId, std::string type, Device&);

/// The node's inputs without the tables that only the built-in arithmetic reads: what the site shows.
std::vector<ValueId> source_inputs(const Graph&, const Node&);

/// A built-in node becomes a Custom one of this type: Convert nodes stand where its values are not float32, tables that
/// only the built-in arithmetic reads go. Ids stay valid.
void replace_builtin(Graph&, NodeId, std::string type);

/// Op types of the Custom nodes, each once, in the graph's order.
std::vector<std::string> custom_types(const Graph&);

}  // namespace openrknn
