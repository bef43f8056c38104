// SPDX-License-Identifier: Apache-2.0
// One decoder per file format, behind read_image.
#pragma once

#include <string>
#include <vector>

#include "data_utils.h"

namespace rknn_app {

/// A picture as bytes. `path` is for messages; channels is 1 or 3.
struct EncodedImage {
  const std::vector<unsigned char>& bytes;
  const std::string& path;
  size_t channels;
};

Image decode_bmp(const EncodedImage&);
Image decode_pnm(const EncodedImage&);
Image decode_jpeg(const EncodedImage&);
Image decode_png(const EncodedImage&);

[[noreturn]] void refuse_image(const EncodedImage&, const std::string& problem);
/// Refuses what has no pixels or more than 2^28 of them.
Image allocate_image(const EncodedImage&, size_t height, size_t width);
/// Puts one pixel at `out` as RGB or as gray (0.299, 0.587, 0.114 in 14 bits); gives what follows it.
uint8_t* put_pixel(uint8_t* out, size_t channels, int red, int green, int blue);

/// How EXIF says to turn a picture, 1 (not at all) to 8: from its TIFF block.
int exif_orientation(const unsigned char* tiff, size_t size);
Image turn(const Image& stored, int orientation);

}  // namespace rknn_app
