// SPDX-License-Identifier: Apache-2.0
#include "image_decoders.h"

#ifdef RKNN_APP_HAS_PNG

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

namespace rknn_app {
namespace {

// libpng leaves by longjmp: functions that call setjmp own nothing that has a destructor.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const unsigned char* rest = nullptr;
  size_t left = 0;
  std::jmp_buf escape;
  char message[128] = {};
};

void leave(png_structp png, png_const_charp message) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader->message, sizeof reader->message, "%s", message);
  std::longjmp(reader->escape, 1);
}

void stay_silent(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, size_t count) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader->left) png_error(png, "the file ends too early");
  std::memcpy(out, reader->rest, count);
  reader->rest += count;
  reader->left -= count;
}

bool read_header(PngReader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave, stay_silent);
  if (reader.png == nullptr) return false;
  reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) return false;
  png_set_read_fn(reader.png, &reader, read_bytes);
  png_read_info(reader.png, reader.info);
  return true;
}

// Whatever the file holds becomes 8 bits of gray or RGB; alpha is dropped.
bool read_pixels(PngReader& reader, size_t channels, uint8_t* out) {
  if (setjmp(reader.escape) != 0) return false;
  png_structp png = reader.png;
  const png_byte color = png_get_color_type(png, reader.info), depth = png_get_bit_depth(png, reader.info);
  if (depth == 16) png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if ((color & PNG_COLOR_MASK_COLOR) == 0 && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (channels == 3) png_set_gray_to_rgb(png);
  if (channels == 1) png_set_rgb_to_gray(png, 1 /* no warning */, 0.299, 0.587);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, reader.info);
  const png_uint_32 height = png_get_image_height(png, reader.info);
  const size_t row_bytes = png_get_image_width(png, reader.info) * channels;
  if (png_get_rowbytes(png, reader.info) != row_bytes) png_error(png, "its pixel format is not known");
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, out + y * row_bytes, nullptr);
  }
  png_read_end(png, reader.info);  // EXIF may stand behind the pixels
  return true;
}

int orientation_of(PngReader& reader) {
#ifdef PNG_eXIf_SUPPORTED
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0 && exif != nullptr) {
    return exif_orientation(exif, size);
  }
#else
  (void)reader;
#endif
  return 1;
}

}  // namespace

Image decode_png(const EncodedImage& file) {
  PngReader reader;
  reader.rest = file.bytes.data();
  reader.left = file.bytes.size();
  Image image;
  bool done = read_header(reader);
  if (done) {
    image = allocate_image(file, png_get_image_height(reader.png, reader.info),
                           png_get_image_width(reader.png, reader.info));
    done = read_pixels(reader, file.channels, image.pixels.data());
  }
  const int orientation = done ? orientation_of(reader) : 1;
  png_destroy_read_struct(&reader.png, &reader.info, nullptr);
  if (!done) refuse_image(file, std::string("cannot decode this PNG: ") + reader.message);
  return turn(image, orientation);
}

}  // namespace rknn_app

#else

namespace rknn_app {

Image decode_png(const EncodedImage& file) {
  refuse_image(file, "this program was built without libpng: install it and build again, or give a ppm, bmp or npy");
}

}  // namespace rknn_app

#endif
