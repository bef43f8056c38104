// What a Model must be before anything may run it. Hashes tell damage; this tells lies.
#pragma once

#include <string>

#include "core/model/model.h"

namespace openrknn {

/// verify() of every graph, and what verify does not look at: stored integers, ports.
/// Throws Error (RknnInvalid, or verify's own code) listing everything that is wrong.
void validate(const Model&, const std::string& file);

}  // namespace openrknn
