#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/window.h"

namespace openrknn::onnx {
namespace {

std::vector<int64_t> kernel_of_weights(const Translation& t) {
  const Shape& w = t.shape(1);
  if (w.size() < 3) {
    t.fail(Code::ImportShapeMismatch, fmt::format("weights have shape {}, expected rank 3 or more", to_string(w)));
  }
  return {w.begin() + 2, w.end()};
}

std::vector<ValueId> layer_inputs(const Translation& t) { return {t.input(0), t.input(1), t.optional_input(2)}; }

/// Negative padding takes elements away; our layers only add, so the input is cut first.
ValueId crop_negative_pads(Translation& t, ValueId x, Window& window) {
  if (std::all_of(window.pads.begin(), window.pads.end(), [](int64_t p) { return p >= 0; })) return x;
  const Shape& shape = t.shape_of(x);
  const size_t spatial = window.dimensions();
  std::vector<int64_t> starts(shape.size(), 0), ends = shape, steps(shape.size(), 1);
  for (size_t d = 0; d < spatial; ++d) {
    starts[d + 2] = std::max<int64_t>(0, -window.pads[d]);
    ends[d + 2] -= std::max<int64_t>(0, -window.pads[d + spatial]);
  }
  for (int64_t& pad : window.pads) pad = std::max<int64_t>(0, pad);
  return t.emit("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
}

void conv(Translation& t) {
  Window window = read_window(t, kernel_of_weights(t));
  std::vector<ValueId> inputs = layer_inputs(t);
  inputs[0] = crop_negative_pads(t, inputs[0], window);
  t.produce("Conv", std::move(inputs),
            {{"kernel_shape", window.kernel},
             {"strides", window.strides},
             {"pads", window.pads},
             {"dilations", window.dilations},
             {"group", t.integer("group", 1)}});
}

// ONNX's definition: total = stride·(in − 1) + output_padding + reach − output_shape, shared between both ends.
void conv_transpose(Translation& t) {
  Window window = read_window(t, kernel_of_weights(t), /*transposed=*/true);
  const size_t spatial = window.dimensions();
  std::vector<int64_t> output_padding = t.integers("output_padding");
  if (output_padding.empty()) output_padding.assign(spatial, 0);
  std::vector<int64_t> wanted = t.integers("output_shape");
  if (wanted.size() == spatial + 2)
    wanted.erase(wanted.begin(), wanted.begin() + 2);  // some exporters give N and C too
  const bool same = window.auto_pad.starts_with("SAME");
  if (wanted.empty() && same) {
    for (size_t d = 0; d < spatial; ++d) wanted.push_back(t.shape(0)[d + 2] * window.strides[d]);
  }
  if (output_padding.size() != spatial || (!wanted.empty() && wanted.size() != spatial)) {
    t.unsupported(fmt::format("output_padding and output_shape must have {} numbers", spatial),
                  "export the model again");
  }
  for (size_t d = 0; d < wanted.size(); ++d) {
    const int64_t full = window.strides[d] * (t.shape(0)[d + 2] - 1) + output_padding[d] + window.reach(d);
    if (wanted[d] < 1 || wanted[d] - full > (1 << 20)) {
      t.unsupported(fmt::format("output_shape {} cannot be reached", to_string(wanted)), "export the model again");
    }
    output_padding[d] += std::max<int64_t>(0, wanted[d] - full);
    std::tie(window.pads[d], window.pads[d + spatial]) =
        split_padding(std::max<int64_t>(0, full - wanted[d]), window.auto_pad);
  }
  t.produce("ConvTranspose", layer_inputs(t),
            {{"kernel_shape", window.kernel},
             {"strides", window.strides},
             {"pads", window.pads},
             {"output_padding", output_padding},
             {"dilations", window.dilations},
             {"group", t.integer("group", 1)}});
}

constexpr OperatorRow kConvolutionRows[] = {
    {"Conv", 1, 28, conv},
    {"ConvTranspose", 1, 28, conv_transpose},
};

}  // namespace

std::span<const OperatorRow> convolution_operators() { return kConvolutionRows; }

}  // namespace openrknn::onnx
