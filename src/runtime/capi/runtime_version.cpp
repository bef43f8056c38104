#include "runtime/capi/runtime_version.h"

#include "core/base/version.h"

namespace openrknn::capi {
namespace {

// Programs cut the first three numbers out and want at least 2.4.1; "openrknn" is how ours is told from others.
constexpr std::string_view kPrefix = "librknnrt version: ";
constexpr std::string_view kVersionLine =
    "librknnrt version: 2.4.1-openrknn-" OPENRKNN_VERSION " (openrknn@" OPENRKNN_VERSION ")";

}  // namespace

std::string_view version_line() { return kVersionLine; }
std::string_view api_version() { return kVersionLine.substr(kPrefix.size()); }

}  // namespace openrknn::capi
