// Work over samples that other processes or machines do, a share of the samples each: what is sent to them, what they
// do with it, and what is made of their answers. Who sends is above (python/openrknn/distributed.py).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/analysis/report/report.h"
#include "compiler/compile.h"
#include "compiler/search/search.h"

namespace openrknn {

/// What is to be done with every sample.
struct SharedWork {
  std::string stage;  ///< "calibrate", for progress and messages
  std::string task;   ///< for compute_share(): the graphs with their weights
  int64_t samples_per_share = 0;
};

/// Has the samples computed in shares, wherever. Gives what compute_share() made of each, in the order of the samples.
/// Progress is told on the calling thread, of samples.
using ShareOut = std::function<std::vector<std::string>(const SharedWork&, const Samples&, const Progress&)>;

/// Some of the samples as they enter the graph, with mean and std applied, so that all machines compute from the same
/// numbers whatever their image library.
struct SamplePart {
  int64_t first = 0;  ///< index of the first one among all samples
  HeldSamples samples;
};

/// What a worker does. Throws Error as the work itself does, and (InvalidArgument) for a task that is damaged or of
/// another version.
std::string compute_share(std::string_view task, SamplePart, ThreadPool&);

// The work that can be shared. Equal bits, however many shares there are and whoever computes them. All throw Error
// (ConfigUnsupported) for graphs with operators of the user's own, whose code cannot be sent, and (InvalidArgument) for
// answers that are none.

/// For CompileOptions; empty if nothing is shared.
Calibrator calibrator_of(ShareOut);
/// For SearchOptions; empty if nothing is shared.
TrialRunner trial_runner_of(ShareOut);
/// The sums of all samples, for analysis_of(). `collected`, if there is one, sees them all.
std::vector<SampleSums> sums_in_shares(const ShareOut&, const Graph& golden, const Graph& built, const Arithmetic&,
                                       const Samples&, ReportCollector* collected, const Progress& = {});

}  // namespace openrknn
