// Corrections that choose codes and biases by data: after quantize, before lower (docs/corrections.md). Each changes
// constants of the quantized graph and nothing else; golden's ids are valid in it.
#pragma once

#include <map>
#include <vector>

#include "compiler/dataset/samples.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

/// What all of them read. `ranges` is what calibrate() saw of golden's values.
struct CorrectionData {
  const Graph& golden;
  const Calibration& ranges;
  const Samples& samples;
  ThreadPool& pool;
  const Progress& progress;
  const CustomCode& custom;
};

/// How the codes of weights are chosen.
enum class Rounding : uint8_t {
  Nearest,
  Adaptive,       ///< up or down, whichever makes the layer's error least
  ErrorFeedback,  ///< gdq: any code; each weight makes good for the errors of others
};
/// Of Int8 and Int4 weights. `bias_follows`: correct_biases() comes after it, so mean errors do not count.
void round_weights(Graph& quantized, Rounding, bool bias_follows, const CorrectionData&);

/// Takes the mean error of every output channel over the samples out of the layers' biases, layer after layer.
void correct_biases(Graph& quantized, const Target&, const CorrectionData&);

/// Mean inputs of golden's layers over the samples, [groups][depth]: taken once for any number of builds.
using GoldenMeans = std::map<NodeId, std::vector<double>>;
GoldenMeans golden_means(const CorrectionData&);
/// The greater part of correct_biases() without running the quantized graph: mean errors by codes of weights alone.
void correct_biases_of_weights(Graph& quantized, const Graph& golden, const GoldenMeans&);

/// Gives the layers of another set of input shapes the codes and biases of `corrected`, by name. Throws Error
/// (QuantizeUnsupported) naming layers it has no counterpart of.
void carry_corrections_over(const Graph& corrected, const Graph& golden, Graph& quantized);

}  // namespace openrknn
