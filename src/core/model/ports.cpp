#include "core/model/ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/byte_tables.h"
#include "core/base/error.h"
#include "core/model/elements.h"

namespace openrknn {
namespace {

std::vector<int> identity_order(size_t rank) {
  std::vector<int> order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

[[noreturn]] void refuse(const Port& port, Code code, std::string problem, std::string fix = {}) {
  fail(code, Location{.tensor = port.name}, std::move(problem), std::move(fix));
}

// The caller's dims[i] = logical dims[order[i]].
std::vector<int> caller_order(const Port& port, size_t rank, PortLayout layout) {
  if (rank == 4 && layout == PortLayout::Nchw) return identity_order(4);
  if (rank == 4 && layout == PortLayout::Nhwc) return {0, 2, 3, 1};
  if (port.source_order.empty()) return identity_order(rank);
  if (port.source_order.size() != rank) {
    refuse(port, Code::Internal,
           fmt::format("the source order has {} dimensions, the value {}", port.source_order.size(), rank));
  }
  return port.source_order;
}

// The same elements with their dimensions in another order; `from` and `to` both name logical dimensions.
Tensor reorder(const Tensor& tensor, const std::vector<int>& from, const std::vector<int>& to) {
  if (from == to) return tensor;
  std::vector<int> order, kept;
  for (const int dimension : to) {
    const auto at = static_cast<int>(std::find(from.begin(), from.end(), dimension) - from.begin());
    order.push_back(at);
    if (tensor.shape()[static_cast<size_t>(at)] != 1) kept.push_back(at);
  }
  if (std::is_sorted(kept.begin(), kept.end())) return tensor.reshaped(permute(tensor.shape(), order));
  return transpose(tensor, order);
}

// An array seen as [outer][channels][inner], and what is done to each channel.
struct Channels {
  int64_t outer = 1, count = 1, inner = 1;
  std::vector<float> mean, std;  // empty: nothing is done

  bool normalized() const { return !mean.empty(); }
};

Channels channels_of(const Port& port, const Shape& shape, const std::vector<int>& order) {
  Channels channels;
  const int channel_dimension = shape.size() < 2 ? 0 : 1;  // logical
  const auto at = std::find(order.begin(), order.end(), channel_dimension) - order.begin();
  if (!shape.empty()) {
    channels.outer = element_count({shape.begin(), shape.begin() + at});
    channels.count = shape[static_cast<size_t>(at)];
    channels.inner = element_count({shape.begin() + at + 1, shape.end()});
  }
  const auto plain = [](const std::vector<float>& values, float neutral) {
    return std::all_of(values.begin(), values.end(), [&](float value) { return value == neutral; });
  };
  if (plain(port.mean, 0.0f) && plain(port.std, 1.0f)) return channels;
  const auto fill = [&](const std::vector<float>& values, float neutral, const char* what) {
    if (values.empty()) return std::vector<float>(static_cast<size_t>(channels.count), neutral);
    if (static_cast<int64_t>(values.size()) != channels.count) {
      refuse(port, Code::ConfigBadMeanStd,
             fmt::format("{} {} values for {} channels", values.size(), what, channels.count), "give one per channel");
    }
    return values;
  };
  channels.mean = fill(port.mean, 0.0f, "mean");
  channels.std = fill(port.std, 1.0f, "std");
  return channels;
}

// x' = (x - mean) / std: one subtraction and one IEEE division in float32.
void normalize(float* x, int64_t count, float mean, float std) {
  for (int64_t i = 0; i < count; ++i) x[i] = (x[i] - mean) / std;
}
void normalize(float* x, int64_t count, const float* mean, const float* std) {
  for (int64_t i = 0; i < count; ++i) x[i] = (x[i] - mean[i]) / std[i];
}

std::vector<float> repeated(const std::vector<float>& values, int64_t times) {
  std::vector<float> result;
  result.reserve(values.size() * static_cast<size_t>(times));
  for (int64_t i = 0; i < times; ++i) result.insert(result.end(), values.begin(), values.end());
  return result;
}

// Array to Out through float32; encode(floats, count, out) does the last step.
template <class Out, class Encode>
void convert_elements(const Tensor& array, const Channels& channels, const Encode& encode, Out* out) {
  if (channels.normalized() && channels.inner == 1) {  // channels last: a pattern that repeats
    const int64_t times = std::max<int64_t>(1, kChunk / channels.count), step = times * channels.count;
    const std::vector<float> mean = repeated(channels.mean, times), std = repeated(channels.std, times);
    std::vector<float> chunk(static_cast<size_t>(step));
    for (int64_t begin = 0; begin < array.size(); begin += step) {
      const int64_t count = std::min(step, array.size() - begin);
      load_elements(array, begin, count, chunk.data());
      normalize(chunk.data(), count, mean.data(), std.data());
      encode(chunk.data(), count, out + begin);
    }
    return;
  }
  float chunk[kChunk];
  const int64_t run = channels.normalized() ? channels.inner : array.size();
  for (int64_t start = 0, r = 0; start < array.size(); start += run, ++r) {
    for (int64_t begin = start; begin < start + run; begin += kChunk) {
      const int64_t count = std::min(kChunk, start + run - begin);
      load_elements(array, begin, count, chunk);
      if (channels.normalized()) {
        const auto c = static_cast<size_t>(r % channels.count);
        normalize(chunk, count, channels.mean[c], channels.std[c]);
      }
      encode(chunk, count, out + begin);
    }
  }
}

// The same for one-byte elements, whose 256 results per channel are computed once: images are converted by look-up.
template <class Out, class Encode>
void convert_bytes(const Tensor& array, const Channels& channels, const Encode& encode, Out* out) {
  Tensor all_codes(DType::UInt8, {256});
  std::span<uint8_t> codes = all_codes.mutable_values<uint8_t>();
  std::iota(codes.begin(), codes.end(), uint8_t{0});
  if (array.dtype() == DType::Int8) {
    all_codes = Tensor::view(DType::Int8, {256}, all_codes.bytes(), std::make_shared<Tensor>(all_codes));
  }
  int64_t tables = channels.normalized() ? channels.count : 1;
  std::vector<Out> table(static_cast<size_t>(tables) * 256);
  for (int64_t c = 0; c < tables; ++c) {
    Channels one;
    if (channels.normalized()) {
      const auto i = static_cast<size_t>(c);
      one = {256, 1, 1, {channels.mean[i]}, {channels.std[i]}};
    }
    convert_elements(all_codes, one, encode, table.data() + c * 256);
  }
  if (tables > 1 && std::equal(table.begin() + 256, table.end(), table.begin())) {  // mean and std are those of all
    tables = 1;
    table.resize(256);
  }
  const auto* in = reinterpret_cast<const uint8_t*>(array.bytes().data());
  const auto* const end = in + array.size();
  const bool alternate = tables == 1 || channels.inner == 1;
  if (sizeof(Out) == 1 && alternate) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(table.data());
    look_up_bytes({in, end}, {bytes, table.size()}, reinterpret_cast<uint8_t*>(out));
  } else if (tables == 1) {
    while (in < end) *out++ = table[*in++];
  } else if (channels.inner > 1) {
    for (int64_t c = 0; in < end; c = (c + 1) % tables) {
      const Out* of_channel = table.data() + c * 256;
      for (int64_t i = 0; i < channels.inner; ++i) *out++ = of_channel[*in++];
    }
  } else {
    while (in < end) {
      const Out* of_channel = table.data();
      for (int64_t c = 0; c < tables; ++c, of_channel += 256) *out++ = of_channel[*in++];
    }
  }
}

template <class Out, class Encode>
Tensor converted(const Tensor& array, const Channels& channels, DType dtype, const Encode& encode) {
  Tensor result(dtype, array.shape());
  Out* out = reinterpret_cast<Out*>(result.mutable_bytes().data());
  const int64_t tables = channels.normalized() ? channels.count : 1;
  // A table costs 256 conversions; it must pay.
  if (bit_width(array.dtype()) == 8 && array.size() >= 1024 * tables) {
    convert_bytes(array, channels, encode, out);
  } else {
    convert_elements(array, channels, encode, out);
  }
  return result;
}

Tensor to_codes(const Tensor& array, const Channels& channels, const QuantParams& quant, DType dtype) {
  const double scale = quant.scale[0], zero_point = quant.zero_point[0];
  Tensor codes;
  with_element_type(dtype, [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      codes = converted<T>(array, channels, dtype, [=](const float* x, int64_t count, T* out) {
        encode_elements(x, count, scale, zero_point, out);
      });
    }
  });
  return codes;
}

Tensor to_floats(const Tensor& array, const Channels& channels, DType dtype) {
  if (!channels.normalized() && (array.dtype() == dtype || dtype == DType::Float64)) return cast(array, dtype);
  Tensor result;
  with_element_type(dtype, [&]<class T>(T) {
    result = converted<T>(array, channels, dtype, [](const float* x, int64_t count, T* out) {
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(x[i]);
    });
  });
  return result;
}

// Values that stay integers must survive the conversion unchanged.
Tensor to_integers(const Port& port, const Tensor& array, DType dtype) {
  if (array.dtype() == dtype) return array;
  Tensor result = cast(array, dtype);
  if (dtype == DType::Bool) return result;
  const std::vector<double> before = to_doubles(array), after = to_doubles(result);
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    refuse(port, Code::RuntimeBadInput,
           fmt::format("element {} is {}, which {} cannot hold", i, before[i], numpy_name(dtype)),
           fmt::format("give {} values", numpy_name(dtype)));
  }
  return result;
}

