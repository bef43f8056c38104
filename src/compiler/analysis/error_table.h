// The table of RKNN-Toolkit2's accuracy_analysis.
#pragma once

#include <string>

#include "compiler/analysis/analyze.h"

namespace openrknn {

/// The lines of error_analysis.txt. `colour`: doubtful cells yellow, bad ones red, for a terminal.
std::string error_table(const Analysis&, bool colour = false);

/// A distance as the table shows it: four decimals cut to six characters, never a digit before the point; 0 is "0.0".
std::string distance_text(double);

}  // namespace openrknn
