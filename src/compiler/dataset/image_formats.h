// The decoders behind decode_image, one per file format. Each gives the pixels OpenCV's imread gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/base/tensor.h"

namespace openrknn {

/// What a decoder is given. `name` is for messages.
struct EncodedImage {
  std::span<const std::byte> bytes;
  const std::string& name;
  bool gray = false;
};

/// Pixels as stored, u8 [H, W, 3] RGB or [H, W, 1] gray, and how EXIF says to turn them (1: not at all).
struct DecodedImage {
  Tensor pixels;
  int orientation = 1;
};

DecodedImage decode_jpeg(const EncodedImage&);
DecodedImage decode_png(const EncodedImage&);
DecodedImage decode_bmp(const EncodedImage&);

[[noreturn]] void fail_image(const std::string& name, std::string problem, std::string fix = {});
/// The tensor the pixels go to. Refuses more than 2^28 pixels, and files too short to be honest: `least_bytes` is a
/// lower bound for what the format spends on a pixel. A few bytes must not make us allocate gigabytes.
Tensor allocate_pixels(const EncodedImage&, int64_t height, int64_t width, double least_bytes);

/// Luma in 14-bit fixed point, rounded: what OpenCV uses wherever it converts itself.
inline uint8_t luma(int red, int green, int blue) {
  constexpr int kRed = 4899, kGreen = 9617, kBlue = (1 << 14) - kRed - kGreen;  // 0.299, 0.587, the rest
  return static_cast<uint8_t>((red * kRed + green * kGreen + blue * kBlue + (1 << 13)) >> 14);
}

}  // namespace openrknn
