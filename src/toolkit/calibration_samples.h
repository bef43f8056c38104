#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"

namespace openrknn {

/// The samples of a build as its options want them: with skip_unreadable those that can be read, and a warning that
/// names and counts the others.
std::unique_ptr<Samples> calibration_samples(std::unique_ptr<Samples>, const CompileOptions&, ThreadPool&,
                                             std::vector<std::string>& warnings);

}  // namespace openrknn
