#include "core/model/pixel_format.h"

#include <algorithm>

namespace openrknn {
namespace {

constexpr PixelFormat kFormats[] = {
    {.name = "nv12", .interleaved = true},
    {.name = "nv21", .interleaved = true, .v_first = true},
    {.name = "i420"},
    {.name = "yv12", .v_first = true},
    {.name = "nv12_full", .interleaved = true, .full_range = true},
    {.name = "nv21_full", .interleaved = true, .v_first = true, .full_range = true},
    {.name = "i420_full", .full_range = true},
    {.name = "yv12_full", .v_first = true, .full_range = true},
};

// Recommendation ITU-R BT.601: shares of red and blue in luma; green has the rest.
constexpr double kRed = 0.299, kBlue = 0.114, kGreen = 1 - kRed - kBlue;

struct Range {
  double luma_offset, luma_steps, chroma_steps;  // codes from black to white, from one end of a chroma to the other
};
constexpr Range range_of(bool full) { return full ? Range{0, 255, 255} : Range{16, 219, 224}; }

}  // namespace

std::span<const PixelFormat> pixel_formats() { return kFormats; }

const PixelFormat* find_pixel_format(std::string_view name) {
  const PixelFormat* row = std::ranges::find(kFormats, name, &PixelFormat::name);
  return row == std::end(kFormats) ? nullptr : row;
}

std::string pixel_format_names() {
  std::string names;
  for (const PixelFormat& format : kFormats) names += (names.empty() ? "" : ", ") + std::string(format.name);
  return names;
}

ColourMatrix rgb_of_yuv(bool full_range) {
  const Range range = range_of(full_range);
  const double y = 255 / range.luma_steps, chroma = 255 / range.chroma_steps;
  const double v_red = 2 * (1 - kRed) * chroma, u_blue = 2 * (1 - kBlue) * chroma;
  const double u_green = -u_blue * kBlue / kGreen, v_green = -v_red * kRed / kGreen;
  ColourMatrix result{{{{y, 0, v_red}, {y, u_green, v_green}, {y, u_blue, 0}}}, {}};
  for (size_t c = 0; c < 3; ++c) {
    const std::array<double, 3>& row = result.matrix[c];
    result.offset[c] = -row[0] * range.luma_offset - (row[1] + row[2]) * 128;
  }
  return result;
}

ColourMatrix yuv_of_rgb(bool full_range) {
  const Range range = range_of(full_range);
  const double luma = range.luma_steps / 255, chroma = range.chroma_steps / 255;
  const double u = chroma / (2 * (1 - kBlue)), v = chroma / (2 * (1 - kRed));
  return {{{{kRed * luma, kGreen * luma, kBlue * luma},
            {-kRed * u, -kGreen * u, (1 - kBlue) * u},
            {(1 - kRed) * v, -kGreen * v, -kBlue * v}}},
          {range.luma_offset, 128, 128}};
}

Shape frame_shape(const Shape& picture) { return {picture[0], 1, picture[2] * 3 / 2, picture[3]}; }
Shape picture_shape(const Shape& frame) { return {frame[0], 3, frame[2] * 2 / 3, frame[3]}; }

}  // namespace openrknn
