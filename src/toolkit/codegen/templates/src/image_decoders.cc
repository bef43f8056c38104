// SPDX-License-Identifier: Apache-2.0
// The formats that need no library: BMP and PPM/PGM.
#include "image_decoders.h"

#include <stdexcept>

namespace rknn_app {
namespace {

constexpr size_t kMostPixels = size_t{1} << 28;

// Little-endian numbers of a file, checked.
uint32_t number(const EncodedImage& file, size_t at, size_t width) {
  if (at + width > file.bytes.size()) refuse_image(file, "the file ends too early");
  uint32_t value = 0;
  for (size_t i = width; i > 0; --i) value = value << 8 | file.bytes[at + i - 1];
  return value;
}

// The next number of a PNM header, past blanks and comments.
size_t header_number(const EncodedImage& file, size_t& at) {
  const auto peek = [&] { return at < file.bytes.size() ? file.bytes[at] : 0; };
  while (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n' || peek() == '#') {
    if (peek() == '#') {
      while (at < file.bytes.size() && peek() != '\n') ++at;
    } else {
      ++at;
    }
  }
  size_t value = 0, digits = 0;
  for (; peek() >= '0' && peek() <= '9' && digits < 10; ++at, ++digits) value = value * 10 + (peek() - '0');
  if (digits == 0) refuse_image(file, "the header of the image is damaged");
  return value;
}

}  // namespace

void refuse_image(const EncodedImage& file, const std::string& problem) {
  throw std::runtime_error(file.path + ": " + problem);
}

Image allocate_image(const EncodedImage& file, size_t height, size_t width) {
  if (height == 0 || width == 0) refuse_image(file, "the image has no pixels");
  if (width > kMostPixels / height) refuse_image(file, "the image has more than 2^28 pixels");
  Image image;
  image.height = height;
  image.width = width;
  image.channels = file.channels;
  image.pixels.resize(height * width * file.channels);
  return image;
}

uint8_t* put_pixel(uint8_t* out, size_t channels, int red, int green, int blue) {
  if (channels == 1) {
    constexpr int kRed = 4899, kGreen = 9617, kBlue = (1 << 14) - kRed - kGreen;
    *out++ = static_cast<uint8_t>((red * kRed + green * kGreen + blue * kBlue + (1 << 13)) >> 14);
    return out;
  }
  *out++ = static_cast<uint8_t>(red);
  *out++ = static_cast<uint8_t>(green);
  *out++ = static_cast<uint8_t>(blue);
  return out;
}

// Uncompressed, 8 (palette), 24 or 32 bits a pixel.
Image decode_bmp(const EncodedImage& file) {
  constexpr size_t kFileHeader = 14;
  const size_t data = number(file, 10, 4), header = number(file, kFileHeader, 4);
  if (header < 40) refuse_image(file, "this kind of BMP is not read");
  const auto width = static_cast<int32_t>(number(file, 18, 4)),
             signed_height = static_cast<int32_t>(number(file, 22, 4));
  const size_t bits = number(file, 28, 2), compression = number(file, 30, 4);
  const bool fields_as_usual = bits == 32 && compression == 3 && number(file, 54, 4) == 0xFF0000 &&
                               number(file, 58, 4) == 0xFF00 && number(file, 62, 4) == 0xFF;
  if ((bits != 8 && bits != 24 && bits != 32) || (compression != 0 && !fields_as_usual)) {
    refuse_image(file, "only uncompressed BMP of 8, 24 or 32 bits a pixel is read");
  }
  const int64_t height = signed_height < 0 ? -int64_t{signed_height} : signed_height;
  if (width <= 0) refuse_image(file, "the image has no pixels");
  const size_t rows = static_cast<size_t>(height), columns = static_cast<size_t>(width);
  const size_t pixel = bits / 8;
  const uint64_t row_bytes = (static_cast<uint64_t>(columns) * bits + 31) / 32 * 4;
  if (data > file.bytes.size() || row_bytes > file.bytes.size() || rows > (file.bytes.size() - data) / row_bytes) {
    refuse_image(file, "the file ends too early");
  }
  Image image = allocate_image(file, rows, columns);
  uint8_t* out = image.pixels.data();
  for (size_t y = 0; y < rows; ++y) {
    const unsigned char* at = file.bytes.data() + data + (signed_height < 0 ? y : rows - 1 - y) * row_bytes;
    for (size_t x = 0; x < columns; ++x, at += pixel) {
      uint32_t color = 0;
      if (bits == 8) {
        const size_t entry = kFileHeader + header + size_t{4} * *at;
        color = entry + 4 <= data ? number(file, entry, 3) : 0;  // short palettes end in black
      } else {
        color = at[0] | at[1] << 8 | at[2] << 16;
      }
      out = put_pixel(out, file.channels, color >> 16 & 255, color >> 8 & 255, color & 255);
    }
  }
  return image;
}

// P6 (colour) and P5 (gray), 8 bits.
Image decode_pnm(const EncodedImage& file) {
  const bool gray = file.bytes[1] == '5';
  size_t at = 2;
  const size_t width = header_number(file, at), height = header_number(file, at), most = header_number(file, at);
  if (most != 255) refuse_image(file, "only PPM and PGM with values up to 255 are read");
  ++at;  // one blank ends the header
  const size_t pixel = gray ? 1 : 3;
  if (width == 0 || at > file.bytes.size() || height > (file.bytes.size() - at) / pixel / width) {
    refuse_image(file, "the file ends too early");
  }
  Image image = allocate_image(file, height, width);
  uint8_t* out = image.pixels.data();
  for (size_t i = 0; i < height * width; ++i, at += pixel) {
    const unsigned char* color = file.bytes.data() + at;
    out = put_pixel(out, file.channels, color[0], color[gray ? 0 : 1], color[gray ? 0 : 2]);
  }
  return image;
}

}  // namespace rknn_app
