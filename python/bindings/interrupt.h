#pragma once

#include "core/base/log.h"

namespace openrknn::python {

/// For work without the GIL: lets Python's signal handlers run, several times a second, and ends the work with what
/// they raise (KeyboardInterrupt). They run on the process's main thread alone, as everywhere in Python.
Progress until_interrupted();

}  // namespace openrknn::python
