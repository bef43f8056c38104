// Image files for tests, written by the libraries' own encoders or byte by byte.
#pragma once

#include <png.h>

#include <cstdio>  // jpeglib.h forgets it

#include <jpeglib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "core/base/file.h"
#include "core/base/npy.h"
#include "core/base/tensor.h"

namespace openrknn::testing_images {

/// A folder of its own, gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "openrknn-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    write_file(path_ / name, content);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// u8 [height, width, channels] counting up by 7, so that every element is told from its neighbours.
inline Tensor counting_image(int64_t height, int64_t width, int64_t channels) {
  Tensor image(DType::UInt8, {height, width, channels});
  uint8_t next = 0;
  for (uint8_t& x : image.mutable_values<uint8_t>()) x = next += 7;
  return image;
}

/// PNG of u8 [H, W, 1 | 3 | 4].
inline std::string png_of(const Tensor& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<png_uint_32>(image.shape()[0]);
  header.width = static_cast<png_uint_32>(image.shape()[1]);
  const int64_t channels = image.shape()[2];
  header.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&header, nullptr, &size, 0, image.bytes().data(), 0, nullptr);
  std::string file(size, '\0');
  png_image_write_to_memory(&header, file.data(), &size, 0, image.bytes().data(), 0, nullptr);
  file.resize(size);
  return file;
}

struct JpegOptions {
  J_COLOR_SPACE space = JCS_RGB;
  int quality = 95;
  bool progressive = false;
  std::string app1;  ///< content of an APP1 segment
};

/// JPEG of u8 [H, W, 1 | 3 | 4].
inline std::string jpeg_of(const Tensor& image, const JpegOptions& options = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_height = static_cast<JDIMENSION>(image.shape()[0]);
  info.image_width = static_cast<JDIMENSION>(image.shape()[1]);
  info.input_components = static_cast<int>(image.shape()[2]);
  info.in_color_space = options.space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!options.app1.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(options.app1.data()),
                      static_cast<unsigned>(options.app1.size()));
  }
  const auto* pixels = reinterpret_cast<const uint8_t*>(image.bytes().data());
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels + info.next_scanline * image.shape()[1] * image.shape()[2]);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<const char*>(buffer), size);
  std::free(buffer);
  return file;
}

inline std::string little_endian(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

/// A bitmap with the 40-byte header; `tail` is what follows it (masks, palette), `pixels` the padded rows as stored.
inline std::string bmp_of(int32_t width, int32_t height, int bits, uint32_t compression, const std::string& tail,
                          const std::string& pixels) {
  const auto offset = static_cast<uint32_t>(54 + tail.size());
  return "BM" + little_endian(offset + static_cast<uint32_t>(pixels.size()), 4) + little_endian(0, 4) +
         little_endian(offset, 4) + little_endian(40, 4) + little_endian(static_cast<uint32_t>(width), 4) +
         little_endian(static_cast<uint32_t>(height), 4) + little_endian(1, 2) +
         little_endian(static_cast<uint32_t>(bits), 2) + little_endian(compression, 4) + std::string(20, '\0') + tail +
         pixels;
}

/// An EXIF segment that holds the orientation alone.
inline std::string exif_of(int orientation, bool big_endian = false) {
  const auto number = [&](uint32_t value, int bytes) {
    std::string text = little_endian(value, bytes);
    return big_endian ? std::string(text.rbegin(), text.rend()) : text;
  };
  return std::string("Exif\0\0", 6) + (big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) +
         number(0x0112, 2) + number(3, 2) + number(1, 4) + number(static_cast<uint32_t>(orientation), 2) +
         std::string(6, '\0');
}

}  // namespace openrknn::testing_images
