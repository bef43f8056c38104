// The command line's way to other machines: a Python process beside it, in which Dask lives.
#pragma once

#include <string>

#include "toolkit/shares.h"

namespace openrknn {

/// Shares out to the Dask cluster whose scheduler is at `address` (tcp://host:8786), through
/// `python3 -m openrknn.share_process`, which is started for the first work and kept for what follows. The interpreter
/// is that of OPENRKNN_PYTHON, the one beside this program, or the first on PATH. Throws Error (ProcessFailed) where it
/// cannot be started or ends early, and whatever a worker throws.
ShareOut dask_share_out(std::string address);

}  // namespace openrknn
