// Files outlive the meaning of operators: each file records the schema versions it was written with.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

struct FileOperator {
  std::string name;
  int version = 0;  ///< OpSchema::version at the time of writing
};

/// Rewrites nodes whose operator has changed its meaning since. Throws Error (RknnNewerVersion) for operators or
/// versions this build does not know.
void upgrade(Graph&, std::span<const FileOperator>, const std::string& file);

}  // namespace openrknn
