// Tensor: a dense array that is a value. Copies share their bytes until one of them is written.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/shape.h"

namespace openrknn {

/// A dense row-major array. Copying is cheap and shares the bytes; mutable_bytes() copies first if they are shared
/// or not ours to write (a mapped file, a caller's array). Distinct Tensor objects may be used from distinct threads.
class Tensor {
 public:
  Tensor() = default;  ///< an empty float32 tensor of shape [0]
  /// Uninitialised, 64-byte aligned. Throws Error (OutOfMemory) naming the amount if it cannot be had.
  Tensor(DType, Shape);
  /// Looks at bytes of somebody else, kept alive by `owner`. Throws Error if the span is shorter than the shape needs.
  static Tensor view(DType, Shape, std::span<const std::byte>, std::shared_ptr<const void> owner);
  static Tensor zeros(DType, Shape);
  template <class T>
  static Tensor from(Shape shape, const std::vector<T>& values);
  template <class T>
  static Tensor scalar(T value) {
    return from<T>({}, {value});
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t size() const { return size_; }  ///< elements
  std::span<const std::byte> bytes() const { return {data_, byte_count_}; }
  std::span<std::byte> mutable_bytes();

  /// Typed access. Throws Error (Internal) if T is not the tensor's dtype.
  template <class T>
  std::span<const T> values() const;
  template <class T>
  std::span<T> mutable_values();

  /// The same bytes under another shape of equal element count (shared).
  Tensor reshaped(Shape) const;

 private:
  void require(DType) const;
  DType dtype_ = DType::Float32;
  Shape shape_ = {0};
  int64_t size_ = 0;
  size_t byte_count_ = 0;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  bool writable_ = false;  // our own allocation: may be written when not shared
};

/// Element-wise conversion: float to integer truncates and saturates, NaN gives 0, to Bool is != 0.
Tensor cast(const Tensor&, DType);
/// Any numeric tensor read as doubles / int64 (for attributes, scales, shape arithmetic).
std::vector<double> to_doubles(const Tensor&);
std::vector<int64_t> to_ints(const Tensor&);
/// Moves dimensions: result.shape[i] = shape[order[i]].
Tensor transpose(const Tensor&, const std::vector<int>& order);
/// Equal dtype, shape and bytes.
bool identical(const Tensor&, const Tensor&);

template <class T>
Tensor Tensor::from(Shape shape, const std::vector<T>& values) {
  Tensor tensor(dtype_of<T>(), std::move(shape));
  std::span<T> out = tensor.mutable_values<T>();
  for (size_t i = 0; i < out.size() && i < values.size(); ++i) out[i] = values[i];
  return tensor;
}
template <class T>
std::span<const T> Tensor::values() const {
  require(dtype_of<T>());
  return {reinterpret_cast<const T*>(data_), static_cast<size_t>(size_)};
}
template <class T>
std::span<T> Tensor::mutable_values() {
  require(dtype_of<T>());
  std::span<std::byte> raw = mutable_bytes();
  return {reinterpret_cast<T*>(raw.data()), static_cast<size_t>(size_)};
}

}  // namespace openrknn
