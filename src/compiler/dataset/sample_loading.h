// From a file or an array to what the graph's input takes. Shared by the kinds of Samples.
#pragma once

#include <filesystem>
#include <string>

#include "compiler/dataset/samples.h"
#include "core/model/ports.h"

namespace openrknn {

/// What is wrong and how to mend it; both empty if nothing is.
struct Complaint {
  std::string problem, fix;
  explicit operator bool() const { return !problem.empty(); }
};

/// Can an image be this input? Needs [1, C, H, W] with 1 or 3 channels, and a type that holds 0..255.
Complaint check_image_input(const SampleSpec&);
/// Has an array of this shape the input's shape in `layout`, with or without a leading batch of 1?
Complaint check_array_shape(const SampleSpec&, const Shape&, PortLayout layout);

/// Decode, stretch to the input's size, exchange red and blue if asked, mean and std. For an input of frames: the frame
/// of the picture, which has red first whatever is asked.
Tensor load_image(const SampleSpec&, const std::filesystem::path&);
/// Throws Error (DatasetNotFinite) if a float array holds NaN or infinity, (DatasetBadArray) if an integer input cannot
/// hold it.
Tensor load_array(const SampleSpec&, const Tensor&, PortLayout layout);

}  // namespace openrknn
