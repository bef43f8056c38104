// Elements of every type and layout as numbers: enough for the stub's tags and echoes.
#pragma once

#include <cstddef>

#include "rknn_api.h"

namespace openrknn::stub {

double read_element(const std::byte* bytes, rknn_tensor_type type, size_t index);
/// Integers saturate, halves to even.
void write_element(std::byte* bytes, rknn_tensor_type type, size_t index, double value);

/// How a tensor's elements lie. Images are found by (n, c, h, w), all others by position.
class Layout {
 public:
  /// `attr`: dims as of `attr.fmt`. `logical`: of the tensor itself, for the channels NC1HWC2 does not tell.
  Layout(const rknn_tensor_attr& attr, const rknn_tensor_attr& logical);
  bool image() const { return image_; }
  uint32_t extent(int axis) const { return nchw_[axis]; }  ///< n, c, h, w
  size_t at(uint32_t n, uint32_t c, uint32_t h, uint32_t w) const;
  size_t elements() const { return elements_; }  ///< that the memory must have room for

 private:
  bool image_ = false;
  rknn_tensor_format fmt_;
  uint32_t nchw_[4] = {1, 1, 1, 1};
  size_t row_ = 0, c2_ = 1, elements_ = 0;
};

/// As many elements as both have; images by place, all else by position.
void echo(const Layout& from, const std::byte* source, rknn_tensor_type source_type, const Layout& to,
          std::byte* target, rknn_tensor_type target_type);

}  // namespace openrknn::stub
