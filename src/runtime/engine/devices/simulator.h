// The device that is always there: the executor, behind as many virtual cores as the SoC has.
#pragma once

#include "runtime/engine/device.h"

namespace openrknn {

std::shared_ptr<Device> make_simulator(const Target&, int threads);

}  // namespace openrknn
