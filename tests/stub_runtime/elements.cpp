#include "elements.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "text_model.h"

namespace openrknn::stub {
namespace {

double half_to_double(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const double fraction = half & 1023;
  const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

uint16_t double_to_half(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(value);
  if (std::isnan(value)) return 0x7e00;
  if (magnitude >= 65520) return static_cast<uint16_t>(sign | 0x7c00);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int unit = std::max(exponent - 11, -24);  // of the last place
  const double places = std::nearbyint(std::ldexp(magnitude, -unit));
  // Places of the smallest exponent are subnormal; a carry into the next exponent is the next code.
  return static_cast<uint16_t>(sign + static_cast<uint32_t>(places) + (static_cast<uint32_t>(unit + 24) << 10));
}

template <class T>
double read_as(const std::byte* bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

template <class T>
void write_as(std::byte* bytes, size_t index, double value) {
  T stored;
  if constexpr (std::is_floating_point_v<T>) {
    stored = static_cast<T>(value);
  } else {
    const double low = static_cast<double>(std::numeric_limits<T>::min());
    const double high = static_cast<double>(std::numeric_limits<T>::max());
    const double rounded = std::nearbyint(value);
    stored = std::isnan(rounded) ? T{}
             : rounded >= high   ? std::numeric_limits<T>::max()
             : rounded <= low    ? std::numeric_limits<T>::min()
                                 : static_cast<T>(rounded);
  }
  std::memcpy(bytes + index * sizeof(T), &stored, sizeof(T));
}

struct Access {
  double (*read)(const std::byte*, size_t);
  void (*write)(std::byte*, size_t, double);
};
template <class T>
constexpr Access access() {
  return {read_as<T>, write_as<T>};
}
double read_half(const std::byte* bytes, size_t index) {
  uint16_t half = 0;
  std::memcpy(&half, bytes + index * 2, 2);
  return half_to_double(half);
}
void write_half(std::byte* bytes, size_t index, double value) {
  const uint16_t half = double_to_half(value);
  std::memcpy(bytes + index * 2, &half, 2);
}
void write_bool(std::byte* bytes, size_t index, double value) { bytes[index] = std::byte{value != 0}; }

// By rknn_tensor_type; parse_model lets no others through.
constexpr Access kAccess[] = {
    access<float>(),    {read_half, write_half}, access<int8_t>(),   access<uint8_t>(), access<int16_t>(),
    access<uint16_t>(), access<int32_t>(),       access<uint32_t>(), access<int64_t>(), {read_as<uint8_t>, write_bool}};

}  // namespace

double read_element(const std::byte* bytes, rknn_tensor_type type, size_t index) {
  return static_cast<size_t>(type) < std::size(kAccess) ? kAccess[type].read(bytes, index) : 0;
}
void write_element(std::byte* bytes, rknn_tensor_type type, size_t index, double value) {
  if (static_cast<size_t>(type) < std::size(kAccess)) kAccess[type].write(bytes, index, value);
}

Layout::Layout(const rknn_tensor_attr& attr, const rknn_tensor_attr& logical) : fmt_(attr.fmt) {
  const uint32_t* const d = attr.dims;
  elements_ = attr.n_elems;
  if (attr.fmt == RKNN_TENSOR_NC1HWC2 && attr.n_dims == 5) {
    image_ = true;
    const uint32_t channels = logical.fmt == RKNN_TENSOR_NHWC ? logical.dims[3] : logical.dims[1];
    const uint32_t extents[] = {d[0], channels, d[2], d[3]};
    std::copy_n(extents, 4, nchw_);
    c2_ = d[4];
    row_ = (channels + d[4] - 1) / d[4] > d[1] ? 0 : d[1];
    image_ = row_ != 0;  // fewer blocks than channels: no image we know
  } else if (attr.n_dims == 4 && attr.fmt == RKNN_TENSOR_NHWC) {
    image_ = true;
    const uint32_t extents[] = {d[0], d[3], d[1], d[2]};
    std::copy_n(extents, 4, nchw_);
    row_ = std::max(attr.w_stride, d[2]);
    elements_ = static_cast<size_t>(d[0]) * d[1] * row_ * d[3];
  } else if (attr.n_dims == 4 && attr.fmt == RKNN_TENSOR_NCHW) {
    image_ = true;
    std::copy_n(d, 4, nchw_);
  }
}

size_t Layout::at(uint32_t n, uint32_t c, uint32_t h, uint32_t w) const {
  const size_t height = nchw_[2], width = nchw_[3], channels = nchw_[1];
  switch (fmt_) {
    case RKNN_TENSOR_NHWC:
      return ((n * height + h) * row_ + w) * channels + c;
    case RKNN_TENSOR_NC1HWC2:
      return (((n * row_ + c / c2_) * height + h) * width + w) * c2_ + c % c2_;
    default:
      return ((n * channels + c) * height + h) * width + w;
  }
}

void echo(const Layout& from, const std::byte* source, rknn_tensor_type source_type, const Layout& to,
          std::byte* target, rknn_tensor_type target_type) {
  const auto copy = [&](size_t at, size_t goes_to) {
    write_element(target, target_type, goes_to, read_element(source, source_type, at));
  };
  if (!from.image() || !to.image()) {
    for (size_t i = 0; i < std::min(from.elements(), to.elements()); ++i) copy(i, i);
    return;
  }
  uint32_t end[4];
  for (int axis = 0; axis < 4; ++axis) end[axis] = std::min(from.extent(axis), to.extent(axis));
  for (uint32_t n = 0; n < end[0]; ++n) {
    for (uint32_t c = 0; c < end[1]; ++c) {
      for (uint32_t h = 0; h < end[2]; ++h) {
        for (uint32_t w = 0; w < end[3]; ++w) copy(from.at(n, c, h, w), to.at(n, c, h, w));
      }
    }
  }
}

}  // namespace openrknn::stub
