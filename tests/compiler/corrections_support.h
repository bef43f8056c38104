// The way from a golden graph through the corrections, and what a layer's results are worth.
#pragma once

#include "compiler/corrections/corrections.h"
#include "quantize/support.h"

namespace openrknn::test {

struct Wanted {
  Scheme scheme = Scheme::W8A8;
  Rounding rounding = Rounding::Nearest;
  bool bias_correction = false;
  int64_t group = 0;
  int threads = 1;
};

/// The quantized graph, lowered and verified.
inline Graph corrected(const Graph& golden, const Samples& samples, const Wanted& wanted) {
  const Target& soc = target(wanted.scheme == Scheme::W4A16   ? "rk3576"
                             : wanted.scheme == Scheme::W8A16 ? "rk3562"
                             : wanted.scheme == Scheme::W8A8  ? "rk3588"
                                                              : "rv1106");
  ThreadPool pool(wanted.threads);
  const PrecisionMap precision = assign_precision(golden, soc, {.scheme = wanted.scheme});
  const Calibration calibration = calibrate(golden, samples, pool);
  QuantizeOptions options = options_of(wanted.scheme);
  options.group = wanted.group;
  Graph graph = quantize(golden, precision, calibration, options);
  const Progress progress;
  const CustomCode custom;
  const CorrectionData data{golden, calibration, samples, pool, progress, custom};
  round_weights(graph, wanted.rounding, wanted.bias_correction, data);
  if (wanted.bias_correction) correct_biases(graph, soc, data);
  lower(graph, soc);
  verify(graph);
  return graph;
}

/// Images whose neighbours are alike and whose channels go together, as real ones: means of random numbers, above 0.
inline MemorySamples smooth_samples(const Graph& graph, Dice& dice, int count) {
  std::vector<std::vector<Tensor>> samples;
  for (int i = 0; i < count; ++i) {
    const Shape& shape = graph[graph.inputs[0]].shape;
    const Tensor noise = uniform_tensor(dice, shape, 0, 1), common = uniform_tensor(dice, {shape[2], shape[3]}, 0, 1);
    Tensor image(DType::Float32, shape);
    const int64_t height = shape[2], width = shape[3];
    for (int64_t c = 0; c < shape[1]; ++c) {
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          float sum = 0;
          for (int64_t dy = 0; dy < 3; ++dy) {
            for (int64_t dx = 0; dx < 3; ++dx) {
              const int64_t at = (y + dy) % height * width + (x + dx) % width;
              sum += common.values<float>()[static_cast<size_t>(at)] +
                     0.3f * noise.values<float>()[static_cast<size_t>(c * height * width + at)];
            }
          }
          image.mutable_values<float>()[static_cast<size_t>((c * height + y) * width + x)] = sum / 9;
        }
      }
    }
    samples.push_back({image});
  }
  return MemorySamples(std::move(samples));
}

/// Every constant's bytes, by name.
inline std::map<std::string, std::string> constants_of(const Graph& graph) {
  std::map<std::string, std::string> all;
  for (int32_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph[ValueId(i)];
    if (!value.constant) continue;
    const auto bytes = value.constant->bytes();
    all[value.name] = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return all;
}

}  // namespace openrknn::test
