// Images: any bytes are pixels or an Error, in color and in gray, and pixels can be resized.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "compiler/dataset/image.h"
#include "core/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool gray : {false, true}) {
    try {
      const openrknn::Tensor image = openrknn::decode_image(std::as_bytes(std::span(data, size)), "fuzz", gray);
      if (image.rank() != 3 || image.shape()[2] != (gray ? 1 : 3)) std::abort();
      openrknn::resize_bilinear(image, 5, 3);
    } catch (const openrknn::Error& error) {
      if (error.code() != openrknn::Code::DatasetBadImage) std::abort();
    }
  }
  return 0;
}
