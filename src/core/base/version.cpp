#include "core/base/version.h"

namespace openrknn {

std::string_view version() { return OPENRKNN_VERSION; }  // CMake defines it for this file

}  // namespace openrknn
