// Images as the toolkit's users expect them: the pixels OpenCV gives, RGB order.
#pragma once

#include <filesystem>

#include "core/base/tensor.h"

namespace openrknn {

/// u8 [H, W, C], C = 3 (RGB) or, if `gray`, 1 (0.299 R + 0.587 G + 0.114 B as OpenCV rounds it). jpg, png (alpha
/// dropped, palette and 16 bit converted), bmp (uncompressed 1/4/8/16/24/32 bit). At most 2^28 pixels. Throws Error
/// (DatasetBadImage) naming the file.
Tensor read_image(const std::filesystem::path&, bool gray);
Tensor decode_image(std::span<const std::byte>, const std::string& name, bool gray);
/// Opens the file and looks at its first bytes: throws what read_image would throw of a file that is no image at all.
void check_image_file(const std::filesystem::path&);
/// OpenCV's INTER_LINEAR for u8, bit for bit.
Tensor resize_bilinear(const Tensor& image, int64_t height, int64_t width);
/// True for the extensions read_image knows, any case.
bool is_image_path(const std::filesystem::path&);

}  // namespace openrknn
