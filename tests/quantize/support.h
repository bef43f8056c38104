// Small helpers of the quantization tests: samples in memory, the whole way from a golden graph to integers, SQNR.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "compiler/quantize/quantize.h"
#include "core/executor/run.h"
#include "core/graph/text.h"
#include "core/model/ports.h"
#include "support/random_graph.h"

namespace openrknn::test {

class MemorySamples : public Samples {
 public:
  explicit MemorySamples(std::vector<std::vector<Tensor>> samples) : samples_(std::move(samples)) {}
  int64_t count() const override { return static_cast<int64_t>(samples_.size()); }
  std::vector<Tensor> get(int64_t index) const override { return samples_[static_cast<size_t>(index)]; }
  std::string describe(int64_t index) const override { return "memory:" + std::to_string(index + 1); }

 private:
  std::vector<std::vector<Tensor>> samples_;
};

/// Uniform in [low, high], the same on every machine.
inline Tensor uniform_tensor(Dice& dice, Shape shape, double low, double high) {
  Tensor t(DType::Float32, std::move(shape));
  for (float& v : t.mutable_values<float>()) {
    v = static_cast<float>(low + (high - low) * static_cast<double>(dice.up_to(1 << 20)) / (1 << 20));
  }
  return t;
}

/// `count` samples for every input of the graph.
inline MemorySamples uniform_samples(const Graph& graph, Dice& dice, int count, double low = -1, double high = 1) {
  std::vector<std::vector<Tensor>> samples;
  for (int i = 0; i < count; ++i) {
    std::vector<Tensor> sample;
    for (const ValueId id : graph.inputs) sample.push_back(uniform_tensor(dice, graph[id].shape, low, high));
    samples.push_back(std::move(sample));
  }
  return MemorySamples(std::move(samples));
}

inline const Target& target(std::string_view name = "rk3588") { return *find_target(name); }

struct Built {
  Graph golden, quantized;
  PrecisionMap precision;
  Calibration calibration;
};
inline Built build(Graph golden, const Samples& samples, const QuantizeOptions& options = {},
                   const Target& soc = target(), Scheme scheme = Scheme::W8A8) {
  ThreadPool pool(1);
  Built built{std::move(golden), {}, {}, {}};
  built.precision = assign_precision(built.golden, soc, {.scheme = scheme});
  built.calibration = calibrate(built.golden, samples, pool);
  built.quantized = quantize(built.golden, built.precision, built.calibration, options);
  lower(built.quantized, soc);
  verify(built.quantized);
  return built;
}
inline Built build_text(std::string_view text, double low = -1, double high = 1, const QuantizeOptions& options = {}) {
  Graph golden = parse_graph(text);
  Dice dice(11);
  const MemorySamples samples = uniform_samples(golden, dice, 4, low, high);
  return build(std::move(golden), samples, options);
}

/// Real numbers into the graph's inputs and out of its outputs, whatever their dtype.
inline std::vector<std::vector<double>> run_real(const Graph& graph, std::span<const Tensor> reals, bool ideal = false,
                                                 const Target& soc = target(), bool reference_only = true) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < reals.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    inputs.push_back(value.quant ? quantize_tensor(reals[i], *value.quant, value.dtype) : cast(reals[i], value.dtype));
  }
  ThreadPool pool(1);
  PlanOptions options;
  options.ideal = ideal;
  options.reference_only = reference_only;
  const std::vector<Tensor> outputs = run_graph(graph, arithmetic_of(soc), inputs, pool, options);
  std::vector<std::vector<double>> result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Value& value = graph[graph.outputs[i]];
    result.push_back(to_doubles(value.quant ? dequantize_tensor(outputs[i], *value.quant) : outputs[i]));
  }
  return result;
}

inline double sqnr_db(const std::vector<double>& golden, const std::vector<double>& other) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    signal += golden[i] * golden[i];
    noise += (golden[i] - other[i]) * (golden[i] - other[i]);
  }
  return noise == 0 ? 200 : 10 * std::log10(signal / noise);
}

inline const Value& value_of(const Graph& graph, std::string_view name) {
  const ValueId id = graph.find(name);
  EXPECT_NE(id, ValueId::None) << name;
  return graph[id];
}
inline const Node& producer_of(const Graph& graph, std::string_view name) {
  return graph[value_of(graph, name).producer];
}
inline int64_t count_ops(const Graph& graph, std::string_view op) {
  int64_t count = 0;
  for (const NodeId id : graph.order()) count += graph[id].op == op;
  return count;
}

}  // namespace openrknn::test
