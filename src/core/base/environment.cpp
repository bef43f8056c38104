#include "core/base/environment.h"

#include <cstdlib>

namespace openrknn {

std::string environment_variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

}  // namespace openrknn
