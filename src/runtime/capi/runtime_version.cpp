#include "runtime/capi/runtime_version.h"

namespace openrknn::capi {
namespace {

// Programs cut the first three numbers out and want at least 2.4.1; "openrknn" is how ours is told from others.
constexpr std::string_view kPrefix = "librknnrt version: ";
// The zero keeps whatever lies before it in the library out of the line.
constexpr char kVersionText[] =
    "\0librknnrt version: 2.4.1-openrknn-" OPENRKNN_VERSION " (openrknn@" OPENRKNN_VERSION ")";

}  // namespace

std::string_view version_line() { return kVersionText + 1; }
std::string_view api_version() { return version_line().substr(kPrefix.size()); }

}  // namespace openrknn::capi
