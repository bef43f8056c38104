// One HTML file that shows where a build loses its accuracy: data as JSON inside, plain JavaScript and SVG, nothing
// from the network (docs/report.md).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/analysis/calibration_set.h"
#include "compiler/analysis/diagnosis/diagnosis.h"
#include "core/targets/roofline.h"

namespace openrknn {

/// Taken in while the layers are compared: code counts by row, errors of the outputs by sample.
class ReportCollector {
 public:
  ReportCollector(const Graph& built, const std::vector<LayerRow>& rows);
  void visit(size_t row, const LayerValues& golden, const LayerValues& built);

  /// How often each code came up, from the lowest one; empty where the row holds no codes.
  const std::vector<int64_t>& codes(size_t row) const { return codes_[row]; }
  /// Of all outputs together, by sample.
  const std::vector<ErrorSums>& samples() const { return samples_; }
  void write(StateWriter&) const;
  /// Adds what another one wrote, of the samples that come next.
  void add(StateReader&);

 private:
  std::vector<std::vector<int64_t>> codes_;
  std::vector<int64_t> visits_;  // by row
  std::vector<bool> is_output_;  // by row
  std::vector<ErrorSums> samples_;
};

/// What a search to a target tried, for its curve.
struct TradeOff {
  struct Point {
    std::vector<std::string> layers;  ///< lifted
    double macs_share = 0;            ///< their part of the network's multiplications
    double metric = 0;
  };
  std::optional<double> target = {};
  double max_macs_share = 1;  ///< no point chosen has more
  bool is_sqnr = true;        ///< the metric is dB of the worst output; else the user's own
  std::string lifted_to;      ///< "float16"
  int64_t trials = 0;
  std::vector<Point> points;
  size_t chosen = 0;  ///< of the points
};

struct Report {
  std::string model;                                       ///< file name, or what the caller calls it
  std::vector<std::pair<std::string, std::string>> facts;  ///< target, scheme, …: shown as they are
  const Graph& golden;
  const Graph& built;
  const QuantizeRecipe* recipe;  ///< null for a file that was not built here
  const Analysis& analysis;
  const ReportCollector& collected;
  const Calibration& seen;  ///< with histograms; empty if the float model gives NaN
  std::vector<LayerFinding> findings = {};
  std::vector<SetFinding> set_findings = {};
  std::vector<std::string> samples = {};   ///< names of those analyzed
  std::vector<std::string> warnings = {};  ///< NaN and infinity, what could not be tried
  std::optional<TradeOff> search = {};
  std::vector<Roofline> speed = {};  ///< estimated, of the target built for
};

/// The file. Equal inputs give equal bytes.
std::string report_html(const Report&);
/// Likewise a file of nothing but estimated speed, on one target or several.
std::string speed_html(const std::string& model, const std::vector<Roofline>&);

}  // namespace openrknn
