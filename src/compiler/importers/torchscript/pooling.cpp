// Pooling, by windows and to a size.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// With a batch: [N, C, spatial…].
ValueId batched(const Call& call, ValueId x, size_t spatial) {
  const auto rank = static_cast<int64_t>(spatial) + 2;
  call.require_rank(x, rank - 1, rank);
  return call.rank(x) == rank ? x : call.with_batch(x);
}
ValueId unbatched(const Call& call, ValueId y, int64_t rank) {
  return call.rank(y) == rank ? y : call.without_batch(y);
}

/// self kernel_size stride padding …
Attributes window(const Call& call, size_t spatial, size_t ceil_mode) {
  const Ints kernel = call.spread(1, spatial, 1), half = call.spread(3, spatial, 0);
  Ints pads = half;
  pads.insert(pads.end(), half.begin(), half.end());
  return {{"kernel_shape", kernel},
          {"strides", call.ints(2).empty() ? kernel : call.spread(2, spatial, 1)},
          {"pads", std::move(pads)},
          {"ceil_mode", int64_t{call.flag(ceil_mode)}}};
}

template <size_t Spatial>
Value max_pool(const Call& call) {
  const ValueId x = call.floating(0);
  Attributes attributes = window(call, Spatial, 5);
  attributes.emplace("dilations", call.spread(4, Spatial, 1));
  const ValueId y = call.add("MaxPool", {batched(call, x, Spatial)}, std::move(attributes));
  return box(unbatched(call, y, call.rank(x)));
}

/// Places are counted within a channel, by the node within all of the input.
template <size_t Spatial>
Value max_pool_with_places(const Call& call) {
  const ValueId x = call.floating(0), all = batched(call, x, Spatial);
  Attributes attributes = window(call, Spatial, 5);
  attributes.emplace("dilations", call.spread(4, Spatial, 1));
  const ValueId y = call.add("MaxPool", {all}, attributes), places = call.add("ArgMaxPool", {all}, attributes);
  int64_t plane = 1;
  for (size_t d = 2; d < Spatial + 2; ++d) plane *= call.shape(all)[d];
  const ValueId within = call.add("Mod", {places, call.scalar(static_cast<double>(plane), DType::Int64)});
  return tuple_of({unbatched(call, y, call.rank(x)), unbatched(call, within, call.rank(x))});
}

/// self kernel_size stride padding ceil_mode count_include_pad divisor_override
template <size_t Spatial>
Value avg_pool(const Call& call) {
  const ValueId x = call.floating(0);
  Attributes attributes = window(call, Spatial, 4);
  const bool counts = call.flag(5, true) || call.has(6);
  attributes.emplace("count_include_pad", int64_t{counts});
  ValueId y = call.add("AveragePool", {batched(call, x, Spatial)}, std::move(attributes));
  if (call.has(6)) {
    if (call.flag(4)) call.refuse("ceil_mode with a divisor of its own is not supported");
    double area = 1;
    for (const int64_t extent : call.spread(1, Spatial, 1)) area *= static_cast<double>(extent);
    y = call.add("Mul", {y, call.scalar(area / call.number(6))});
  }
  return box(unbatched(call, y, call.rank(x)));
}

/// Window i of `out` over `in` numbers: from floor(i · in / out) to ceil((i + 1) · in / out).
std::pair<int64_t, int64_t> adaptive_window(int64_t i, int64_t in, int64_t out) {
  return {i * in / out, ((i + 1) * in + out - 1) / out};
}

/// Means over uneven windows along one dimension: a product with a matrix.
ValueId uneven_mean(const Call& call, ValueId x, int64_t axis, int64_t out) {
  const int64_t in = call.extent(x, axis);
  std::vector<float> shares(static_cast<size_t>(in * out), 0);
  for (int64_t i = 0; i < out; ++i) {
    const auto [from, to] = adaptive_window(i, in, out);
    for (int64_t k = from; k < to; ++k) shares[static_cast<size_t>(k * out + i)] = 1.0F / static_cast<float>(to - from);
  }
  const ValueId matrix = call.constant("shares", Tensor::from<float>({in, out}, shares));
  Ints order;
  for (int64_t d = 0; d < call.rank(x); ++d) order.push_back(d);
  std::swap(order[static_cast<size_t>(axis)], order.back());
  return call.transpose(call.add("MatMul", {call.transpose(x, order), matrix}), order);
}

