// How the library names itself.
#pragma once

#include <string_view>

namespace openrknn::capi {

/// For RKNN_QUERY_SDK_VERSION: the revision of the API it behaves like, then who it is.
std::string_view api_version();
/// The line `strings librknnrt.so | grep "librknnrt version"` finds.
std::string_view version_line();

}  // namespace openrknn::capi
