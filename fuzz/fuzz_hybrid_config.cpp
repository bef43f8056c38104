// .quantization.cfg files: any bytes are a configuration or an Error, and a configuration can be written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/base/error.h"
#include "toolkit/hybrid_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace openrknn;
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const HybridConfig config = parse_hybrid_config(text, "fuzz.cfg");
    to_text(config);
  } catch (const Error&) {
  }
  return 0;
}
