// .npy files: any bytes are an array or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/base/error.h"
#include "core/base/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const openrknn::Tensor tensor = openrknn::parse_npy(std::as_bytes(std::span(data, size)), "fuzz.npy");
    const std::string again = openrknn::to_npy(tensor);
    const openrknn::Tensor same =
        openrknn::parse_npy(std::as_bytes(std::span(again.data(), again.size())), "again.npy");
    if (!openrknn::identical(tensor, same)) std::abort();
  } catch (const openrknn::Error&) {
  }
  return 0;
}
