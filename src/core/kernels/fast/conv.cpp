// Conv and ConvTranspose as implicit matrix products (product.h): Float32, Float16 and Int8, any groups but depthwise.
#include <cstdlib>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Window;
using reference::WindowAxis;

Window window_of(const Call& call) {
  const Shape& w = call.inputs[1].shape;
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  return reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, reference::is_transposed(call));
}

bool fits_conv(const Call& call) {
  const Operand& w = call.inputs[1];
  return reference::window_fits(call.inputs[0], call.outputs[0]) && call.inputs[0].shape.size() <= 4 &&
         w.constant != nullptr && (!present(call.inputs, 2) || call.inputs[2].constant != nullptr);
}
bool accepts_conv_float(const Call& call) { return fits_conv(call) && floats_fit(call); }

/// Taps of output phase `phase` of a transposed convolution: output o = phase + i * stride reads input i + offset.
void take_phase(const WindowAxis& axis, int64_t phase, ProductAxis& out, std::vector<int64_t>& taps) {
  out = {axis.in, (axis.out - phase + axis.stride - 1) / axis.stride, 1, {}, phase, axis.stride};
  taps.clear();
  for (int64_t k = 0; k < axis.kernel; ++k) {
    const int64_t scaled = phase + axis.pad - k * axis.dilation;
    if (scaled % axis.stride != 0) continue;
    out.offsets.push_back(scaled / axis.stride);
    taps.push_back(k);
  }
}
void take_all(const WindowAxis& axis, ProductAxis& out, std::vector<int64_t>& taps) {
  out = {axis.in, axis.out, axis.stride, {}, 0, 1};
  taps.clear();
  for (int64_t k = 0; k < axis.kernel; ++k) {
    out.offsets.push_back(k * axis.dilation - axis.pad);
    taps.push_back(k);
  }
}

/// Transposed, as wide as the stride, without padding: what one input pixel becomes lies side by side in an output
/// line. Its taps are then more output columns of one product, instead of a product each.
bool taps_are_columns(const WindowAxis& width, int64_t groups) {
  return width.transposed && groups == 1 && width.kernel == width.stride && width.dilation == 1 && width.pad == 0 &&
         width.out == width.in * width.stride;
}

/// `kernel_width`: of the weight constant.
void add_parts(Product& p, const Window& window, int64_t kernel_width) {
  const WindowAxis &height = window.axes[1], &width = window.axes[2];
  const bool transposed = width.transposed;  // every rank has a width
  std::vector<int64_t> rows, columns;
  for (int64_t y = 0; y < (transposed ? std::min(height.stride, height.out) : 1); ++y) {
    for (int64_t x = 0; x < (transposed ? std::min(width.stride, width.out) : 1); ++x) {
      ProductPart part;
      if (transposed) {
        take_phase(height, y, part.height, rows);
        take_phase(width, x, part.width, columns);
      } else {
        take_all(height, part.height, rows);
        take_all(width, part.width, columns);
      }
      for (const int64_t row : rows) {
        for (const int64_t column : columns) part.taps.push_back(row * kernel_width + column);
      }
      p.parts.push_back(std::move(part));
    }
  }
  // A 1x1 convolution that keeps every pixel: one long line, whatever the batch.
  ProductPart& first = p.parts.front();
  const bool pointwise = p.parts.size() == 1 && first.taps.size() == 1 && first.height.step == 1 &&
                         first.width.step == 1 && first.height.offsets[0] == 0 && first.width.offsets[0] == 0 &&
                         first.height.in == first.height.out && first.width.in == first.width.out;
  if (!pointwise) return;
  first.width.in = first.width.out = p.images * first.height.out * first.width.out;
  first.height.in = first.height.out = p.images = p.out_height = 1;
  p.out_width = first.width.out;
}

Product product_of(const Call& call, const InnerLoops& loops, const Gemm& gemm) {
  Window window = window_of(call);
  Product p;
  p.loops = &loops;
  p.gemm = &gemm;
  p.input = call.inputs[0].dtype;
  p.output = call.outputs[0].dtype;
  p.images = window.batch;
  p.in_channels = window.in_channels;
  p.out_channels = window.out_channels;
  p.groups = int_attribute(call.node.attributes, "group", 1);
  WindowAxis& width = window.axes[2];
  const int64_t kernel_width = width.kernel;
  if (taps_are_columns(width, p.groups)) {
    p.out_channels *= kernel_width;
    width.out = width.in;
    width.kernel = width.stride = 1;
  }
  p.out_height = window.axes[1].out;
  p.out_width = width.out;
  add_parts(p, window, kernel_width);
  return p;
}

/// Index into [O, I/g, k…] or, transposed, [I, O/g, k…]; columns beyond the outputs are those of the next tap.
struct WeightIndex {
  bool transposed;
  int64_t inputs, outputs, taps;  // of one group

