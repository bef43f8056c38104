// disable_rules: which passes the names in it switch off. Scripts carry names of the vendor's rules.
#pragma once

#include <string>
#include <vector>

namespace openrknn {

/// Names of passes. A name of neither a pass nor a known rule of the vendor, and of a pass no build can do without, is
/// told in `warnings` and left out.
std::vector<std::string> passes_to_leave_out(const std::vector<std::string>& names, std::vector<std::string>& warnings);

}  // namespace openrknn
