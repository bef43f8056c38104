// Bodies of inference requests, and request lines: any bytes are a request or an Error, and what a request points to
// may be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/base/error.h"
#include "runtime/server/infer_request.h"
#include "runtime/server/model_name.h"
#include "runtime/server/routes.h"

namespace {

void check_request(std::span<const std::byte> body, std::optional<size_t> json_bytes) {
  using namespace openrknn;
  try {
    const server::InferRequest request = server::parse_infer_request(body, json_bytes, {.tensor_bytes = 1 << 20});
    unsigned sum = 0;
    for (const server::InferInput& input : request.inputs) {
      size_t bytes = element_bytes(input.type);
      for (const int64_t extent : input.shape) bytes *= static_cast<size_t>(extent);
      if (reinterpret_cast<uintptr_t>(input.data) % element_bytes(input.type) != 0) abort();
      for (size_t i = 0; i < bytes; ++i) sum += static_cast<unsigned>(input.data[i]);
    }
    volatile unsigned read = sum;
    static_cast<void>(read);
    request.feed();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace openrknn;
  if (size < 2) return 0;
  // The first two bytes say how much of the rest is JSON.
  const size_t split = static_cast<size_t>(data[0]) | static_cast<size_t>(data[1]) << 8;
  const auto rest = std::as_bytes(std::span(data + 2, size - 2));
  check_request(rest, split);
  check_request(rest, std::nullopt);
  try {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const server::Match match = server::find_route(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
    if (!match.model.empty() && !server::is_model_name(match.model)) abort();
  } catch (const Error&) {
  }
  return 0;
}
