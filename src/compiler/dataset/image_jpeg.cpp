// JPEG through libjpeg-turbo, with its defaults (accurate integer DCT, smooth upsampling): what OpenCV and Pillow use.
#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h forgets it
#include <cstring>
#include <string_view>

#include <jpeglib.h>

#include "compiler/dataset/exif.h"
#include "compiler/dataset/image_formats.h"

namespace openrknn {
namespace {

constexpr std::string_view kExifMark("Exif\0\0", 6);
// A progressive file of some kilobytes may hold thousands of scans of millions of blocks each. Encoders write about
// ten.
constexpr int kMostScans = 500;

// Everything libjpeg touches. Its error handler leaves by longjmp, so functions that call setjmp own nothing that has
// a destructor; this object, one frame above, is destroyed as usual.
struct Decompressor {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX] = {};
  bool ran_out = false;  // libjpeg wanted more bytes than the file has
  bool several_scans = false;

  explicit Decompressor(std::span<const std::byte> bytes);
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  bool read_header();
  bool read_pixels(uint8_t* out, bool gray);
  bool truncated() const;
};

Decompressor& owner(j_common_ptr info) { return *static_cast<Decompressor*>(info->client_data); }
Decompressor& owner(j_decompress_ptr info) { return *static_cast<Decompressor*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) {
  info->err->format_message(info, owner(info).message);
  std::longjmp(owner(info).escape, 1);
}

// The file is at hand as a whole: being asked for more means that it is too short. An end marker lets libjpeg finish.
boolean supply_end_marker(j_decompress_ptr info) {
  static constexpr JOCTET kEnd[] = {0xFF, JPEG_EOI};
  owner(info).ran_out = true;
  info->src->next_input_byte = kEnd;
  info->src->bytes_in_buffer = sizeof kEnd;
  return TRUE;
}

void skip_bytes(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > info->src->bytes_in_buffer) {
    supply_end_marker(info);
    return;
  }
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<size_t>(count);
}

void limit_scans(j_common_ptr common) {
  const auto info = reinterpret_cast<j_decompress_ptr>(common);
  if (info->input_scan_number <= kMostScans) return;
  Decompressor& decompressor = owner(info);
  std::snprintf(decompressor.message, sizeof decompressor.message, "more than %d scans", kMostScans);
  std::longjmp(decompressor.escape, 1);
}

Decompressor::Decompressor(std::span<const std::byte> bytes) {
  info.err = jpeg_std_error(&errors);
  info.client_data = this;
  errors.error_exit = leave;
  errors.output_message = [](j_common_ptr) {};  // libjpeg would write to stderr
  source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  source.bytes_in_buffer = bytes.size();
  source.init_source = [](j_decompress_ptr) {};
  source.term_source = [](j_decompress_ptr) {};
  source.fill_input_buffer = supply_end_marker;
  source.skip_input_data = skip_bytes;
  source.resync_to_restart = jpeg_resync_to_restart;
  progress.progress_monitor = limit_scans;
}

bool Decompressor::read_header() {
  if (setjmp(escape) != 0) return false;
  jpeg_create_decompress(&info);
  info.src = &source;
  info.progress = &progress;
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);  // APP1 holds EXIF
  jpeg_read_header(&info, TRUE);
  return true;
}

// OpenCV's conversion. Adobe stores CMYK inverted (0 = full ink), which is what both take for granted.
uint8_t without_black(int ink, int black) { return static_cast<uint8_t>(black - ((255 - ink) * black >> 8)); }

void convert_cmyk_row(const uint8_t* cmyk, int64_t width, bool gray, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x, cmyk += 4) {
    const uint8_t red = without_black(cmyk[0], cmyk[3]);
    const uint8_t green = without_black(cmyk[1], cmyk[3]);
    const uint8_t blue = without_black(cmyk[2], cmyk[3]);
    if (gray) {
      *out++ = luma(red, green, blue);
    } else {
      *out++ = red;
      *out++ = green;
      *out++ = blue;
    }
  }
}

bool Decompressor::read_pixels(uint8_t* out, bool gray) {
  if (setjmp(escape) != 0) return false;
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : gray ? JCS_GRAYSCALE : JCS_RGB;  // gray of YCbCr is its Y, untouched
  several_scans = jpeg_has_multiple_scans(&info);
  jpeg_start_decompress(&info);
  const int64_t width = info.output_width, row_bytes = width * (gray ? 1 : 3);
  JSAMPARRAY cmyk_row = nullptr;
  if (cmyk) {
    cmyk_row = info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                      static_cast<JDIMENSION>(width * 4), 1);
  }
  while (info.output_scanline < info.output_height) {
    uint8_t* row = out + static_cast<int64_t>(info.output_scanline) * row_bytes;
    if (cmyk) {
      jpeg_read_scanlines(&info, cmyk_row, 1);
      convert_cmyk_row(cmyk_row[0], width, gray, row);
    } else {
      jpeg_read_scanlines(&info, &row, 1);
    }
  }
  return true;
}

// Many writers forget the end marker: a file of one scan may lack it, for libjpeg warns when it has to make up pixels.
// Where there are several scans nothing but the marker tells that the last one was there.
bool Decompressor::truncated() const { return ran_out && (several_scans || errors.num_warnings > 0); }

int orientation_of(const jpeg_decompress_struct& info) {
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, kExifMark.size()) != kExifMark) continue;
    return exif_orientation(std::as_bytes(std::span(data.substr(kExifMark.size()))));
  }
  return 1;
}

}  // namespace

DecodedImage decode_jpeg(const EncodedImage& file) {
  Decompressor decompressor(file.bytes);
  const auto refuse = [&] {
    const char* problem = decompressor.ran_out ? "the file ends too early" : decompressor.message;
    fail_image(file.name, fmt::format("cannot decode this JPEG: {}", problem));
  };
  if (!decompressor.read_header()) refuse();
  const jpeg_decompress_struct& info = decompressor.info;
  const int64_t height = info.image_height, width = info.image_width;
  // Huffman coding spends at least one bit on each block of 64 samples.
  const double least_bytes = info.arith_code ? 0.0 : 1.0 / (64 * 8);
  DecodedImage image{allocate_pixels(file, height, width, least_bytes), orientation_of(info)};
  if (!decompressor.read_pixels(image.pixels.mutable_values<uint8_t>().data(), file.gray)) refuse();
  if (decompressor.truncated()) fail_image(file.name, "cannot decode this JPEG: the file ends too early");
  return image;
}

}  // namespace openrknn
