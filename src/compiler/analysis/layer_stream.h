// A stream of layers: whoever computes a network one layer after another and lets each be looked at. Golden is one, the
// simulator is one, what a device hands out can be one: comparisons know layers by name and nothing of where they come
// from.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/base/tensor.h"
#include "core/executor/memory_order.h"
#include "core/graph/graph.h"

namespace openrknn {

/// A layer's numbers where they lie, without a copy: valid until the stream goes on.
struct LayerValues {
  DType dtype = DType::Float32;
  const QuantParams* quant = nullptr;  ///< of codes, one scale for all; null: the numbers are what they are
  Shape shape;                         ///< logical
  Form form;                           ///< the order of the elements
  std::span<const std::byte> bytes;
};

/// A copy in logical order, in the stream's own dtype.
Tensor logical_tensor(const LayerValues&);
/// The same as real numbers: codes become float32, everything else stays what it is.
Tensor real_tensor(const LayerValues&);
/// Elements `first` to `first + count`, in the order of their memory, as real numbers.
std::vector<double> real_numbers(const LayerValues&, int64_t first, int64_t count);
/// Both hold their elements in one order, so that the n-th of one belongs to the n-th of the other.
bool same_order(const LayerValues&, const LayerValues&);

class LayerStream {
 public:
  virtual ~LayerStream() = default;
  /// Begins a sample: one float tensor (or the source's integers) per input, logical.
  virtual void start(std::span<const Tensor> inputs) = 0;
  /// Goes on until `layer` is computed; nothing to do if it is already.
  virtual void advance(std::string_view layer) = 0;
  /// Of the inputs, of the layer reached last and of those that something still has to read.
  virtual LayerValues values(std::string_view layer) const = 0;
  /// Other numbers in place of the layer's own, for whatever is computed from here on. They are represented as the
  /// layer's own are (rounded, saturated).
  virtual void replace(std::string_view layer, const LayerValues& real) = 0;
};

}  // namespace openrknn
