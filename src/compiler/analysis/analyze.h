// Layer analysis: the built graph beside golden, layer by layer, over samples (docs/analysis.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/analysis/compare_streams.h"
#include "compiler/analysis/layer_error.h"
#include "compiler/analysis/layer_rows.h"
#include "compiler/dataset/samples.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"
#include "core/executor/plan.h"

namespace openrknn {

struct AnalyzedLayer {
  LayerRow row;
  LayerError entire;          ///< both run from the input: errors add up from layer to layer
  LayerError single;          ///< the layer fed with golden's numbers
  LayerError runtime_entire;  ///< of a device, run from the input; where Analysis::has_runtime
  LayerError single_sim;      ///< the simulator's layer, fed with the device's numbers, beside the device's
  double clipped = 0;         ///< share of golden's numbers that the layer's type cannot hold
  int64_t elements = 0, golden_not_finite = 0, not_finite = 0;  ///< over all samples; of the entire run
  int64_t worst_sample = 0;                                     ///< least cosine of the entire run
};

/// The first layer, in the order of computation, that holds NaN or infinity.
struct NotFiniteLayer {
  std::string op, tensor, sample;
  int64_t elements = 0, of = 0;
};

struct Analysis {
  std::vector<AnalyzedLayer> layers;  ///< one per row
  int64_t samples = 0;
  bool has_runtime = false;  ///< a device ran the samples too
  std::optional<NotFiniteLayer> golden_not_finite;
  std::optional<NotFiniteLayer> built_not_finite;  ///< where golden is finite
  std::string not_resumed;                         ///< why what was done before does not count; empty: it does
};

/// Sees golden's and the entire run's numbers of each row of each sample while they are there.
using RowVisitor = std::function<void(size_t row, const LayerValues& golden, const LayerValues& built)>;

/// `built` is what quantize and lower made of `golden`. One sample after another, layer by layer: three arenas planned
/// by liveness (golden's, and two of the built graph's types) and no copy of a float layer beside them. `rows` are
/// layer_rows(golden, built).
Analysis analyze(const Graph& golden, const Graph& built, const Arithmetic&, const std::vector<LayerRow>& rows,
                 const Samples&, ThreadPool&, const Progress& = {}, const RowVisitor& = {}, const CustomCode& = {},
                 const Resumption* = nullptr);

/// What a device makes of the same samples, added to an analysis of the same graphs and rows: `device` is a stream of
/// the built graph's layers, under their names there. `visit` sees golden's and the device's numbers.
void add_runtime(Analysis&, const Graph& golden, const Graph& built, const Arithmetic&, LayerStream& device,
                 const Samples&, ThreadPool&, const Progress& = {}, const RowVisitor& visit = {},
                 const CustomCode& = {});
/// The layers of `built` that add_runtime() asks a device for.
std::vector<std::string> layers_of_runtime(const Graph& golden, const Graph& built);

/// What each sample adds to an analysis, in their order: for whoever computes a share of one. `visit` is called once a
/// row and sample.
std::vector<SampleSums> sums_of_samples(const Graph& golden, const Graph& built, const Arithmetic&,
                                        const std::vector<LayerRow>& rows, const Samples&, ThreadPool&,
                                        const Progress& = {}, const RowVisitor& visit = {}, const CustomCode& = {});
/// The analysis that these sums make, one a sample: what analyze() gives, bit for bit.
Analysis analysis_of(const Graph& golden, const Graph& built, const std::vector<LayerRow>& rows, const Samples&,
                     const std::vector<SampleSums>&);

/// The sentence for the user: "NaN or infinity in 3 of 10 elements of [Log] y ..."
std::string to_string(const NotFiniteLayer&, std::string_view whose);

}  // namespace openrknn
