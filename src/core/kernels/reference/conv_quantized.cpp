// Conv and ConvTranspose on codes (docs/arithmetic.md): exact accumulator, then the output stage.
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

struct ConvState {
  Window window;
  OutputStage stage;
  int32_t input_zero_point = 0;
  std::vector<int32_t> weight_zero_point;  // one, or one per output channel
  int64_t group_in = 1, group_out = 1;     // channels of one group
  bool transposed = false, has_bias = false;
  Body<ConvState> body = nullptr;

  /// Element of the logical weights [O, I/g, k…] or, transposed, [I, O/g, k…].
  int64_t weight_index(int64_t oc, int64_t ic, int64_t tap) const {
    const int64_t group = oc / group_out, taps = window.taps();
    if (transposed) return ((group * group_in + ic) * group_out + oc % group_out) * taps + tap;
    return (oc * group_in + ic) * taps + tap;
  }
};

template <class Code>
void run_row(const ConvState& s, std::span<const Buffer> buffers, int64_t row, std::byte*) {
  const auto* x = input<Code>(buffers, 0);
  const auto* w = input<Code>(buffers, 1);
  auto* y = output<Code>(buffers);
  const int64_t columns = s.window.axes[2].out, channels = s.window.out_channels;
  for (int64_t column = 0; column < columns; ++column) {
    Code* pixel = y + (row * columns + column) * channels;
    for (int64_t oc = 0; oc < channels; ++oc) {
      const int32_t zw = s.weight_zero_point[s.weight_zero_point.size() == 1 ? 0 : static_cast<size_t>(oc)];
      const int64_t first = oc / s.group_out * s.group_in;
      int64_t acc = s.has_bias ? bias_of<Code>(buffers, 2, oc) : 0;
      for_taps(s.window, row, column, [&](int64_t tap, int64_t source) {  // padding is real 0: it adds nothing
        const Code* in = x + source * s.window.in_channels + first;
        for (int64_t ic = 0; ic < s.group_in; ++ic) {
          acc += int64_t{in[ic] - s.input_zero_point} * (w[s.weight_index(oc, ic, tap)] - zw);
        }
      });
      pixel[oc] = static_cast<Code>(s.stage.code(acc, oc));
    }
  }
}

bool accepts_quantized_conv(const Call& call) {
  const Operand &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  if (!is_coded_as(x, y) || w.dtype != x.dtype || w.quant == nullptr) return false;
  return bias_fits(call) && is_lowered(call) && window_fits(x, y) && w.shape.size() == x.shape.size();
}

Prepared prepare_quantized_conv(const Call& call, Weights&) {
  const Operand &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  const bool transposed = call.node.op == "ConvTranspose";
  const std::vector<int64_t> kernel(w.shape.begin() + 2, w.shape.end());
  ConvState state;
  state.window = make_window(call.node, x, y, kernel, transposed);
  state.stage = output_stage(call, x, w);
  state.input_zero_point = x.quant->zero_point[0];
  state.weight_zero_point = w.quant->zero_point;
  const int64_t groups = int_attribute(call.node.attributes, "group", 1);
  state.group_in = state.window.in_channels / groups;
  state.group_out = state.window.out_channels / groups;
  state.transposed = transposed;
  if (transposed && state.weight_zero_point.size() > 1) {  // per channel of a group: all groups share them
    const auto repeat = [&](auto& list) {
      for (size_t c = list.size(); c < static_cast<size_t>(state.window.out_channels); ++c) {
        list.push_back(list[c - static_cast<size_t>(state.group_out)]);
      }
    };
    repeat(state.weight_zero_point);
    if (call.ideal) repeat(state.stage.ideal_factor);
  }
  state.has_bias = present(call.inputs, 2);
  visit(CodeTypes{}, x.dtype, [&]<class Code>(Tag<Code>) { state.body = run_row<Code>; });
  const int64_t rows = state.window.out_rows();
  return make_prepared(std::move(state), rows);
}

constexpr Kernel kConvQuantizedKernels[] = {
    {.op = "Conv",
     .name = "conv_codes_reference",
     .accepts = accepts_quantized_conv,
     .prepare = prepare_quantized_conv,
     .run = run_body<ConvState>},
    {.op = "ConvTranspose",
     .name = "conv_transpose_codes_reference",
     .accepts = accepts_quantized_conv,
     .prepare = prepare_quantized_conv,
     .run = run_body<ConvState>},
};

}  // namespace

std::span<const Kernel> conv_quantized_kernels() { return kConvQuantizedKernels; }

}  // namespace openrknn
