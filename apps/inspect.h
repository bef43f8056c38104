// The verbs that look at a file and at a machine. Return exit codes.
#pragma once

#include <string>

namespace openrknn {

int inspect(const std::string& path, bool json);
int doctor(bool json);

}  // namespace openrknn
