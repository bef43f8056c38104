// PNG through libpng, asked for the same conversions OpenCV asks it for, so that even the gray values agree.
#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "compiler/dataset/exif.h"
#include "compiler/dataset/image_formats.h"

namespace openrknn {
namespace {

// Deflate cannot shrink anything by more than this factor.
constexpr double kDeflateLimit = 1032;

// Everything libpng touches. It leaves by longjmp, so functions that call setjmp own nothing that has a destructor.
struct PngReader {
  png_structp png = nullptr;
  png_infop header = nullptr, trailer = nullptr;
  std::span<const std::byte> rest;
  std::jmp_buf escape;
  char message[128] = {};
  int passes = 1;  // seven if interlaced

  explicit PngReader(std::span<const std::byte> bytes) : rest(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png, &header, &trailer); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  bool read_header();
  bool choose_conversions(bool gray);
  bool read_pixels(png_bytep out);
  int orientation() const;
};

[[noreturn]] void leave(png_structp png, png_const_charp message) {
  auto& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader.message, sizeof reader.message, "%s", message);
  std::longjmp(reader.escape, 1);
}

void read_bytes(png_structp png, png_bytep out, size_t count) {
  auto& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader.rest.size()) png_error(png, "the file ends too early");
  std::memcpy(out, reader.rest.data(), count);
  reader.rest = reader.rest.subspan(count);
}

bool PngReader::read_header() {
  if (setjmp(escape) != 0) return false;
  png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, leave, [](png_structp, png_const_charp) {});
  if (png == nullptr) return false;
  header = png_create_info_struct(png);
  trailer = png_create_info_struct(png);
  if (header == nullptr || trailer == nullptr) return false;
  png_set_read_fn(png, this, read_bytes);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // allocate_pixels limits the area
  png_read_info(png, header);
  return true;
}

bool PngReader::choose_conversions(bool gray) {
  if (setjmp(escape) != 0) return false;
  const png_byte color = png_get_color_type(png, header), depth = png_get_bit_depth(png, header);
  if (depth == 16) png_set_strip_16(png);  // keeps the upper byte
  png_set_strip_alpha(png);                // drops it: no blending with a background
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if ((color & PNG_COLOR_MASK_COLOR) == 0 && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (!gray) png_set_gray_to_rgb(png);
  if (gray) png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
  passes = png_set_interlace_handling(png);
  png_read_update_info(png, header);
  return true;
}

bool PngReader::read_pixels(png_bytep out) {
  if (setjmp(escape) != 0) return false;
  const png_uint_32 height = png_get_image_height(png, header);
  const size_t row_bytes = png_get_rowbytes(png, header);
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, out + y * row_bytes, nullptr);
  }
  png_read_end(png, trailer);
  return true;
}

int PngReader::orientation() const {
  for (const png_infop info : {header, trailer}) {  // the chunk may stand before or after the pixels
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0 && exif != nullptr) {
      return exif_orientation(std::as_bytes(std::span(exif, size)));
    }
  }
  return 1;
}

}  // namespace

DecodedImage decode_png(const EncodedImage& file) {
  PngReader reader(file.bytes);
  const auto require = [&](bool done) {
    if (!done) fail_image(file.name, fmt::format("cannot decode this PNG: {}", reader.message));
  };
  require(reader.read_header());
  const int64_t height = png_get_image_height(reader.png, reader.header);
  const int64_t width = png_get_image_width(reader.png, reader.header);
  const int bits = png_get_channels(reader.png, reader.header) * png_get_bit_depth(reader.png, reader.header);
  DecodedImage image{allocate_pixels(file, height, width, bits / 8.0 / kDeflateLimit)};
  require(reader.choose_conversions(file.gray));
  if (png_get_rowbytes(reader.png, reader.header) != static_cast<size_t>(image.pixels.shape()[2] * width)) {
    fail_image(file.name, "cannot decode this PNG: its pixel format is not known");
  }
  require(reader.read_pixels(image.pixels.mutable_values<uint8_t>().data()));
  image.orientation = reader.orientation();
  return image;
}

}  // namespace openrknn
