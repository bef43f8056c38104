// Pictures as the frames that a model with inputs_yuv_fmt takes.
#pragma once

#include <filesystem>

#include "core/base/tensor.h"
#include "core/model/pixel_format.h"

namespace openrknn {

/// u8 [H, W, 3], RGB, as the bytes of one frame: u8 [3 H / 2, W]. A chroma sample is that of the mean of its four
/// pixels; every byte is rounded half up. H and W are even.
Tensor to_frame(const Tensor& picture, const PixelFormat&);
/// The frame of an image file, stretched to an input of `frame` shape [1, 1, 3 H / 2, W]. Throws Error as read_image().
Tensor read_frame(const std::filesystem::path&, const PixelFormat&, const Shape& frame);

}  // namespace openrknn
