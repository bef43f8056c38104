// ONNX files: any bytes are a graph that verifies, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/importers/importer.h"
#include "core/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The importer maps a file; this one lives in memory and has a path.
  static const int file = memfd_create("fuzz.onnx", 0);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  try {
    verify(openrknn::import_onnx("/proc/self/fd/" + std::to_string(file), {}));
  } catch (const openrknn::Error&) {
  }
  return 0;
}
