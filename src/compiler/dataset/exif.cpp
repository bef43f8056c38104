#include "compiler/dataset/exif.h"

#include <cstdint>
#include <cstring>

namespace openrknn {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr size_t kEntryBytes = 12;

// Bounds-checked numbers of a TIFF block; what lies outside reads as 0, which no field we look for may be.
struct TiffReader {
  std::span<const std::byte> bytes;
  bool little_endian = true;

  uint32_t number(size_t at, size_t width) const {
    if (at > bytes.size() || width > bytes.size() - at) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < width; ++i) {
      value = value << 8 | std::to_integer<uint32_t>(bytes[at + (little_endian ? width - 1 - i : i)]);
    }
    return value;
  }
};

// How the turned image reads the stored one: first exchange rows and columns, then mirror.
struct Turn {
  bool transpose, mirror_columns, mirror_rows;
};
constexpr Turn kTurns[9] = {
    {},                    // not an orientation
    {},                    // 1: as stored
    {false, true, false},  // 2: mirrored
    {false, true, true},   // 3: upside down
    {false, false, true},  // 4: mirrored, upside down
    {true, false, false},  // 5: transposed
    {true, true, false},   // 6: to be turned clockwise
    {true, true, true},    // 7: transposed along the other diagonal
    {true, false, true},   // 8: to be turned counter-clockwise
};

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  TiffReader reader{tiff};
  const uint32_t order = reader.number(0, 2);
  if (order != 0x4949 && order != 0x4d4d) return 1;  // "II", "MM"
  reader.little_endian = order == 0x4949;
  if (reader.number(2, 2) != 42) return 1;
  const size_t directory = reader.number(4, 4);
  const uint32_t entries = reader.number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (reader.number(entry, 2) != kOrientationTag) continue;
    const uint32_t value = reader.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Tensor apply_orientation(const Tensor& pixels, int orientation) {
  if (orientation < 2 || orientation > 8) return pixels;
  const Turn turn = kTurns[orientation];
  const int64_t height = pixels.shape()[0], width = pixels.shape()[1], channels = pixels.shape()[2];
  const int64_t rows = turn.transpose ? width : height, columns = turn.transpose ? height : width;
  Tensor turned(DType::UInt8, {rows, columns, channels});
  const uint8_t* in = pixels.values<uint8_t>().data();
  uint8_t* out = turned.mutable_values<uint8_t>().data();
  for (int64_t y = 0; y < rows; ++y) {
    const int64_t from_y = turn.mirror_rows ? rows - 1 - y : y;
    for (int64_t x = 0; x < columns; ++x) {
      const int64_t from_x = turn.mirror_columns ? columns - 1 - x : x;
      const int64_t source = turn.transpose ? from_x * width + from_y : from_y * width + from_x;
      std::memcpy(out, in + source * channels, static_cast<size_t>(channels));
      out += channels;
    }
  }
  return turned;
}

}  // namespace openrknn
