// DarkNet networks: any text and any bytes are a graph that verifies, or an Error. The text ends at the first zero
// byte, the weights follow it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "compiler/importers/darknet/importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(all.find('\0'), size);
  const std::span<const std::byte> rest = std::as_bytes(std::span(data, size)).subspan(std::min(end + 1, size));
  try {
    verify(openrknn::darknet::import_network(all.substr(0, end), "net.cfg", rest, "net.weights", {}));
  } catch (const openrknn::Error&) {
  }
  return 0;
}
