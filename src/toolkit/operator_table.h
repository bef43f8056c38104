// docs/operators.md, written from the registries: what the graph's operators are, which kernels compute them, where an
// NPU runs them, and which operators of a framework are read.
#pragma once

#include <string>

namespace openrknn {

/// Markdown; the same on every machine.
std::string operator_markdown();

}  // namespace openrknn
