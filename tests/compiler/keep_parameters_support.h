// Models that come quantized: small ones, and what tests of them look at.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "compiler/compile.h"
#include "core/graph/text.h"
#include "quantize/support.h"

namespace openrknn::test {

/// {U8} and the like are written as the numbers of dtypes.
inline Graph graph_of(std::string text) {
  const auto replace = [&](const std::string& what, DType dtype) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what)) {
      text.replace(at, what.size(), std::to_string(static_cast<int>(dtype)));
    }
  };
  replace("@u8", DType::UInt8);
  replace("@i8", DType::Int8);
  replace("@i16", DType::Int16);
  replace("@u16", DType::UInt16);
  return parse_graph("ir 1\n" + text);
}

inline Compiled compile_float(const Graph& graph, CompileOptions options = {}) {
  options.quantize = false;
  options.check = true;
  ThreadPool pool(1);
  return compile(graph, options, nullptr, pool);
}
inline const Graph& built(const Compiled& compiled) { return compiled.model.variants.front(); }

inline Compiled compile_seen(const Graph& source, CompileOptions options, double largest = 1) {
  Dice dice(5);
  const MemorySamples samples = uniform_samples(source, dice, 4, -largest, largest);
  options.check = true;
  ThreadPool pool(1);
  return compile(source, options, &samples, pool);
}

/// Weights of the built layer are those of the source, as numbers.
inline bool holds_codes(const Graph& graph, const Node& layer, const Graph& source, std::string_view weights) {
  return to_ints(*graph[layer.inputs[1]].constant) == to_ints(*source[source.find(weights)].constant);
}

/// The largest difference between the source's own arithmetic and the built graph's, in steps of `step`.
inline double difference(const Graph& source, const Compiled& compiled, double step, double low = -1, double high = 1,
                         std::string_view soc = "rk3588") {
  Dice dice(4);
  double worst = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<Tensor> inputs;
    for (const ValueId id : source.inputs) {
      Tensor real = uniform_tensor(dice, source[id].shape, low, high);
      if (!is_floating(source[id].dtype)) real = cast(cast(real, DType::Int32), DType::Float32);
      inputs.push_back(real);
    }
    const auto wanted = run_real(source, inputs), got = run_real(built(compiled), inputs, true, target(soc));
    for (size_t o = 0; o < wanted.size(); ++o) {
      for (size_t i = 0; i < wanted[o].size(); ++i) {
        worst = std::max(worst, std::abs(wanted[o][i] - got[o][i]) / step);
      }
    }
  }
  return worst;
}

constexpr std::string_view kConv = R"(input %x : f32[1,3,8,8]
%sx : f32[] = {0.0078125}
%zx : u8[] = {128}
%xq = QuantizeLinear(%x, %sx, %zx) {to=@u8} from [xq]
%xd = DequantizeLinear(%xq, %sx, %zx) from [xd]
%w : i8[4,3,3,3] = random(1)
%sw : f32[4] = {0.001, 0.0021, 0.0033, 0.004}
%zw : i8[4] = {0, 0, 0, 0}
%wd = DequantizeLinear(%w, %sw, %zw) {axis=0} from [wd]
%b : i32[4] = {100, -2000, 7, 40}
%sb : f32[4] = {7.8125e-06, 1.640625e-05, 2.578125e-05, 3.125e-05}
%bd = DequantizeLinear(%b, %sb) {axis=0} from [bd]
%c = Conv(%xd, %wd, %bd) {pads=[1,1,1,1]} from [c]
%r = Relu(%c) from [r]
%sy : f32[] = {0.0123}
%zy : u8[] = {0}
%yq = QuantizeLinear(%r, %sy, %zy) {to=@u8} from [yq]
%y = DequantizeLinear(%yq, %sy, %zy) from [y]
output %y
)";

constexpr std::string_view kWide = R"(input %x : f32[1,2,4,4]
%s : f32[] = {3.1e-05}
%z : u16[] = {32768}
%q = QuantizeLinear(%x, %s, %z) {to=@u16}
%d = DequantizeLinear(%q, %s, %z)
%w : i8[2,2,1,1] = {10, -20, 30, 127}
%sw : f32[] = {0.01}
%wd = DequantizeLinear(%w, %sw)
%c = Conv(%d, %wd)
%sy : f32[] = {0.0001}
%yq = QuantizeLinear(%c, %sy) {to=@i16}
%y = DequantizeLinear(%yq, %sy)
output %y
)";

}  // namespace openrknn::test
