#include "compiler/dataset/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "compiler/dataset/exif.h"
#include "compiler/dataset/image_formats.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace openrknn {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;

using std::string_view_literals::operator""sv;

// A file is what its first bytes say, whatever its name says: photographs named .png that are JPEG are common.
struct Format {
  std::string_view magic;
  DecodedImage (*decode)(const EncodedImage&);
};
constexpr Format kFormats[] = {
    {"\xFF\xD8\xFF"sv, decode_jpeg},
    {"\x89PNG\r\n\x1A\n"sv, decode_png},
    {"BM"sv, decode_bmp},
};

// What else people put there, to say it by name.
struct Stranger {
  size_t at;
  std::string_view magic, name;
};
constexpr Stranger kStrangers[] = {
    {0, "GIF8"sv, "a GIF image"},
    {8, "WEBP"sv, "a WebP image"},
    {0, "II*\0"sv, "a TIFF image"},
    {0, "MM\0*"sv, "a TIFF image"},
    {4, "ftypavif"sv, "an AVIF image"},
    {4, "ftyphei"sv, "a HEIF image"},
    {0, "\x93NUMPY"sv, "a numpy array"},
    {0, "PK\x03\x04"sv, "a zip file"},
    {0, "<!DOCTYPE"sv, "a web page"},
    {0, "<html"sv, "a web page"},
    {0, "<?xml"sv, "an XML file"},
    {0, "<svg"sv, "an SVG drawing"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself"},
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void refuse_stranger(std::string_view content, const std::string& name) {
  constexpr const char* kFix = "use a jpg, png or bmp file";
  if (content.empty()) fail_image(name, "the file is empty", kFix);
  for (const Stranger& stranger : kStrangers) {
    if (content.size() > stranger.at &&
        content.substr(stranger.at).substr(0, stranger.magic.size()) == stranger.magic) {
      fail_image(name, fmt::format("this is {}", stranger.name), kFix);
    }
  }
  fail_image(name, "the file is not an image: its first bytes are none of jpg, png or bmp", kFix);
}

const Format& format_of(std::string_view content, const std::string& name) {
  for (const Format& format : kFormats) {
    if (content.substr(0, format.magic.size()) == format.magic) return format;
  }
  refuse_stranger(content, name);
}

}  // namespace

void fail_image(const std::string& name, std::string problem, std::string fix) {
  fail(Code::DatasetBadImage, Location{.file = name}, std::move(problem), std::move(fix));
}

Tensor allocate_pixels(const EncodedImage& file, int64_t height, int64_t width, double least_bytes) {
  if (height <= 0 || width <= 0) fail_image(file.name, fmt::format("the image has no pixels ({} x {})", width, height));
  if (width > kMostPixels / height) {
    fail_image(file.name, fmt::format("the image has {} x {} pixels, at most 2^28 are read", width, height),
               "make it smaller");
  }
  const double needed = static_cast<double>(height) * static_cast<double>(width) * least_bytes;
  if (needed > static_cast<double>(file.bytes.size())) {
    fail_image(file.name, fmt::format("the file ends too early: it claims {} x {} pixels and has {} bytes", width,
                                      height, file.bytes.size()));
  }
  return Tensor(DType::UInt8, {height, width, file.gray ? 1 : 3});
}

Tensor decode_image(std::span<const std::byte> bytes, const std::string& name, bool gray) {
  const DecodedImage image = format_of(as_text(bytes), name).decode({bytes, name, gray});
  return apply_orientation(image.pixels, image.orientation);
}

void check_image_file(const std::filesystem::path& path) {
  format_of(as_text(MappedFile::open(path)->bytes()), path.string());
}

Tensor read_image(const std::filesystem::path& path, bool gray) {
  return decode_image(MappedFile::open(path)->bytes(), path.string(), gray);
}

bool is_image_path(const std::filesystem::path& path) {
  const std::string extension = lower_case(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".bmp";
}

}  // namespace openrknn
