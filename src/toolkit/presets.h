// Named sets of config options.
#pragma once

#include <string_view>

#include "toolkit/argument_value.h"

namespace openrknn {

/// `config` with the preset's values where nothing is given; empty: as it is. Throws Error (ConfigBadValue) naming the
/// presets there are.
ArgumentValues with_preset(std::string_view preset, ArgumentValues config);

}  // namespace openrknn