const char* layout_name(PortLayout layout, size_t rank) {
  if (rank == 4 && layout == PortLayout::Nchw) return " (nchw)";
  return rank == 4 && layout == PortLayout::Nhwc ? " (nhwc)" : "";
}

void require_shape(const Port& port, const Shape& logical, const Tensor& array, PortLayout given) {
  const Shape expected = expected_shape(port, logical, given);
  const Shape& got = array.shape();
  if (got == expected) return;
  std::string fix;
  if (logical.size() == 4 && got.size() == 4) {
    const bool is_nchw = got == expected_shape(port, logical, PortLayout::Nchw);
    const bool is_nhwc = got == expected_shape(port, logical, PortLayout::Nhwc);
    if (is_nchw || is_nhwc) {
      fix = fmt::format("this looks like {0}: transpose the array, or say that its layout is {0}",
                        is_nchw ? "nchw" : "nhwc");
    }
  } else if (!expected.empty() && expected[0] == 1 && got == Shape(expected.begin() + 1, expected.end())) {
    fix = "add the batch dimension: array[None]";
  }
  refuse(port, Code::RuntimeBadInput,
         fmt::format("the array's shape is {}, expected {}{}", to_string(got), to_string(expected),
                     layout_name(given, logical.size())),
         fix);
}

