// Averages and sums on codes: AveragePool, GlobalAveragePool, ReduceMean, ReduceSum. Exact sum, one rounding.
#include "core/kernels/pool_taps.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

// ---- AveragePool ----

struct PoolState {
  Window window;
  CodeParams x, y;
  std::vector<OutputScale> scales;  // one, or [count - 1] where windows divide by different counts; ideal: empty
  bool count_padding = false;
  Body<PoolState> body = nullptr;

  int64_t counted(const WindowAxis& axis, int64_t o) const {
    return counted_pool_taps(axis.in, axis.kernel, axis.stride, axis.dilation, axis.pad, axis.pad_end, count_padding,
                             o);
  }
  int32_t code(int64_t sum, int64_t count) const {
    if (count == 0) return y.code(0);  // a window that lies in the padding altogether
    if (scales.empty()) return y.code(static_cast<double>(sum) * x.scale / static_cast<double>(count));
    return scales[scales.size() == 1 ? 0 : static_cast<size_t>(count - 1)](sum);
  }
};

template <class Code>
void run_pool_row(const PoolState& s, std::span<const Buffer> buffers, int64_t row, std::byte*) {
  const auto* x = input<Code>(buffers, 0);
  auto* y = output<Code>(buffers);
  const auto& [depth, height, width] = s.window.axes;
  const int64_t channels = s.window.out_channels;
  const int64_t row_count = s.counted(depth, row / height.out % depth.out) * s.counted(height, row % height.out);
  for (int64_t column = 0; column < width.out; ++column) {
    const int64_t count = row_count * s.counted(width, column);
    for (int64_t c = 0; c < channels; ++c) {
      int64_t sum = 0;  // padding is real 0: it adds nothing
      for_taps(s.window, row, column, [&](int64_t, int64_t pixel) { sum += x[pixel * channels + c] - s.x.zero_point; });
      y[(row * width.out + column) * channels + c] = static_cast<Code>(s.code(sum, count));
    }
  }
}

bool accepts_pool(const Call& call) {
  return is_coded_as(call.inputs[0], call.outputs[0]) && is_lowered(call) &&
         window_fits(call.inputs[0], call.outputs[0]);
}

Prepared prepare_pool(const Call& call, Weights&) {
  const Operand& x = call.inputs[0];
  PoolState state;
  const std::vector<int64_t> kernel = ints_attribute(call.node.attributes, "kernel_shape");
  state.window = make_window(call.node, x, call.outputs[0], kernel, false);
  state.x = CodeParams(x);
  state.y = CodeParams(call.outputs[0]);
  state.count_padding = int_attribute(call.node.attributes, "count_include_pad", 0) != 0;
  for (size_t i = 0; !call.ideal && i < call.node.fixed->scale.size(); ++i) {
    state.scales.push_back(output_scale(call, i));
  }
  visit(CodeTypes{}, x.dtype, [&]<class Code>(Tag<Code>) { state.body = run_pool_row<Code>; });
  const int64_t rows = state.window.out_rows();
  return make_prepared(std::move(state), rows);
}

// ---- GlobalAveragePool, ReduceMean, ReduceSum ----

struct ReduceState {
  Shape in;
  std::vector<int64_t> out_strides;  // of the output element each input element adds to; 0 where reduced
  int64_t outputs = 1;
  CodeParams x, y;
  std::optional<OutputScale> scale;  // ideal: none
  double divisor = 1;
  Body<ReduceState> body = nullptr;
};

template <class Code>
void run_reduce(const ReduceState& s, std::span<const Buffer> buffers, int64_t, std::byte* scratch) {
  const auto* x = input<Code>(buffers, 0);
  auto* y = output<Code>(buffers);
  auto* sums = reinterpret_cast<int64_t*>(scratch);
  std::fill_n(sums, s.outputs, int64_t{0});
  const int64_t count = element_count(s.in);
  for (int64_t i = 0; i < count; ++i) sums[broadcast_offset(i, s.in, s.out_strides)] += x[i] - s.x.zero_point;
  for (int64_t i = 0; i < s.outputs; ++i) {
    const double real = static_cast<double>(sums[i]) * s.x.scale / s.divisor;
    y[i] = static_cast<Code>(s.scale ? (*s.scale)(sums[i]) : s.y.code(real));
  }
}

bool accepts_reduce(const Call& call) {
  return is_coded_as(call.inputs[0], call.outputs[0]) && is_lowered(call) &&
         (call.node.op != "GlobalAveragePool" || window_fits(call.inputs[0], call.outputs[0]));
}

Prepared prepare_reduce(const Call& call, Weights&) {
  const Operand& x = call.inputs[0];
  std::vector<int64_t> axes = ints_attribute(call.node.attributes, "axes");
  if (call.node.op == "GlobalAveragePool") {
    for (size_t d = 1; d + 1 < x.shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  }
  ReduceState state;
  state.in = x.shape;
  state.out_strides.assign(x.shape.size(), 0);
  int64_t reduced = 1;
  for (size_t d = x.shape.size(); d-- > 0;) {
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end()) {
      reduced *= x.shape[d];
    } else {
      state.out_strides[d] = state.outputs;
      state.outputs *= x.shape[d];
    }
  }
  state.x = CodeParams(x);
  state.y = CodeParams(call.outputs[0]);
  if (call.node.op != "ReduceSum") state.divisor = static_cast<double>(reduced);
  if (!call.ideal) state.scale = output_scale(call, 0);
  visit(CodeTypes{}, x.dtype, [&]<class Code>(Tag<Code>) { state.body = run_reduce<Code>; });
  const int64_t scratch = state.outputs * static_cast<int64_t>(sizeof(int64_t));
  return make_prepared(std::move(state), 1, scratch);
}

constexpr Kernel reduce_row(std::string_view op, std::string_view name) {
  return {.op = op, .name = name, .accepts = accepts_reduce, .prepare = prepare_reduce, .run = run_body<ReduceState>};
}
constexpr Kernel kPoolQuantizedKernels[] = {
    {.op = "AveragePool",
     .name = "average_pool_codes_reference",
     .accepts = accepts_pool,
     .prepare = prepare_pool,
     .run = run_body<PoolState>},
    reduce_row("GlobalAveragePool", "global_average_pool_codes_reference"),
    reduce_row("ReduceMean", "reduce_mean_codes_reference"),
    reduce_row("ReduceSum", "reduce_sum_codes_reference"),
};

}  // namespace

std::span<const Kernel> pool_quantized_kernels() { return kPoolQuantizedKernels; }

}  // namespace openrknn
