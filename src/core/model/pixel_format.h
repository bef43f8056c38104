// YUV 4:2:0 frames as cameras and video decoders give them: what a model built with inputs_yuv_fmt takes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/shape.h"

namespace openrknn {

/// A frame is one plane of bytes, 3/2 of the picture's height: the luma rows, then a quarter as many samples of each
/// chroma, side by side (U V U V …) or one plane after the other.
struct PixelFormat {
  std::string_view name;
  bool interleaved = false;
  bool v_first = false;
  bool full_range = false;  ///< Y, U, V use 0..255 (JPEG), not 16..235 and 16..240
};

std::span<const PixelFormat> pixel_formats();
const PixelFormat* find_pixel_format(std::string_view name);
/// "nv12, nv21, …"
std::string pixel_format_names();

/// R, G, B = matrix · (Y, U, V) + offset, by BT.601; V after U whatever the format's order.
struct ColourMatrix {
  std::array<std::array<double, 3>, 3> matrix;
  std::array<double, 3> offset;
};
ColourMatrix rgb_of_yuv(bool full_range);
/// Y, U, V = matrix · (R, G, B) + offset: the inverse.
ColourMatrix yuv_of_rgb(bool full_range);

/// [N, 3, H, W] as frames: [N, 1, 3 H / 2, W]. Precondition: H and W are even.
Shape frame_shape(const Shape& picture);
/// And back.
Shape picture_shape(const Shape& frame);

}  // namespace openrknn
