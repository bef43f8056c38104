// TensorFlow graphs: any bytes are a graph that verifies, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "compiler/importers/tensorflow/importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model = openrknn::MappedFile::copy_of(std::as_bytes(std::span(data, size)), "net.pb");
  try {
    verify(openrknn::tensorflow::import_graph(model, {}));
  } catch (const openrknn::Error&) {
  }
  return 0;
}
