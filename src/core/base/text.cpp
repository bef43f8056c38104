#include "core/base/text.h"

#include <algorithm>
#include <cctype>

namespace openrknn {

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace openrknn
