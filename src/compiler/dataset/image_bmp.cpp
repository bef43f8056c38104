// Windows bitmaps, by hand: the uncompressed ones.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "compiler/dataset/image_formats.h"

namespace openrknn {
namespace {

constexpr int64_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40;
enum Compression : uint32_t { kNone = 0, kBitFields = 3, kAlphaBitFields = 6 };
constexpr std::string_view kRefused[] = {"", "RLE8", "RLE4", "", "JPEG", "PNG"};  // by number

struct Rgb {
  uint8_t red = 0, green = 0, blue = 0;
};

// Bits of one color in a 16 or 32 bit pixel.
struct Field {
  int shift = 0, bits = 0;
  // Moved to the top of a byte; the bits below stay 0, as OpenCV does it.
  uint8_t of(uint32_t pixel) const {
    const uint32_t value = pixel >> shift & ((uint64_t{1} << bits) - 1);
    return static_cast<uint8_t>(bits <= 8 ? value << (8 - bits) : value >> (bits - 8));
  }
};

class Bitmap {
 public:
  explicit Bitmap(const EncodedImage& file) : file_(file) { read_header(); }
  Tensor pixels() const;

 private:
  void read_header();
  void read_palette(int64_t at, int64_t entries, int64_t entry_bytes);
  void read_fields(int64_t at, uint32_t compression);
  uint32_t number(int64_t at, int bytes) const;
  Rgb pixel(const uint8_t* row, int64_t x) const;
  int64_t row_bytes() const { return (width_ * bits_ + 31) / 32 * 4; }  // rows start at multiples of four bytes
  [[noreturn]] void refuse(std::string_view problem, std::string_view fix = {}) const {
    fail_image(file_.name, fmt::format("cannot decode this BMP: {}", problem), std::string(fix));
  }

  const EncodedImage& file_;
  int64_t width_ = 0, height_ = 0, data_at_ = 0;
  bool top_down_ = false;
  int bits_ = 0;  // of a pixel
  std::array<Rgb, 256> palette_{};
  Field red_, green_, blue_;
};

// Little-endian. Throws behind the end of the file.
uint32_t Bitmap::number(int64_t at, int bytes) const {
  if (at < 0 || at + bytes > static_cast<int64_t>(file_.bytes.size())) refuse("the file ends too early");
  uint32_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | std::to_integer<uint32_t>(file_.bytes[at + i]);
  return value;
}

void Bitmap::read_header() {
  data_at_ = number(10, 4);
  const int64_t header = number(kFileHeader, 4);
  uint32_t compression = kNone;
  int64_t colors = 0;
  if (header == kCoreHeader) {
    width_ = number(18, 2);
    height_ = number(20, 2);
    bits_ = static_cast<int>(number(24, 2));
  } else if (header >= kInfoHeader) {
    width_ = static_cast<int32_t>(number(18, 4));
    height_ = static_cast<int32_t>(number(22, 4));
    bits_ = static_cast<int>(number(28, 2));
    compression = number(30, 4);
    colors = number(46, 4);
  } else {
    refuse(fmt::format("a header of {} bytes is not known", header));
  }
  top_down_ = height_ < 0;
  height_ = std::abs(height_);

  if (compression < std::size(kRefused) && !kRefused[compression].empty()) {
    refuse(fmt::format("{} compression is not supported", kRefused[compression]), "save it uncompressed, or as png");
  }
  const bool fields = compression == kBitFields || compression == kAlphaBitFields;
  if (compression != kNone && !fields) refuse(fmt::format("compression {} is not known", compression));
  if (bits_ == 16 || bits_ == 32) {
    read_fields(kFileHeader + kInfoHeader, compression);
  } else if (fields || (bits_ != 1 && bits_ != 4 && bits_ != 8 && bits_ != 24)) {
    refuse(fmt::format("{} bits a pixel are not supported{}", bits_, fields ? " with bit fields" : ""));
  } else if (bits_ <= 8) {
    const int64_t most = int64_t{1} << bits_;
    if (colors > 256) refuse(fmt::format("a palette of {} colors", colors));
    read_palette(kFileHeader + header, colors == 0 ? most : std::min(colors, most), header == kCoreHeader ? 3 : 4);
  }
}

void Bitmap::read_palette(int64_t at, int64_t entries, int64_t entry_bytes) {
  for (int64_t i = 0; i < entries; ++i) {
    const uint32_t color = number(at + i * entry_bytes, 3);
    palette_[i] = {static_cast<uint8_t>(color >> 16), static_cast<uint8_t>(color >> 8), static_cast<uint8_t>(color)};
  }
}

void Bitmap::read_fields(int64_t at, uint32_t compression) {
  uint32_t masks[3] = {0x00FF0000, 0x0000FF00, 0x000000FF};
  if (bits_ == 16) {
    masks[0] = 0x7C00, masks[1] = 0x03E0, masks[2] = 0x001F;
  }
  Field* const targets[] = {&red_, &green_, &blue_};
  for (int i = 0; i < 3; ++i) {
    const uint32_t mask = compression == kNone ? masks[i] : number(at + 4 * i, 4);
    const int shift = mask == 0 ? 0 : std::countr_zero(mask), bits = std::popcount(mask);
    if (static_cast<int>(std::bit_width(mask)) != shift + bits || shift + bits > bits_) {
      refuse(fmt::format("the color mask {:08x} is not one run of bits inside a {} bit pixel", mask, bits_));
    }
    *targets[i] = {shift, bits};
  }
}

Rgb Bitmap::pixel(const uint8_t* row, int64_t x) const {
  if (bits_ == 24) return {row[3 * x + 2], row[3 * x + 1], row[3 * x]};
  if (bits_ > 8) {
    const uint8_t* at = row + x * bits_ / 8;
    uint32_t value = at[0] | at[1] << 8;
    if (bits_ == 32) value |= at[2] << 16 | static_cast<uint32_t>(at[3]) << 24;
    return {red_.of(value), green_.of(value), blue_.of(value)};
  }
  const int64_t bit = x * bits_;  // the leftmost pixel has the highest bits
  return palette_[row[bit / 8] >> (8 - bits_ - bit % 8) & ((1 << bits_) - 1)];
}

Tensor Bitmap::pixels() const {
  Tensor out = allocate_pixels(file_, height_, width_, bits_ / 8.0);
  if (data_at_ + row_bytes() * height_ > static_cast<int64_t>(file_.bytes.size())) refuse("the file ends too early");
  uint8_t* target = out.mutable_values<uint8_t>().data();
  const auto* data = reinterpret_cast<const uint8_t*>(file_.bytes.data()) + data_at_;
  for (int64_t y = 0; y < height_; ++y) {
    const uint8_t* row = data + (top_down_ ? y : height_ - 1 - y) * row_bytes();
    for (int64_t x = 0; x < width_; ++x) {
      const Rgb color = pixel(row, x);
      if (file_.gray) {
        *target++ = luma(color.red, color.green, color.blue);
      } else {
        *target++ = color.red;
        *target++ = color.green;
        *target++ = color.blue;
      }
    }
  }
  return out;
}

}  // namespace

DecodedImage decode_bmp(const EncodedImage& file) { return {Bitmap(file).pixels()}; }

}  // namespace openrknn
