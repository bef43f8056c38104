#include "toolkit/calibration_samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/dataset/readable_samples.h"

namespace openrknn {

std::unique_ptr<Samples> calibration_samples(std::unique_ptr<Samples> samples, const CompileOptions& options,
                                             ThreadPool& pool, std::vector<std::string>& warnings) {
  if (!options.skip_unreadable || samples == nullptr) return samples;
  const int64_t count = samples->count();
  std::vector<std::string> left_out;
  samples = readable_samples(std::move(samples), pool, left_out);
  if (!left_out.empty()) {
    warnings.push_back(fmt::format("{} of {} samples cannot be read and are left out:\n  {}", left_out.size(), count,
                                   fmt::join(left_out, "\n  ")));
  }
  return samples;
}

}  // namespace openrknn
