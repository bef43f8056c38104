// Which kernel row computes a node.
#pragma once

#include "core/executor/bound_call.h"
#include "core/executor/plan.h"

namespace openrknn {

/// Custom rows first, then the built-in ones (or only the reference, if the options or `ideal` numbers ask for it).
/// Null if no row accepts the call.
const Kernel* kernel_for(const Call&, const PlanOptions&);
bool is_reference(const Kernel&);
/// "no kernel computes Conv(i8[1, 8, 8, 3], …) -> i8[…]"
Diagnostic missing_kernel(const Call&, Location);

}  // namespace openrknn
