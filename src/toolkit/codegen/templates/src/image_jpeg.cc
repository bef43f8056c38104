// SPDX-License-Identifier: Apache-2.0
#include "image_decoders.h"

#ifdef RKNN_APP_HAS_JPEG

#include <csetjmp>
#include <cstdio>  // jpeglib.h forgets it
#include <cstring>

// clang-format off: the second needs the first
#include <jerror.h>
#include <jpeglib.h>
// clang-format on

namespace rknn_app {
namespace {

// libjpeg leaves by longjmp: functions that call setjmp own nothing that has a destructor.
struct Decompressor {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  int missing_ends;  // warnings that the file ran out
  bool several_scans;
};

void leave(j_common_ptr info) {
  auto* decompressor = static_cast<Decompressor*>(info->client_data);
  info->err->format_message(info, decompressor->message);
  std::longjmp(decompressor->escape, 1);
}

void stay_silent(j_common_ptr) {}

// Level -1 is a warning.
void count_warning(j_common_ptr info, int level) {
  if (level >= 0) return;
  ++info->err->num_warnings;
  if (info->err->msg_code == JWRN_JPEG_EOF) ++static_cast<Decompressor*>(info->client_data)->missing_ends;
}

bool read_header(Decompressor& decompressor, const std::vector<unsigned char>& bytes) {
  jpeg_decompress_struct& info = decompressor.info;
  info.err = jpeg_std_error(&decompressor.errors);
  info.client_data = &decompressor;
  decompressor.errors.error_exit = leave;
  decompressor.errors.output_message = stay_silent;
  decompressor.errors.emit_message = count_warning;
  if (setjmp(decompressor.escape) != 0) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, const_cast<unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);  // APP1 holds EXIF
  jpeg_read_header(&info, TRUE);
  return true;
}

bool read_pixels(Decompressor& decompressor, size_t channels, uint8_t* out) {
  jpeg_decompress_struct& info = decompressor.info;
  if (setjmp(decompressor.escape) != 0) return false;
  info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  decompressor.several_scans = jpeg_has_multiple_scans(&info) != FALSE;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    uint8_t* row = out + info.output_scanline * info.output_width * channels;
    jpeg_read_scanlines(&info, &row, 1);
  }
  return true;
}

// 1 to 8; 1, as stored, where the file does not say.
int orientation_of(const jpeg_decompress_struct& info) {
  constexpr size_t kMark = 6;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->data_length < kMark || std::memcmp(marker->data, "Exif\0\0", kMark) != 0) continue;
    return exif_orientation(marker->data + kMark, marker->data_length - kMark);
  }
  return 1;
}

}  // namespace

Image decode_jpeg(const EncodedImage& file) {
  Decompressor decompressor{};
  Image image;
  bool done = read_header(decompressor, file.bytes);
  const int orientation = done ? orientation_of(decompressor.info) : 1;
  if (done && decompressor.info.num_components == 4) {
    jpeg_destroy_decompress(&decompressor.info);
    refuse_image(file, "CMYK pictures are not read: save it in RGB");
  }
  if (done) {
    image = allocate_image(file, decompressor.info.image_height, decompressor.info.image_width);
    done = read_pixels(decompressor, file.channels, image.pixels.data());
  }
  // Many writers forget the end marker. In a file of one scan that is harmless unless pixels had to be made up too.
  const bool made_up = decompressor.errors.num_warnings > decompressor.missing_ends;
  const bool truncated = decompressor.missing_ends > 0 && (decompressor.several_scans || made_up);
  jpeg_destroy_decompress(&decompressor.info);
  if (!done) refuse_image(file, std::string("cannot decode this JPEG: ") + decompressor.message);
  if (truncated) refuse_image(file, "cannot decode this JPEG: the file ends too early");
  return turn(image, orientation);
}

}  // namespace rknn_app

#else

namespace rknn_app {

Image decode_jpeg(const EncodedImage& file) {
  refuse_image(file, "this program was built without libjpeg: install it and build again, or give a ppm, bmp or npy");
}

}  // namespace rknn_app

#endif
