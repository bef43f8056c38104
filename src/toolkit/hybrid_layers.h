// Which layers hybrid quantization proposes, finds between two tensors, and takes from an edited file.
#pragma once

#include <string>
#include <vector>

#include "compiler/compile.h"
#include "toolkit/argument_value.h"
#include "toolkit/hybrid_config.h"

namespace openrknn {

/// Parameters of every tensor of real numbers that a build computes, in the order of computation.
std::vector<TensorParameters> tensor_parameters(const Compiled&);

/// Outputs of all layers on paths from one tensor to another, for each pair of custom_hybrid, in the order of
/// computation. Throws Error (ConfigBadValue, QuantizeUnknownLayer) listing every pair that is none, names nothing or
/// has no path.
std::vector<CustomLayer> layers_between(const Graph& golden, const ArgumentValue& custom_hybrid);

/// The layers that lose most by themselves, worst first: single-layer cosine under 0.999, at most a tenth of all.
std::vector<CustomLayer> proposed_layers(const Compiled&, const Samples&, ThreadPool&, const Progress&);

/// What an edited file asks for, beside the file as it was written.
struct HybridEdits {
  std::vector<PrecisionRule> rules;
  AskedRanges ranges;
  std::vector<std::string> warnings;
};
/// Throws Error (ConfigBadValue, QuantizeUnknownLayer) listing everything that is wrong with the file.
HybridEdits edits_of(const HybridConfig& edited, const HybridConfig& written, const Graph& golden,
                     const std::string& file);

}  // namespace openrknn