  int64_t operator()(int64_t group, int64_t column, int64_t tap, int64_t channel) const {
    if (column >= outputs) {
      tap += column / outputs;
      column %= outputs;
    }
    const int64_t pair =
        transposed ? (group * inputs + channel) * outputs + column : (group * outputs + column) * inputs + channel;
    return pair * taps + tap;
  }
};
WeightIndex weight_index(const Call& call, const Product& p) {
  const Shape& w = call.inputs[1].shape;
  int64_t taps = 1;
  for (size_t i = 2; i < w.size(); ++i) taps *= w[i];
  return {reference::is_transposed(call), p.group_channels(), reference::is_transposed(call) ? w[1] : w[0] / p.groups,
          taps};
}
std::string key_of(const Call& call) {
  return "fast_" + call.node.op + ' ' + Weights::identity(*call.inputs[1].constant);
}

/// Weights, bias and table are packed: bits 1 to 3.

template <const InnerLoops& kLoops>
Prepared prepare_conv_float(const Call& call, Weights& cache) {
  Product p = product_of(call, kLoops, kLoops.gemm_float);
  p.bias = padded_bias(p, present(call.inputs, 2) ? call.inputs[2].constant : nullptr);
  p.activation = *loop_activation(call.node);
  plan_tiles(p);
  const WeightIndex index = weight_index(call, p);
  const Tensor& w = *call.inputs[1].constant;
  const auto pack = [&](const auto* values) {
    pack_weights(p, cache, key_of(call), [&](int64_t g, int64_t column, int64_t tap, int64_t channel) {
      return static_cast<float>(values[index(g, column, tap, channel)]);
    });
  };
  reference::visit(reference::FloatTypes{}, w.dtype(),
                   [&]<class T>(reference::Tag<T>) { pack(reinterpret_cast<const T*>(w.bytes().data())); });
  return prepare_product(std::move(p), kPackedInputs);
}

bool accepts_conv_codes(const Call& call) {
  const Shape& w = call.inputs[1].shape;
  return fits_conv(call) && codes_fit(call, element_count(w) / w[reference::is_transposed(call) ? 1 : 0]);
}
template <const InnerLoops& kLoops>
Prepared prepare_conv_codes(const Call& call, Weights& cache) {
  Product p = product_of(call, kLoops, kLoops.gemm_codes);
  const WeightIndex index = weight_index(call, p);
  const int8_t* values = call.inputs[1].constant->values<int8_t>().data();
  const auto sum_of = [&](int64_t c, const ProductPart& part) {
    const int64_t group = c / p.group_columns(), column = c % p.group_columns();
    int64_t sum = 0;
    for (int64_t channel = 0; channel < index.inputs; ++channel) {
      for (const int64_t tap : part.taps) sum += values[index(group, column, tap, channel)];
    }
    return sum;
  };
  const auto magnitude_of = [&](int64_t c, int64_t zero_point) {
    const int64_t group = c / p.group_columns(), column = c % p.group_columns();
    int64_t sum = 0;
    for (const ProductPart& part : p.parts) {
      for (int64_t channel = 0; channel < index.inputs; ++channel) {
        for (const int64_t tap : part.taps) sum += std::abs(values[index(group, column, tap, channel)] - zero_point);
      }
    }
    return sum;
  };
  fill_output_stage(p, call, cache, sum_of, magnitude_of);
  plan_tiles(p);
  pack_weights(p, cache, key_of(call), [&](int64_t g, int64_t column, int64_t tap, int64_t channel) {
    return static_cast<float>(values[index(g, column, tap, channel)]);
  });
  return prepare_product(std::move(p), kPackedInputs);
}

#define CODE_ROWS(cpu, name, needs)                                                                   \
  {"Conv", "conv_i8_" name, needs, accepts_conv_codes, prepare_conv_codes<cpu::kLoops>, run_product}, \
      {"ConvTranspose",    "conv_transpose_i8_" name,       needs,                                    \
       accepts_conv_codes, prepare_conv_codes<cpu::kLoops>, run_product},
#define ALL_ROWS(cpu, name, needs)                                                                       \
  {"Conv", "conv_float_" name, needs, accepts_conv_float, prepare_conv_float<cpu::kLoops>, run_product}, \
      {"ConvTranspose",    "conv_transpose_float_" name,    needs,                                       \
       accepts_conv_float, prepare_conv_float<cpu::kLoops>, run_product},                                \
      CODE_ROWS(cpu, name, needs)

constexpr Kernel kConvKernels[] = {OPENRKNN_FAST_CODE_CPUS(CODE_ROWS) OPENRKNN_FAST_CPUS(ALL_ROWS)};
#undef CODE_ROWS
#undef ALL_ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_conv_kernels() { return fast::kConvKernels; }
}  // namespace openrknn
