// Bilinear resizing of 8-bit images with the integers of OpenCV's resize(…, INTER_LINEAR): calibration sees the same
// pixels whichever tool prepared them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "compiler/dataset/image.h"
#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr int kOne = 2048;  // weights have 11 bits

// Where one output row or column comes from: two neighbours and their weights.
struct Tap {
  int64_t low, high;
  int low_weight, high_weight;
};

// Half-pixel centers, coordinates rounded to float32. Columns outside take the border pixel alone; rows take it twice,
// with the weights as computed: the roundings differ, and this is how OpenCV does it.
std::vector<Tap> taps(int64_t from, int64_t to, bool columns) {
  const double scale = 1.0 / (static_cast<double>(to) / static_cast<double>(from));
  std::vector<Tap> result(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    float position = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    int64_t low = static_cast<int64_t>(std::floor(position));
    float fraction = position - static_cast<float>(low);
    if (columns && (low < 0 || low >= from - 1)) fraction = 0.0f;
    // Round half to even: exact halves occur (a scale of 4096/k).
    const auto weight = [](float share) { return static_cast<int>(std::nearbyint(share * kOne)); };
    result[static_cast<size_t>(i)] = {std::clamp<int64_t>(low, 0, from - 1), std::clamp<int64_t>(low + 1, 0, from - 1),
                                      weight(1.0f - fraction), weight(fraction)};
  }
  return result;
}

template <int kChannels>
void blend_columns(const uint8_t* row, const std::vector<Tap>& columns, int32_t* out) {
  for (const Tap& tap : columns) {
    for (int c = 0; c < kChannels; ++c) {
      *out++ = row[tap.low * kChannels + c] * tap.low_weight + row[tap.high * kChannels + c] * tap.high_weight;
    }
  }
}

// The shifts are OpenCV's; they drop bits before the sum, so one multiplication of the whole would round otherwise.
void blend_rows(const int32_t* low, const int32_t* high, const Tap& tap, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const int a = (tap.low_weight * (low[i] >> 4)) >> 16, b = (tap.high_weight * (high[i] >> 4)) >> 16;
    out[i] = static_cast<uint8_t>((a + b + 2) >> 2);
  }
}

template <int kChannels>
void resize_linear(const uint8_t* in, int64_t height, int64_t width, uint8_t* out, int64_t to_height,
                   int64_t to_width) {
  const std::vector<Tap> columns = taps(width, to_width, true), rows = taps(height, to_height, false);
  const int64_t row_size = to_width * kChannels;
  std::vector<int32_t> lines[2] = {std::vector<int32_t>(row_size), std::vector<int32_t>(row_size)};
  int64_t held[2] = {-1, -1};  // which input row each line holds
  const auto line = [&](int64_t y, int64_t keep) {
    int slot = held[0] == y ? 0 : held[1] == y ? 1 : -1;
    if (slot < 0) {
      slot = held[0] == keep ? 1 : 0;
      blend_columns<kChannels>(in + y * width * kChannels, columns, lines[slot].data());
      held[slot] = y;
    }
    return lines[slot].data();
  };
  for (const Tap& tap : rows) {
    const int32_t* low = line(tap.low, tap.high);
    const int32_t* high = line(tap.high, tap.low);
    blend_rows(low, high, tap, row_size, out);
    out += row_size;
  }
}

// Halving both sides exactly: OpenCV takes the mean of each 2 x 2 block instead.
void halve(const uint8_t* in, int64_t channels, uint8_t* out, int64_t to_height, int64_t to_width) {
  const int64_t stride = 2 * to_width * channels;
  for (int64_t y = 0; y < to_height; ++y) {
    for (int64_t x = 0; x < to_width; ++x) {
      const uint8_t* block = in + 2 * y * stride + 2 * x * channels;
      for (int64_t c = 0; c < channels; ++c, ++block) {
        *out++ = static_cast<uint8_t>((block[0] + block[channels] + block[stride] + block[stride + channels] + 2) >> 2);
      }
    }
  }
}

}  // namespace

Tensor resize_bilinear(const Tensor& image, int64_t height, int64_t width) {
  const Shape& from = image.shape();
  if (image.dtype() != DType::UInt8 || from.size() != 3 || from[0] < 1 || from[1] < 1 || height < 1 || width < 1) {
    fail(Code::InvalidArgument, "resize_bilinear takes u8 [H, W, C] and a size of at least 1 x 1");
  }
  if (from[0] == height && from[1] == width) return image;
  Tensor resized(DType::UInt8, {height, width, from[2]});
  const uint8_t* in = image.values<uint8_t>().data();
  uint8_t* out = resized.mutable_values<uint8_t>().data();
  if (from[0] == 2 * height && from[1] == 2 * width) {
    halve(in, from[2], out, height, width);
    return resized;
  }
  switch (from[2]) {
    case 1:
      resize_linear<1>(in, from[0], from[1], out, height, width);
      break;
    case 3:
      resize_linear<3>(in, from[0], from[1], out, height, width);
      break;
    case 4:
      resize_linear<4>(in, from[0], from[1], out, height, width);
      break;
    default:
      fail(Code::InvalidArgument, "resize_bilinear takes images of 1, 3 or 4 channels");
  }
  return resized;
}

}  // namespace openrknn
