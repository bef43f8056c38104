// Settings that the environment gives.
#pragma once

#include <string>

namespace openrknn {

/// "" where the variable is not set: to set a variable to nothing is how people take it back.
std::string environment_variable(const char* name);

}  // namespace openrknn
