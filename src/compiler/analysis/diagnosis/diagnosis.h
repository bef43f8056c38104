// Why is a layer bad, and what helps? Reasons are proven twice: by the numbers they are stated with, and by a remedy
// that is really applied and measured. What no remedy mends is not named (docs/report.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/analysis/diagnosis/remedy_trials.h"

namespace openrknn {

enum class Reason : uint8_t {
  OutlierChannel,
  MixedRangeConcat,
  Clipping,
  SaturatedActivation,
  HalfOverflow,
  AccumulatedError
};
std::string_view name(Reason);  ///< "outlier channel"

/// SQNR in dB over a few samples, −infinity where something overflows.
struct MeasuredEffect {
  double layer_before = 0, layer_after = 0;  ///< of the layer by itself; of the output for accumulated errors
  double output_before = 0, output_after = 0;
};

struct LayerFinding {
  size_t row = 0;  ///< of the analysis
  Reason reason = Reason::OutlierChannel;
  std::string layer;          ///< "[Conv] y"
  std::string evidence, fix;  ///< sentences
  MeasuredEffect effect;
};
/// "[Conv] y: outlier channel: …; fix: … (layer 4.1 -> 31.0 dB, output 9.7 -> 28.2 dB)"
std::string to_string(const LayerFinding&);

/// Of the ten worst layers at most, the worst first. `seen`: calibrate(golden, samples, …, Detail::Histograms).
std::vector<LayerFinding> diagnose(const Subject&, const Analysis&, RemedyTrials&, const Progress& = {});

}  // namespace openrknn
