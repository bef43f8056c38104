#include "compiler/dataset/frame.h"

#include <algorithm>
#include <cmath>

#include "compiler/dataset/image.h"

namespace openrknn {
namespace {

uint8_t component(const ColourMatrix& colours, size_t row, const std::array<double, 3>& rgb) {
  double sum = colours.offset[row];
  for (size_t c = 0; c < 3; ++c) sum += colours.matrix[row][c] * rgb[c];
  return static_cast<uint8_t>(std::clamp(std::floor(sum + 0.5), 0.0, 255.0));
}

}  // namespace

Tensor to_frame(const Tensor& picture, const PixelFormat& format) {
  const int64_t height = picture.shape()[0], width = picture.shape()[1];
  const ColourMatrix colours = yuv_of_rgb(format.full_range);
  const std::span<const uint8_t> pixels = picture.values<uint8_t>();
  const auto pixel = [&](int64_t y, int64_t x) {
    const uint8_t* at = &pixels[static_cast<size_t>((y * width + x) * 3)];
    return std::array<double, 3>{double(at[0]), double(at[1]), double(at[2])};
  };
  Tensor frame(DType::UInt8, {height * 3 / 2, width});
  const std::span<uint8_t> bytes = frame.mutable_values<uint8_t>();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) bytes[static_cast<size_t>(y * width + x)] = component(colours, 0, pixel(y, x));
  }
  const int64_t samples = height * width / 4, half = width / 2;
  for (int64_t i = 0; i < samples; ++i) {
    const int64_t y = i / half * 2, x = i % half * 2;
    std::array<double, 3> mean{};
    for (const int64_t dy : {0, 1}) {
      for (const int64_t dx : {0, 1}) {
        const std::array<double, 3> one = pixel(y + dy, x + dx);
        for (size_t c = 0; c < 3; ++c) mean[c] += one[c] / 4;
      }
    }
    for (const int64_t which : {0, 1}) {  // U, V
      const int64_t place = format.v_first ? 1 - which : which;
      const int64_t at = format.interleaved ? 2 * i + place : place * samples + i;
      bytes[static_cast<size_t>(height * width + at)] = component(colours, static_cast<size_t>(1 + which), mean);
    }
  }
  return frame;
}

Tensor read_frame(const std::filesystem::path& path, const PixelFormat& format, const Shape& frame) {
  const Shape picture = picture_shape(frame);
  return to_frame(resize_bilinear(read_image(path, false), picture[2], picture[3]), format);
}

}  // namespace openrknn
