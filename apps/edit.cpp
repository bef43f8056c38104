#include <fmt/format.h>

#include "apps/verbs.h"

namespace openrknn {

int edit(const OnnxEdit& request) {
  const OnnxEditResult result = edit_onnx(request);
  for (const std::string& text : result.texts) fmt::print("{}\n", text);
  fmt::print("{}\n", request.output.string());
  if (!result.dataset.empty()) fmt::print("{}\n", result.dataset.string());
  return 0;
}

}  // namespace openrknn
