// The command line's way to other machines: a Python process beside it, in which Dask lives.
#pragma once

#include <string>

#include "compiler/compile.h"

namespace openrknn {

/// Calibrates on the Dask cluster whose scheduler is at `address` (tcp://host:8786), through
/// `python3 -m openrknn.calibration_process`. The interpreter is that of OPENRKNN_PYTHON, the one beside this program,
/// or the first on PATH. Throws Error (ProcessFailed) where it cannot be started or ends early, and whatever a worker
/// throws.
Calibrator dask_calibrator(std::string address);

}  // namespace openrknn
