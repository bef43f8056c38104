// Calibration: minima, maxima and counts, which add up to the same bytes in any order.
#include "toolkit/share_kinds.h"

namespace openrknn {
namespace {

constexpr std::string_view kHistograms = "histograms", kExtremes = "extremes";

}  // namespace

std::string calibrate_share(const ShareTask& task, SamplePart part, ThreadPool& pool) {
  const Graph& golden = task.model.variants.front();
  require_arrays(golden, part);
  const Detail detail = task.detail == kHistograms ? Detail::Histograms : Detail::Extremes;
  Calibration calibration = calibrate(golden, part.samples, pool, {}, {}, detail);
  shift_samples(calibration, part.first);
  return to_bytes(calibration);
}

Calibrator calibrator_of(ShareOut share_out) {
  if (!share_out) return {};
  return [share_out = std::move(share_out)](const Graph& golden, const Samples& samples, Detail detail,
                                            const Progress& progress) {
    const SharedWork work{.stage = "calibrate",
                          .task = task_of("calibrate", detail == Detail::Histograms ? kHistograms : kExtremes, golden),
                          .samples_per_share = 8};
    Calibration all;
    for (const std::string& part : share_out(work, samples, progress)) merge(all, calibration_from_bytes(part));
    return all;
  };
}

}  // namespace openrknn
