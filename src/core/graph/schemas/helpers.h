// What several infer functions need: checked attributes, broadcasting, window arithmetic.
#pragma once

#include <string_view>

#include "core/graph/schema.h"

namespace openrknn::schemas {

/// Largest magnitude of kernel sizes, strides, pads, … : keeps every product below in int64.
inline constexpr int64_t kLargestParameter = int64_t{1} << 31;
/// Most dimensions of a shape that an input gives.
inline constexpr int64_t kLargestRank = 16;

/// Attributes of an op that has an axis and no more.
inline constexpr AttributeSpec kAxis[] = {{"axis", AttributeType::Int, true, "0..rank-1"}};

/// The extent is known and not zero-size-checked: -1 (depends on data) fits every other extent.
inline bool fits(int64_t got, int64_t expected) { return got == expected || got < 0 || expected < 0; }

/// Numpy broadcasting that lets unknown extents (-1) through.
Shape broadcast_shapes(const Inference&, const Shape& a, const Shape& b);
/// Fails unless both inputs have one dtype; operands of a quantized node may differ.
void require_equal_types(const Inference&, size_t a, size_t b);
/// Floating, or codes of a quantized value.
void require_real(const Inference&, size_t input);
void require_dtype(const Inference&, size_t input, DType);
void require_integer(const Inference&, size_t input);  ///< signed or unsigned, whole bytes
void require_index(const Inference&, size_t input);    ///< Int32 or Int64
void require_rank(const Inference&, size_t input, int64_t least, int64_t most);
/// A 1-D input of `extent` elements (bias, scale, …), if it is there.
void require_vector(const Inference&, size_t input, std::string_view what, int64_t extent);

/// An axis attribute, already normalised: 0..rank-1.
int64_t axis_of(const Inference&, std::string_view name, int64_t fallback, int64_t rank);
/// A per-dimension list: `count` entries of lowest..kLargestParameter, or the fallback repeated when absent.
std::vector<int64_t> list_of(const Inference&, std::string_view name, size_t count, int64_t fallback, int64_t lowest);
/// A string that must be one of `choices` (the first is the default).
std::string choice_of(const Inference&, std::string_view name, std::initializer_list<std::string_view> choices);
/// An int that must be 0 or 1.
bool flag_of(const Inference&, std::string_view name, bool fallback);

/// Geometry attributes that convolutions and pools share, checked.
struct Window {
  std::vector<int64_t> kernel, strides, dilations, begin, end;  ///< per spatial dimension
};
Window window_of(const Inference&, std::vector<int64_t> kernel);
/// Extent of a convolution or pooling output along one dimension. With ceil_mode a last window that would start in the
/// end padding is dropped (ONNX AveragePool-19, MaxPool-22).
int64_t window_extent(const Inference&, const Window&, size_t dimension, int64_t input, bool ceil_mode);

/// Output 0 = type and shape of input 0.
void infer_same(Inference&);

/// `activation` and its parameters, appended to the attributes of the ops that can fuse one.
#define OPENRKNN_ACTIVATION_ATTRIBUTES                                                                            \
  AttributeSpec{"activation", AttributeType::String, false, "function applied to the result; absent: none"},      \
      AttributeSpec{"activation_alpha", AttributeType::Float, false, "alpha of the activation, its own default"}, \
      AttributeSpec{"activation_beta", AttributeType::Float, false, "beta of the activation, its own default"},   \
      AttributeSpec{"activation_min", AttributeType::Float, false, "lower bound of Clip; absent: none"},          \
      AttributeSpec{"activation_max", AttributeType::Float, false, "upper bound of Clip; absent: none"},          \
      AttributeSpec {                                                                                             \
    "activation_approximate", AttributeType::String, false, "\"none\" (default) or \"tanh\", of Gelu"             \
  }
/// Fails for a name that cannot be fused here. `curved` allows the whole list, else Relu and Clip only.
void check_activation(const Inference&, bool curved);

}  // namespace openrknn::schemas
