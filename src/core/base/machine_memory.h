// How much memory there is. Linux grants what it does not have and ends the process when it is used, so that large
// requests are compared with this first.
#pragma once

#include <cstdint>

namespace openrknn {

/// Bytes that could be used now without swapping: MemAvailable of /proc/meminfo; where that is missing, all the machine
/// has. Thread-safe.
int64_t available_memory();

}  // namespace openrknn
