// EXIF orientation: the one property of a photograph's metadata that changes its pixels.
#pragma once

#include <cstddef>
#include <span>

#include "core/base/tensor.h"

namespace openrknn {

/// Orientation (1..8) from a TIFF block, the part of an EXIF segment behind "Exif\0\0". 1 if absent or damaged.
int exif_orientation(std::span<const std::byte> tiff);
/// Turns u8 [H, W, C] as the orientation asks; 5 to 8 exchange height and width.
Tensor apply_orientation(const Tensor& pixels, int orientation);

}  // namespace openrknn
