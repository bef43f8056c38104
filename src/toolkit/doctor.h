// `openrknn doctor`: what this machine offers and whether the installation is whole.
#pragma once

#include <string>
#include <vector>

namespace openrknn {

struct Finding {
  std::string subject, text;
  bool good = true;
  std::string fix;
};
std::vector<Finding> examine();

}  // namespace openrknn
