// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "image_decoders.h"
#include "path_utils.h"

namespace rknn_app {
namespace {

constexpr int kOne = 2048;  // weights have 11 bits
constexpr uint8_t kBorder = 114;

// Where one row or column of the result comes from: two neighbours and their weights.
struct Tap {
  size_t low, high;
  int low_weight, high_weight;
};

// Half-pixel centers. The roundings are those of OpenCV's INTER_LINEAR, which differ between rows and columns.
std::vector<Tap> taps(size_t from, size_t to, bool columns) {
  const double scale = 1.0 / (static_cast<double>(to) / static_cast<double>(from));
  std::vector<Tap> result;
  for (size_t i = 0; i < to; ++i) {
    const auto position = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    const auto low = static_cast<int64_t>(std::floor(position)), last = static_cast<int64_t>(from) - 1;
    float fraction = position - static_cast<float>(low);
    if (columns && (low < 0 || low >= last)) fraction = 0.0f;
    const auto inside = [&](int64_t x) { return static_cast<size_t>(std::min(std::max<int64_t>(x, 0), last)); };
    const auto weight = [](float share) { return static_cast<int>(std::nearbyint(share * kOne)); };
    result.push_back({inside(low), inside(low + 1), weight(1.0f - fraction), weight(fraction)});
  }
  return result;
}

std::vector<int32_t> blend_columns(const Image& image, size_t y, const std::vector<Tap>& columns) {
  const uint8_t* row = image.pixels.data() + y * image.width * image.channels;
  std::vector<int32_t> line;
  line.reserve(columns.size() * image.channels);
  for (const Tap& tap : columns) {
    for (size_t c = 0; c < image.channels; ++c) {
      line.push_back(row[tap.low * image.channels + c] * tap.low_weight +
                     row[tap.high * image.channels + c] * tap.high_weight);
    }
  }
  return line;
}

// Halving both sides exactly: the mean of each 2 x 2 block, as OpenCV does it.
void halve(const Image& image, Image& half) {
  const size_t channels = image.channels, stride = image.width * channels;
  uint8_t* out = half.pixels.data();
  for (size_t y = 0; y < half.height; ++y) {
    for (size_t x = 0; x < half.width; ++x) {
      const uint8_t* block = image.pixels.data() + 2 * y * stride + 2 * x * channels;
      for (size_t c = 0; c < channels; ++c, ++block) {
        *out++ = static_cast<uint8_t>((block[0] + block[channels] + block[stride] + block[stride + channels] + 2) >> 2);
      }
    }
  }
}

Image resize(const Image& image, size_t height, size_t width) {
  if (image.height == height && image.width == width) return image;
  Image resized;
  resized.height = height;
  resized.width = width;
  resized.channels = image.channels;
  resized.pixels.resize(height * width * image.channels);
  if (image.height == 2 * height && image.width == 2 * width) {
    halve(image, resized);
    return resized;
  }
  const std::vector<Tap> columns = taps(image.width, width, true), rows = taps(image.height, height, false);
  std::vector<int32_t> low, high;
  size_t low_row = SIZE_MAX, high_row = SIZE_MAX;  // which rows they hold
  uint8_t* out = resized.pixels.data();
  for (const Tap& tap : rows) {
    if (low_row != tap.low && high_row == tap.low) {
      std::swap(low, high);
      std::swap(low_row, high_row);
    }
    if (low_row != tap.low) low = blend_columns(image, low_row = tap.low, columns);
    if (high_row != tap.high) high = blend_columns(image, high_row = tap.high, columns);
    for (size_t i = 0; i < low.size(); ++i) {
      const int a = (tap.low_weight * (low[i] >> 4)) >> 16, b = (tap.high_weight * (high[i] >> 4)) >> 16;
      *out++ = static_cast<uint8_t>((a + b + 2) >> 2);
    }
  }
  return resized;
}

bool begins_with(const std::vector<unsigned char>& bytes, const char* magic) {
  const size_t size = std::strlen(magic);
  return bytes.size() >= size && std::memcmp(bytes.data(), magic, size) == 0;
}

}  // namespace

bool is_image(const std::string& path) {
  const std::string extension = extension_of(path);
  for (const char* known : {"jpg", "jpeg", "png", "bmp", "ppm", "pgm"}) {
    if (extension == known) return true;
  }
  return false;
}

Image read_image(const std::string& path, size_t channels) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const EncodedImage file{bytes, path, channels};
  if (!stream.is_open()) refuse_image(file, "the file cannot be opened");
  if (begins_with(bytes, "\xFF\xD8\xFF")) return decode_jpeg(file);
  if (begins_with(bytes, "\x89PNG\r\n\x1A\n")) return decode_png(file);
  if (begins_with(bytes, "BM")) return decode_bmp(file);
  if (begins_with(bytes, "P5") || begins_with(bytes, "P6")) return decode_pnm(file);
  refuse_image(file, "this is none of JPEG, PNG, BMP, PPM and PGM");
}

Image letterbox(const Image& image, size_t height, size_t width) {
  // The side that fills the frame, then the other one rounded, in whole numbers.
  size_t fit_height = height, fit_width = width;
  if (width * image.height <= height * image.width) {
    fit_height = std::max<size_t>(1, (2 * image.height * width + image.width) / (2 * image.width));
  } else {
    fit_width = std::max<size_t>(1, (2 * image.width * height + image.height) / (2 * image.height));
  }
  const Image fitted = resize(image, fit_height, fit_width);
  if (fit_height == height && fit_width == width) return fitted;
  Image framed;
  framed.height = height;
  framed.width = width;
  framed.channels = image.channels;
  framed.pixels.assign(height * width * image.channels, kBorder);
  const size_t top = (height - fit_height) / 2, left = (width - fit_width) / 2, row = fit_width * image.channels;
  for (size_t y = 0; y < fit_height; ++y) {
    std::memcpy(framed.pixels.data() + ((top + y) * width + left) * image.channels, fitted.pixels.data() + y * row,
                row);
  }
  return framed;
}

void swap_red_and_blue(Image& image) {
  for (size_t i = 0; image.channels == 3 && i < image.pixels.size(); i += 3) {
    std::swap(image.pixels[i], image.pixels[i + 2]);
  }
}

}  // namespace rknn_app
