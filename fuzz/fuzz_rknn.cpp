// .rknn files: any bytes are a Model that may be planned, or an Error. The first byte says whether the rest is a whole
// file or the model section alone: no fuzzer guesses hashes, and what lies behind them must be as hard to break.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/base/error.h"
#include "core/rknn_file/decode.h"
#include "core/rknn_file/rknn_file.h"
#include "core/rknn_file/validate.h"

namespace {

void read_file(std::span<const std::byte> bytes) {
  const auto file = openrknn::MappedFile::copy_of(bytes, "fuzz.rknn");
  try {
    openrknn::describe(*file);
  } catch (const openrknn::Error&) {
  }
  openrknn::read(file);
}

void read_model_section(std::span<const std::byte> bytes) {
  const auto section = openrknn::MappedFile::copy_of(bytes, "fuzz.rknn");
  static const std::vector<std::byte> weights(1 << 16);
  const openrknn::DecodeSource source{"fuzz.rknn", section->bytes(), weights, section};
  const openrknn::Model model = openrknn::decode_model(source, {});
  openrknn::validate(model, source.file);
  openrknn::MemorySink sink;
  openrknn::write(model, sink);  // what was accepted can be written
  openrknn::read(openrknn::MappedFile::copy_of(std::as_bytes(std::span(sink.data)), "again.rknn"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  try {
    if (data[0] == 'f') {
      read_file(bytes);
    } else {
      read_model_section(bytes);
    }
  } catch (const openrknn::Error&) {
  }
  return 0;
}
