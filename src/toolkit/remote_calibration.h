// Calibration by other processes or machines: what is sent to them, and what they do with it. Who sends is above
// (python/openrknn/distributed.py).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/quantize/quantize.h"

namespace openrknn {

/// The float graph as bytes, weights included. Throws Error (ConfigUnsupported) if it has operators of the user's own:
/// their code cannot be sent.
std::string golden_to_bytes(const Graph& golden);

/// Some of the samples as they enter the graph: arrays[i][input], with mean and std applied, so that all machines
/// compute from the same numbers whatever their image library.
struct SamplePart {
  int64_t first = 0;  ///< index of the first one among all samples
  std::vector<std::vector<Tensor>> arrays;
  std::vector<std::string> descriptions;  ///< one a sample, for messages
};

/// What calibrate() sees in the part, as bytes (to_bytes(Calibration)), sample indices being those among all samples.
/// Throws Error as calibrate() does, and for bytes that are no golden graph.
std::string calibrate_part(std::string_view golden, SamplePart, Detail, ThreadPool&);

/// Adds the parts up. The order does not matter.
Calibration merge_parts(const std::vector<std::string>& parts);

}  // namespace openrknn
