// Unique: elements, or slices along an axis compared element by element. -0 equals 0; every NaN is one value, the
// largest, as in numpy.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/kernels/data_dependent.h"
#include "core/kernels/reference/element.h"

namespace openrknn::reference {
namespace {

using KeyTypes = Types<float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, bool>;

/// Item i is the elements [o, i, j] of an array [outer, items, inner].
struct Items {
  int64_t outer = 1, count = 1, inner = 1;
};

/// Less than 0, 0 or more than 0, as a is before, equal to or after b.
template <class T>
int compare(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return static_cast<int>(a != a) - static_cast<int>(b != b);
  }
  return static_cast<int>(b < a) - static_cast<int>(a < b);
}

template <class T>
int compare_items(const T* x, const Items& items, int64_t a, int64_t b) {
  for (int64_t o = 0; o < items.outer; ++o) {
    const T *first = x + (o * items.count + a) * items.inner, *second = x + (o * items.count + b) * items.inner;
    for (int64_t j = 0; j < items.inner; ++j) {
      if (const int order = compare(first[j], second[j]); order != 0) return order;
    }
  }
  return 0;
}

}  // namespace

std::vector<Tensor> unique(const Node& node, HostInputs inputs) {
  const bool whole = !has_attribute(node.attributes, "axis");
  const Tensor x = whole ? inputs[0]->reshaped({inputs[0]->size()}) : *inputs[0];
  const auto axis = static_cast<size_t>(int_attribute(node.attributes, "axis", 0));
  Items items{.count = x.shape()[axis]};
  for (size_t d = 0; d < axis; ++d) items.outer *= x.shape()[d];
  for (size_t d = axis + 1; d < x.shape().size(); ++d) items.inner *= x.shape()[d];

  const bool is_half = x.dtype() == DType::Float16 || x.dtype() == DType::BFloat16;
  const Tensor keys = is_half ? cast(x, DType::Float32) : bit_width(x.dtype()) < 8 ? cast(x, DType::Int32) : x;
  std::vector<int64_t> order(static_cast<size_t>(items.count)), inverse(order.size()), first, counts;
  std::iota(order.begin(), order.end(), 0);
  visit(KeyTypes{}, keys.dtype(), [&]<class T>(Tag<T>) {
    const T* data = keys.values<T>().data();
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return compare_items(data, items, a, b) < 0; });
    for (size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || compare_items(data, items, order[i - 1], order[i]) != 0) {
        first.push_back(order[i]);  // the sort is stable: the earliest of its kind
        counts.push_back(0);
      }
      ++counts.back();
      inverse[static_cast<size_t>(order[i])] = std::ssize(first) - 1;
    }
  });
  if (int_attribute(node.attributes, "sorted", 1) == 0) {
    std::vector<int64_t> by_place(first.size()), rank(first.size());
    std::iota(by_place.begin(), by_place.end(), 0);
    std::sort(by_place.begin(), by_place.end(),
              [&](int64_t a, int64_t b) { return first[static_cast<size_t>(a)] < first[static_cast<size_t>(b)]; });
    std::vector<int64_t> placed_first, placed_counts;
    for (size_t i = 0; i < by_place.size(); ++i) {
      const auto from = static_cast<size_t>(by_place[i]);
      rank[from] = static_cast<int64_t>(i);
      placed_first.push_back(first[from]);
      placed_counts.push_back(counts[from]);
    }
    for (int64_t& group : inverse) group = rank[static_cast<size_t>(group)];
    first = std::move(placed_first);
    counts = std::move(placed_counts);
  }

  Shape shape = x.shape();
  shape[axis] = std::ssize(first);
  Tensor y(x.dtype(), shape);
  if (y.size() > 0) {
    const size_t slice = x.bytes().size() / static_cast<size_t>(items.outer * items.count);
    std::byte* to = y.mutable_bytes().data();
    for (int64_t o = 0; o < items.outer; ++o) {
      for (const int64_t i : first) {
        std::memcpy(to, x.bytes().data() + static_cast<size_t>(o * items.count + i) * slice, slice);
        to += slice;
      }
    }
  }
  const auto list = [](const std::vector<int64_t>& values) {
    return Tensor::from<int64_t>({std::ssize(values)}, values);
  };
  std::vector<Tensor> outputs = {y, list(first), list(inverse), list(counts)};
  outputs.resize(std::min(outputs.size(), node.outputs.size()));
  return outputs;
}

}  // namespace openrknn::reference
