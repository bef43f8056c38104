// The verbs that look at a .rknn file and at a machine, on a PC and on a board. Return exit codes.
#pragma once

#include <filesystem>

namespace openrknn {

int inspect_rknn(const std::filesystem::path&, bool json);
int doctor(bool json);

}  // namespace openrknn
