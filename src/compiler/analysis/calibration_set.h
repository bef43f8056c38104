// Is a calibration set fit for its purpose? What it says of itself, and what other samples say of it (docs/report.md).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/quantize/quantize.h"
#include "core/model/model.h"

namespace openrknn {

enum class SetProblem : uint8_t { Duplicate, Constant, Outlier, TooFew, AlreadyNormalized, TooNarrow, TooWide };
std::string_view name(SetProblem);  ///< "duplicate samples"

struct SetFinding {
  SetProblem problem = SetProblem::Duplicate;
  std::vector<int64_t> samples;  ///< whom it concerns; empty: the whole set
  std::string sentence, fix;
  bool is_certain = false;  ///< worth a warning of every build, not only a line of the report
  /// Of the worst output over the samples analyzed, before and after the fix; NaN where it was not tried.
  double sqnr_before, sqnr_after;
};
/// "calibration set: …; …", a line for the user.
std::string to_string(const SetFinding&);

/// From the set alone: equal samples, samples of one colour, samples that stretch the ranges of many tensors, numbers
/// that were normalised before mean and std are applied once more. `inputs` are the model's, in its order.
std::vector<SetFinding> check_calibration_set(const SampleRecord&, std::span<const Port> inputs, const Samples&);

/// Ranges the build was given beside those that other samples have: do they exceed it, or use a small part of it?
std::vector<SetFinding> compare_ranges(const Calibration& calibrated, const Calibration& seen);

}  // namespace openrknn
