// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "image_decoders.h"

namespace rknn_app {
namespace {

// Bounds-checked numbers of a TIFF block; what lies outside reads as 0.
struct TiffReader {
  const unsigned char* bytes;
  size_t size;
  bool little_endian;

  size_t number(size_t at, size_t width) const {
    if (at > size || width > size - at) return 0;
    size_t value = 0;
    for (size_t i = 0; i < width; ++i) value = value << 8 | bytes[at + (little_endian ? width - 1 - i : i)];
    return value;
  }
};

}  // namespace

int exif_orientation(const unsigned char* tiff, size_t size) {
  constexpr size_t kTag = 0x0112, kEntryBytes = 12;
  TiffReader reader{tiff, size, true};
  const size_t order = reader.number(0, 2);
  if (order != 0x4949 && order != 0x4d4d) return 1;  // "II", "MM"
  reader.little_endian = order == 0x4949;
  if (reader.number(2, 2) != 42) return 1;
  const size_t directory = reader.number(4, 4), entries = reader.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (reader.number(entry, 2) != kTag) continue;
    const size_t value = reader.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image turn(const Image& stored, int orientation) {
  if (orientation < 2) return stored;
  const bool transpose = orientation >= 5;
  const bool mirror_columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirror_rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  Image turned = stored;
  if (transpose) std::swap(turned.height, turned.width);
  uint8_t* out = turned.pixels.data();
  for (size_t y = 0; y < turned.height; ++y) {
    const size_t from_y = mirror_rows ? turned.height - 1 - y : y;
    for (size_t x = 0; x < turned.width; ++x, out += stored.channels) {
      const size_t from_x = mirror_columns ? turned.width - 1 - x : x;
      const size_t pixel = transpose ? from_x * stored.width + from_y : from_y * stored.width + from_x;
      std::memcpy(out, stored.pixels.data() + pixel * stored.channels, stored.channels);
    }
  }
  return turned;
}

}  // namespace rknn_app