std::vector<Port> source_ports(const Graph& graph, const std::vector<ValueId>& ids,
                               const std::vector<std::vector<int>>& orders) {
  std::vector<Port> ports;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Value& value = graph[ids[i]];
    ports.push_back({.name = value.name, .dtype = value.dtype});
    if (i < orders.size()) ports.back().source_order = orders[i];
  }
  return ports;
}

}  // namespace

std::vector<Port> source_inputs(const Graph& graph) { return source_ports(graph, graph.inputs, graph.input_orders); }
std::vector<Port> source_outputs(const Graph& graph) { return source_ports(graph, graph.outputs, graph.output_orders); }

Shape expected_shape(const Port& port, const Shape& logical, PortLayout layout) {
  return permute(logical, caller_order(port, logical.size(), layout));
}

Tensor to_graph(const Port& port, const Value& value, const Tensor& array, PortLayout given, bool pass_through,
                Layout wanted) {
  require_shape(port, value.shape, array, given);
  const size_t rank = value.shape.size();
  const std::vector<int> order = caller_order(port, rank, given);
  const std::vector<int> wanted_order = physical_order(wanted, static_cast<int64_t>(rank));
  if (pass_through) {
    if (array.dtype() != value.dtype) {
      refuse(port, Code::RuntimeBadInput,
             fmt::format("the array is {}, pass-through needs {}", numpy_name(array.dtype()), numpy_name(value.dtype)));
    }
    return reorder(array, order, wanted_order);
  }
  const int bits = bit_width(value.dtype);
  const bool one_scale = value.quant && value.quant->scale.size() == 1 && value.quant->zero_point.size() == 1;
  if (value.quant && !(one_scale && is_integer(value.dtype) && bits >= 8 && bits <= 32)) {
    Value real = value;
    real.dtype = DType::Float32;
    real.quant.reset();
    const Tensor logical = to_graph(port, real, array, given, false, Layout::Logical);
    return reorder(quantize_tensor(logical, *value.quant, value.dtype), identity_order(rank), wanted_order);
  }
  const Tensor in = bit_width(array.dtype()) == 4 ? cast(array, DType::Int8) : array;
  const Channels channels = channels_of(port, array.shape(), order);
  if (one_scale) return reorder(to_codes(in, channels, *value.quant, value.dtype), order, wanted_order);
  if (is_floating(value.dtype)) return reorder(to_floats(in, channels, value.dtype), order, wanted_order);
  if (channels.normalized()) {
    refuse(port, Code::ConfigBadMeanStd,
           fmt::format("mean and std are set for an input that stays {}", numpy_name(value.dtype)),
           "leave them unset, or 0 and 1");
  }
  return reorder(to_integers(port, in, value.dtype), order, wanted_order);
}

Tensor from_graph(const Port& port, const Value& value, const Tensor& tensor, bool want_float) {
  if (tensor.dtype() != value.dtype || tensor.shape() != value.shape) {
    refuse(port, Code::Internal,
           fmt::format("the result is {} {}, the value {} {}", name(tensor.dtype()), to_string(tensor.shape()),
                       name(value.dtype), to_string(value.shape)));
  }
  Tensor result = tensor;
  if (want_float) result = value.quant ? dequantize_tensor(tensor, *value.quant) : cast(tensor, DType::Float32);
  const size_t rank = value.shape.size();
  return reorder(result, identity_order(rank), caller_order(port, rank, PortLayout::Source));
}

}  // namespace openrknn
