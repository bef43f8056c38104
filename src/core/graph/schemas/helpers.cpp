#include "core/graph/schemas/helpers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace openrknn::schemas {

Shape broadcast_shapes(const Inference& inference, const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape out(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t x = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int64_t y = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (x != y && x > 1 && y > 1) {
      inference.fail(fmt::format("shapes {} and {} do not broadcast: dimension {} is {} and {}", to_string(a),
                                 to_string(b), i, x, y));
    }
    if ((x == 0 && y > 1) || (y == 0 && x > 1)) {
      inference.fail(fmt::format("shapes {} and {} do not broadcast", to_string(a), to_string(b)));
    }
    out[i] = x == 1 ? y : y == 1 ? x : std::max(x, y);
    if (x == 0 || y == 0) out[i] = 0;
  }
  return out;
}

void require_equal_types(const Inference& inference, size_t a, size_t b) {
  if (inference.dtype(a) == inference.dtype(b) || inference.quantized(a) || inference.quantized(b)) return;
  inference.fail(fmt::format("inputs {} and {} have different types, got {} and {}, expected one type", a, b,
                             name(inference.dtype(a)), name(inference.dtype(b))),
                 "put a Cast before one of them");
}

void require_real(const Inference& inference, size_t input) {
  if (is_floating(inference.dtype(input)) || inference.quantized(input)) return;
  inference.fail(fmt::format("input {} has type {}, expected a float type", input, name(inference.dtype(input))));
}

void require_dtype(const Inference& inference, size_t input, DType expected) {
  if (inference.dtype(input) == expected) return;
  inference.fail(fmt::format("input {} has type {}, expected {}", input, name(inference.dtype(input)), name(expected)));
}

void require_integer(const Inference& inference, size_t input) {
  const DType got = inference.dtype(input);
  if (is_integer(got) && bit_width(got) >= 8) return;
  inference.fail(fmt::format("input {} has type {}, expected an integer type of 8 bits or more", input, name(got)));
}

void require_index(const Inference& inference, size_t input) {
  const DType got = inference.dtype(input);
  if (got == DType::Int32 || got == DType::Int64) return;
  inference.fail(fmt::format("input {} (indices) has type {}, expected i32 or i64", input, name(got)));
}

void require_rank(const Inference& inference, size_t input, int64_t least, int64_t most) {
  const int64_t rank = static_cast<int64_t>(inference.shape(input).size());
  if (rank >= least && rank <= most) return;
  const std::string expected = least == most ? std::to_string(least) : fmt::format("{} to {}", least, most);
  inference.fail(fmt::format("input {} has rank {} (shape {}), expected rank {}", input, rank,
                             to_string(inference.shape(input)), expected));
}

void require_vector(const Inference& inference, size_t input, std::string_view what, int64_t extent) {
  if (!inference.has(input)) return;
  const Shape& shape = inference.shape(input);
  if (shape.size() == 1 && fits(shape[0], extent)) return;
  inference.fail(fmt::format("{} (input {}) has shape {}, expected [{}]", what, input, to_string(shape), extent));
}

int64_t axis_of(const Inference& inference, std::string_view name, int64_t fallback, int64_t rank) {
  const int64_t axis = int_attribute(inference.attributes(), name, fallback);
  if (axis >= 0 && axis < rank) return axis;
  inference.fail(
      fmt::format("attribute '{}' is {}, expected 0 to {} (the input has rank {})", name, axis, rank - 1, rank));
}

std::vector<int64_t> list_of(const Inference& inference, std::string_view name, size_t count, int64_t fallback,
                             int64_t lowest) {
  const std::vector<int64_t> list = ints_attribute(inference.attributes(), name, std::vector<int64_t>(count, fallback));
  if (list.size() != count) {
    inference.fail(fmt::format("attribute '{}' has {} entries, expected {}", name, list.size(), count));
  }
  for (const int64_t entry : list) {
    if (entry < lowest || entry > kLargestParameter) {
      inference.fail(fmt::format("attribute '{}' holds {}, expected {} to {}", name, entry, lowest, kLargestParameter));
    }
  }
  return list;
}

std::string choice_of(const Inference& inference, std::string_view name,
                      std::initializer_list<std::string_view> choices) {
  const std::string value = string_attribute(inference.attributes(), name, *choices.begin());
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  inference.fail(fmt::format("attribute '{}' is \"{}\", expected one of {}", name, value, fmt::join(choices, ", ")));
}

bool flag_of(const Inference& inference, std::string_view name, bool fallback) {
  const int64_t value = int_attribute(inference.attributes(), name, fallback ? 1 : 0);
  if (value == 0 || value == 1) return value == 1;
  inference.fail(fmt::format("attribute '{}' is {}, expected 0 or 1", name, value));
}

Window window_of(const Inference& inference, std::vector<int64_t> kernel) {
  const size_t rank = kernel.size();
  for (const int64_t extent : kernel) {
    if (extent < 1 || extent > kLargestParameter) {
      inference.fail(fmt::format("the kernel is {}, expected positive extents", to_string(kernel)));
    }
  }
  Window window;
  window.strides = list_of(inference, "strides", rank, 1, 1);
  window.dilations = list_of(inference, "dilations", rank, 1, 1);
  const std::vector<int64_t> pads = list_of(inference, "pads", 2 * rank, 0, 0);
  window.begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
  window.end.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
  window.kernel = std::move(kernel);
  return window;
}

int64_t window_extent(const Inference& inference, const Window& window, size_t d, int64_t input, bool ceil_mode) {
  if (input < 0) return -1;
  // Every term is below 2^63 because parameters are at most 2^31; an extent is bounded by the tensor that holds it.
  const int64_t reach = window.dilations[d] * (window.kernel[d] - 1) + 1;
  const int64_t padded = input + window.begin[d] + window.end[d];
  if (padded < reach) {
    inference.fail(
        fmt::format("the kernel reaches over {} elements along spatial dimension {}, more than the padded "
                    "input's {} (input {}, pads {} and {})",
                    reach, d, padded, input, window.begin[d], window.end[d]));
  }
  const int64_t stride = window.strides[d], room = padded - reach;
  int64_t extent = room / stride + 1;
  if (ceil_mode && room % stride != 0 && extent * stride < input + window.begin[d]) ++extent;
  return extent;
}

void infer_same(Inference& inference) { inference.set(0, inference.dtype(0), inference.shape(0)); }

void check_activation(const Inference& inference, bool curved) {
  static constexpr std::string_view kNames[] = {"Relu",     "Clip",        "LeakyRelu", "Elu",  "Sigmoid", "Tanh",
                                                "Softplus", "HardSigmoid", "HardSwish", "SiLU", "Mish",    "Gelu"};
  constexpr size_t kStraight = 2;
  if (!has_attribute(inference.attributes(), "activation")) return;
  const std::string activation = string_attribute(inference.attributes(), "activation", "");
  const std::span<const std::string_view> allowed = std::span(kNames).first(curved ? std::size(kNames) : kStraight);
  if (std::find(allowed.begin(), allowed.end(), activation) == allowed.end()) {
    inference.fail(fmt::format("activation \"{}\" cannot be fused into {}, expected one of {}", activation,
                               inference.node().op, fmt::join(allowed, ", ")));
  }
  choice_of(inference, "activation_approximate", {"none", "tanh"});
}

}  // namespace openrknn::schemas
