// SPDX-License-Identifier: Apache-2.0
// Arrays and images: .npy files, pictures, letterbox. Everything here throws std::runtime_error that names the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rknn_app {

/// A dense array in C order, as numpy stores it.
struct Array {
  char kind = 'f';  ///< 'f' float, 'i' signed, 'u' unsigned integers, 'b' bool
  size_t size = 4;  ///< bytes of an element
  std::vector<size_t> shape;
  std::vector<unsigned char> data;

  size_t count() const { return data.size() / size; }
};

/// Format versions 1 to 3, little endian, C order; float16/32/64, integers of 8 to 64 bits, bool.
Array read_npy(const std::string& path);
void write_npy(const std::string& path, const Array&);

float element_as_float(const Array&, size_t index);
/// Throws if the element is no whole number of 64 bits.
int64_t element_as_integer(const Array&, size_t index);

/// 1 for equal directions, also if both are zero everywhere. The arrays have equally many elements.
double cosine_similarity(const Array&, const Array&);

/// "[1, 3, 224, 224]"
std::string to_string(const std::vector<size_t>& shape);

/// u8 pixels, row by row, red first; one channel is gray.
struct Image {
  size_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// By extension: jpg, jpeg, png, bmp, ppm, pgm.
bool is_image(const std::string& path);
/// A file is what its first bytes say. `channels` is 3 or 1. JPEG and PNG need the libraries this was built with. EXIF
/// orientation of JPEG is applied.
Image read_image(const std::string& path, size_t channels);

/// Fits the whole image into height x width, keeping its proportions; what is left over is filled with gray (114).
Image letterbox(const Image&, size_t height, size_t width);
void swap_red_and_blue(Image&);

}  // namespace rknn_app
