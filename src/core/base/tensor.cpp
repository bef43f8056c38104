#include "core/base/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/layout.h"
#include "core/base/machine_memory.h"

namespace openrknn {
namespace {

constexpr size_t kAlignment = 64;
// Kernels may read up to a vector past the end (kernel.h, Buffer).
constexpr size_t kReadablePadding = 64;
// From here on a request is compared with what the machine has.
constexpr size_t kLargeBytes = size_t{64} << 20;

std::shared_ptr<std::byte> allocate(size_t bytes, DType dtype, const Shape& shape) {
  const size_t rounded = (bytes + kReadablePadding + kAlignment - 1) / kAlignment * kAlignment;
  const bool fits = rounded >= bytes && (rounded < kLargeBytes || static_cast<int64_t>(rounded) <= available_memory());
  void* memory = fits ? std::aligned_alloc(kAlignment, rounded) : nullptr;
  if (memory == nullptr) {
    fail(Code::OutOfMemory,
         fmt::format("cannot allocate {:.1f} MiB for a {} tensor of shape {}; {:.1f} MiB are available",
                     static_cast<double>(bytes) / 0x1p20, name(dtype), to_string(shape),
                     static_cast<double>(available_memory()) / 0x1p20));
  }
  std::memset(static_cast<std::byte*>(memory) + bytes, 0, rounded - bytes);
  return {static_cast<std::byte*>(memory), std::free};
}

int64_t checked_byte_size(DType dtype, const Shape& shape) {
  const int64_t count = element_count(shape);
  if (count > std::numeric_limits<int64_t>::max() / 16) {
    fail(Code::InvalidShape, fmt::format("shape {} is too large for a tensor", to_string(shape)));
  }
  return byte_size(dtype, count);
}

int unpack4(const std::byte* bytes, int64_t index, bool is_signed) {
  const int code = (static_cast<int>(bytes[index / 2]) >> (index % 2 * 4)) & 15;
  return is_signed && code >= 8 ? code - 16 : code;
}

// Calls visit(index, value) for every element, value in the widest type of its kind.
template <class Visit>
void for_each_element(const Tensor& tensor, const Visit& visit) {
  const std::byte* bytes = tensor.bytes().data();
  const auto walk = [&]<class T, class Wide>(T, Wide) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      T element;
      std::memcpy(&element, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
      visit(i, static_cast<Wide>(element));
    }
  };
  switch (tensor.dtype()) {
    case DType::Float32:
      return walk(float{}, double{});
    case DType::Float16:
      return walk(Float16{}, float{});
    case DType::BFloat16:
      return walk(BFloat16{}, float{});
    case DType::Float64:
      return walk(double{}, double{});
    case DType::Int8:
      return walk(int8_t{}, int64_t{});
    case DType::UInt8:
    case DType::Bool:
      return walk(uint8_t{}, int64_t{});
    case DType::Int16:
      return walk(int16_t{}, int64_t{});
    case DType::UInt16:
      return walk(uint16_t{}, int64_t{});
    case DType::Int32:
      return walk(int32_t{}, int64_t{});
    case DType::UInt32:
      return walk(uint32_t{}, int64_t{});
    case DType::Int64:
      return walk(int64_t{}, int64_t{});
    case DType::UInt64:
      return walk(uint64_t{}, uint64_t{});
    case DType::Int4:
    case DType::UInt4:
      for (int64_t i = 0; i < tensor.size(); ++i) {
        visit(i, static_cast<int64_t>(unpack4(bytes, i, tensor.dtype() == DType::Int4)));
      }
      return;
  }
}

// Truncates towards zero and saturates; NaN gives 0.
template <class To, class From>
To saturating(From value) {
  if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return To{0};
    constexpr double low = static_cast<double>(std::numeric_limits<To>::lowest());
    constexpr double high = static_cast<double>(std::numeric_limits<To>::max());
    const double wide = static_cast<double>(value);
    if (wide <= low) return std::numeric_limits<To>::lowest();
    if (wide >= high) return std::numeric_limits<To>::max();
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(value);  // integers wrap, as numpy's astype
  }
}

}  // namespace

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  byte_count_ = static_cast<size_t>(checked_byte_size(dtype_, shape_));
  size_ = element_count(shape_);
  std::shared_ptr<std::byte> memory = allocate(byte_count_, dtype_, shape_);
  data_ = memory.get();
  owner_ = std::move(memory);
  writable_ = true;
}

