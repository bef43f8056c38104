// How the outside sees a graph's inputs and outputs, and what a dataset must therefore hold.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "compiler/boundary_reshapes.h"
#include "compiler/compile.h"
#include "core/model/ports.h"

namespace openrknn {

void apply_interface_options(Graph& imported, const CompileOptions& options, std::vector<std::string>& warnings) {
  if (options.remove_reshape) remove_boundary_reshapes(imported, warnings);
  take_frames(imported, options.frames, options.mean, options.std, options.rgb_to_bgr);
}

std::vector<Port> input_ports(const Graph& graph, const CompileOptions& options) {
  Diagnostics problems;
  std::vector<Port> ports = source_inputs(graph);
  const auto values_for = [&](const std::vector<std::vector<float>>& all, size_t input, std::string_view what,
                              int64_t channels) -> std::vector<float> {
    if (input >= all.size() || all[input].empty()) return {};
    const Value& value = graph[graph.inputs[input]];
    if (static_cast<int64_t>(all[input].size()) != channels) {
      problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                   fmt::format("the length of {}_values ([{}]) for input {} is wrong, got {}, expected {}", what,
                               fmt::join(all[input], ", "), input, all[input].size(), channels),
                   fmt::format("give one value per channel; the input's shape is {}", to_string(value.shape)));
      return {};
    }
    return all[input];
  };
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    // "Channels" of an input that is not an image: its last dimension (toolkit: shape 1x32 expects 32 values).
    const Shape& shape = value.shape;
    const PixelFormat* frames = format_of(options.frames, i);
    const int64_t channels = frames ? 3 : shape.empty() ? 1 : shape.size() == 4 ? shape[1] : shape.back();
    Port& port = ports[i];
    port.mean = values_for(options.mean, i, "mean", channels);
    port.std = values_for(options.std, i, "std", channels);
    for (const float deviation : port.std) {
      if (deviation == 0 || !std::isfinite(deviation)) {
        problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                     fmt::format("std_values of input {} hold {}, every pixel is divided by it", i, deviation),
                     "use 1 where no scaling is wanted");
      }
    }
    for (const float mean : port.mean) {
      if (!std::isfinite(mean)) {
        problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                     fmt::format("mean_values of input {} hold {}", i, mean), "use 0 where no shift is wanted");
      }
    }
    if (frames != nullptr) {  // take_frames() put mean and std behind the conversion
      port.pixel_format = frames->name;
      port.mean.clear();
      port.std.clear();
    }
    if ((!port.mean.empty() || !port.std.empty()) && !is_floating(value.dtype)) {
      // 0/1 vectors are how scripts say "leave this input alone".
      port.mean.clear();
      port.std.clear();
    }
  }
  const size_t most = std::max(options.mean.size(), options.std.size());
  if (most > graph.inputs.size()) {
    problems.add(
        Code::ConfigBadMeanStd, {},
        fmt::format("mean_values/std_values are given for {} inputs, the model has {}", most, graph.inputs.size()),
        "give one list per input, in the model's order");
  }
  problems.throw_if_any();
  return ports;
}

std::vector<SampleSpec> sample_specs(const Graph& graph, const CompileOptions& options) {
  const std::vector<bool>& swap = options.rgb_to_bgr;
  if (swap.size() > 1 && swap.size() != graph.inputs.size()) {
    fail(Code::ConfigBadValue,
         fmt::format("quant_img_RGB2BGR has {} entries, the model has {} inputs", swap.size(), graph.inputs.size()),
         "give one bool for all inputs, or one per input");
  }
  std::vector<SampleSpec> specs;
  const std::vector<Port> ports = input_ports(graph, options);
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    specs.push_back({.port = ports[i],
                     .shape = value.shape,
                     .dtype = value.dtype,
                     .rgb_to_bgr = swap.size() == 1 ? swap[0] : i < swap.size() && swap[i]});
  }
  return specs;
}

}  // namespace openrknn
