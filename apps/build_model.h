// Building a model from what the command line says: convert, analyze and search.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "apps/verbs.h"
#include "core/base/file.h"
#include "toolkit/layer_analysis.h"
#include "toolkit/toolkit.h"

namespace openrknn {

/// A bar with the time that is left on a terminal, one line per stage elsewhere.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(bool quiet);
  void operator()(std::string_view stage, int64_t done, int64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  std::string stage_;
  Clock::time_point start_, drawn_;  // of the stage; of the bar
};

/// Says warnings on stderr, unless quiet.
MessageSink warnings_to_stderr(bool quiet);

/// With the options of the YAML file, if one is named, sorted to the methods they belong to; what a flag says wins.
BuildArguments with_yaml(BuildArguments);
/// Who computes samples: the cluster that --dask names. Empty: this process.
ShareOut share_out_of(const BuildArguments&);
/// config and load.
void load_model(Toolkit&, const BuildArguments&, const ShareOut&);
/// config, load, build.
void build_model(Toolkit&, const BuildArguments&, const ShareOut&);

/// The samples of this dataset file as the built model takes them.
std::unique_ptr<Samples> samples_for(const std::string& list, const Model&, const Graph& golden, Toolkit&);
/// Of a model that was built here, or of a file.
BuildFacts facts_of(const Toolkit&, const BuildArguments&);

}  // namespace openrknn