Tensor Tensor::view(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.byte_count_ = static_cast<size_t>(checked_byte_size(dtype, shape));
  if (bytes.size() < tensor.byte_count_) {
    fail(Code::InvalidShape, fmt::format("a {} tensor of shape {} needs {} bytes, got {}", name(dtype),
                                         to_string(shape), tensor.byte_count_, bytes.size()));
  }
  tensor.dtype_ = dtype;
  tensor.size_ = element_count(shape);
  tensor.shape_ = std::move(shape);
  tensor.data_ = bytes.data();
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  Tensor tensor(dtype, std::move(shape));
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
  return tensor;
}

std::span<std::byte> Tensor::mutable_bytes() {
  if (!writable_ || owner_.use_count() > 1) {
    Tensor copy(dtype_, shape_);
    if (byte_count_ > 0) std::memcpy(const_cast<std::byte*>(copy.data_), data_, byte_count_);
    *this = std::move(copy);
  }
  return {const_cast<std::byte*>(data_), byte_count_};
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != size_) {
    fail(Code::InvalidShape, fmt::format("cannot reshape {} to {}", to_string(shape_), to_string(shape)));
  }
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

void Tensor::require(DType wanted) const {
  if (dtype_ != wanted) {
    fail(Code::Internal, fmt::format("tensor is {}, read as {}", name(dtype_), name(wanted)));
  }
}

Tensor cast(const Tensor& in, DType dtype) {
  if (in.dtype() == dtype) return in;
  Tensor out(dtype, in.shape());
  std::byte* bytes = out.mutable_bytes().data();
  const auto fill = [&]<class T>(T) {
    T* target = reinterpret_cast<T*>(bytes);
    for_each_element(in, [&](int64_t i, auto value) {
      if constexpr (std::is_floating_point_v<T>) {
        target[i] = static_cast<T>(value);
      } else {
        target[i] = saturating<T>(value);
      }
    });
  };
  switch (dtype) {
    case DType::Float32:
      fill(float{});
      break;
    case DType::Float64:
      fill(double{});
      break;
    case DType::Float16:
      for_each_element(
          in, [&](int64_t i, auto v) { reinterpret_cast<Float16*>(bytes)[i] = Float16(static_cast<float>(v)); });
      break;
    case DType::BFloat16:
      for_each_element(
          in, [&](int64_t i, auto v) { reinterpret_cast<BFloat16*>(bytes)[i] = BFloat16(static_cast<float>(v)); });
      break;
    case DType::Int8:
      fill(int8_t{});
      break;
    case DType::UInt8:
      fill(uint8_t{});
      break;
    case DType::Int16:
      fill(int16_t{});
      break;
    case DType::UInt16:
      fill(uint16_t{});
      break;
    case DType::Int32:
      fill(int32_t{});
      break;
    case DType::UInt32:
      fill(uint32_t{});
      break;
    case DType::Int64:
      fill(int64_t{});
      break;
    case DType::UInt64:
      fill(uint64_t{});
      break;
    case DType::Bool:
      for_each_element(in, [&](int64_t i, auto v) { reinterpret_cast<uint8_t*>(bytes)[i] = v != 0; });
      break;
    case DType::Int4:
    case DType::UInt4:
      std::memset(bytes, 0, out.bytes().size());
      for_each_element(in, [&](int64_t i, auto v) {
        const int64_t code = std::clamp(saturating<int64_t>(v), lowest_code(dtype), highest_code(dtype));
        bytes[i / 2] |= static_cast<std::byte>((code & 15) << (i % 2 * 4));
      });
      break;
  }
  return out;
}

std::vector<double> to_doubles(const Tensor& tensor) {
  std::vector<double> out(static_cast<size_t>(tensor.size()));
  for_each_element(tensor, [&](int64_t i, auto value) { out[static_cast<size_t>(i)] = static_cast<double>(value); });
  return out;
}

std::vector<int64_t> to_ints(const Tensor& tensor) {
  std::vector<int64_t> out(static_cast<size_t>(tensor.size()));
  for_each_element(tensor, [&](int64_t i, auto value) { out[static_cast<size_t>(i)] = saturating<int64_t>(value); });
  return out;
}

Tensor transpose(const Tensor& in, const std::vector<int>& order) {
  if (bit_width(in.dtype()) == 4) return cast(transpose(cast(in, DType::Int8), order), in.dtype());
  Tensor out(in.dtype(), permute(in.shape(), order));
  copy_permuted(in.bytes(), in.shape(), order, bit_width(in.dtype()) / 8, out.mutable_bytes());
  return out;
}

bool identical(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.bytes().size() == b.bytes().size() &&
         (a.bytes().empty() || std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0);
}

}  // namespace openrknn