ValueId uneven_max(const Call& call, ValueId x, int64_t axis, int64_t out) {
  const int64_t in = call.extent(x, axis);
  if (out > 256) call.refuse(fmt::format("{} uneven windows", out));
  std::vector<ValueId> parts;
  for (int64_t i = 0; i < out; ++i) {
    const auto [from, to] = adaptive_window(i, in, out);
    parts.push_back(call.add("ReduceMax", {call.slice(x, axis, from, to)}, {{"axes", Ints{axis}}}));
  }
  return call.concat(std::move(parts), axis);
}

ValueId adaptive(const Call& call, size_t spatial, bool is_max) {
  const ValueId given = call.floating(0);
  ValueId x = batched(call, given, spatial);
  // None keeps an extent.
  Ints out(call.shape(x).begin() + 2, call.shape(x).end());
  const auto* sizes = call.at(1).sequence();
  if (sizes != nullptr && (*sizes)->items.size() != spatial && (*sizes)->items.size() != 1)
    call.refuse(fmt::format("{} sizes for {} dimensions", (*sizes)->items.size(), spatial));
  for (size_t d = 0; d < spatial; ++d) {
    const Value& size = sizes == nullptr ? call.at(1) : (*sizes)->items[(*sizes)->items.size() == 1 ? 0 : d];
    if (!size.is<None>()) out[d] = call.integer(size, 1);
    if (out[d] < 1 || out[d] > 65536 || call.shape(x)[d + 2] < 1)
      call.refuse(fmt::format("an extent of {} from {}", out[d], call.shape(x)[d + 2]));
  }
  const Shape shape = call.shape(x);
  const auto all = [&](auto holds) {
    for (size_t d = 0; d < spatial; ++d)
      if (!holds(shape[d + 2], out[d])) return false;
    return true;
  };
  if (all([](int64_t, int64_t to) { return to == 1; })) {
    x = call.add(is_max ? "GlobalMaxPool" : "GlobalAveragePool", {x});
  } else if (all([](int64_t in, int64_t to) { return in % to == 0; })) {
    Ints kernel;
    for (size_t d = 0; d < spatial; ++d) kernel.push_back(shape[d + 2] / out[d]);
    x = call.add(is_max ? "MaxPool" : "AveragePool", {x}, {{"kernel_shape", kernel}, {"strides", kernel}});
  } else {
    for (size_t d = 0; d < spatial; ++d) {
      const auto axis = static_cast<int64_t>(d) + 2;
      if (shape[d + 2] != out[d]) x = (is_max ? uneven_max : uneven_mean)(call, x, axis, out[d]);
    }
  }
  return unbatched(call, x, call.rank(given));
}

template <size_t Spatial>
Value adaptive_avg(const Call& call) {
  return box(adaptive(call, Spatial, false));
}
/// With the places, which nothing should read: they are not computed.
template <size_t Spatial>
Value adaptive_max(const Call& call) {
  return make_tuple({box(adaptive(call, Spatial, true)), Unknown{}});
}

constexpr std::string_view kMax = "self kernel_size stride padding dilation ceil_mode",
                           kAverage = "self kernel_size stride padding ceil_mode count_include_pad divisor_override";

constexpr OperatorRow kPoolingRows[] = {
    {"aten::adaptive_avg_pool1d", "self output_size", adaptive_avg<1>},
    {"aten::adaptive_avg_pool2d", "self output_size", adaptive_avg<2>},
    {"aten::_adaptive_avg_pool2d", "self output_size", adaptive_avg<2>},
    {"aten::adaptive_avg_pool3d", "self output_size", adaptive_avg<3>},
    {"aten::adaptive_max_pool1d", "self output_size", adaptive_max<1>},
    {"aten::adaptive_max_pool2d", "self output_size", adaptive_max<2>},
    {"aten::adaptive_max_pool3d", "self output_size", adaptive_max<3>},
    {"aten::avg_pool1d", kAverage, avg_pool<1>},
    {"aten::avg_pool2d", kAverage, avg_pool<2>},
    {"aten::avg_pool3d", kAverage, avg_pool<3>},
    {"aten::max_pool1d", kMax, max_pool<1>},
    {"aten::max_pool1d_with_indices", kMax, max_pool_with_places<1>},
    {"aten::max_pool2d", kMax, max_pool<2>},
    {"aten::max_pool2d_with_indices", kMax, max_pool_with_places<2>},
    {"aten::max_pool3d", kMax, max_pool<3>},
    {"aten::max_pool3d_with_indices", kMax, max_pool_with_places<3>},
};

}  // namespace

std::span<const OperatorRow> rows_of_pooling() { return kPoolingRows; }

}  // namespace openrknn::torchscript
