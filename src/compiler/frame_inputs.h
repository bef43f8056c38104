// inputs_yuv_fmt: a model of pictures becomes one of YUV 4:2:0 frames, as a camera or a video decoder gives them. The
// conversion to RGB is part of the graph, so the NPU does it.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"
#include "core/model/pixel_format.h"

namespace openrknn {

/// Of each input, in the model's order; null: it stays as it is.
using FrameFormats = std::vector<const PixelFormat*>;
inline const PixelFormat* format_of(const FrameFormats& formats, size_t input) {
  return input < formats.size() ? formats[input] : nullptr;
}

/// Replaces the inputs [N, 3, H, W] of an imported graph that have a format by frames [N, 1, 3 H / 2, W], which become
/// pictures again by nearest chroma, BT.601 and saturation to 0..255; then mean and std of the input are applied, which
/// the port therefore must not do. `bgr`: the model wants blue first. A mean or std of another length than 3 is left
/// for input_ports() to refuse. Throws Error (ConfigBadValue) naming all inputs that are no pictures.
void take_frames(Graph& imported, const FrameFormats&, const std::vector<std::vector<float>>& mean,
                 const std::vector<std::vector<float>>& std, const std::vector<bool>& bgr);

}  // namespace openrknn
