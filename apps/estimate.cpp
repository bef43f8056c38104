#include "toolkit/estimate.h"

#include <fmt/format.h>

#include <optional>
#include <span>

#include "apps/verbs.h"
#include "core/base/file.h"

namespace openrknn {

int estimate(const EstimateArguments& arguments) {
  std::optional<FileSink> report;
  if (!arguments.report.empty()) report.emplace(arguments.report);  // better refused now than after the work
  const std::vector<Estimate> estimates = estimate(arguments.request, arguments.cores);
  fmt::print("{}", arguments.json ? estimate_json(estimates)
                                  : estimate_text(estimates, static_cast<size_t>(arguments.layers)));
  if (!report) return 0;
  const std::string html = estimate_html(arguments.request.model.filename().string(), estimates);
  report->write(std::as_bytes(std::span(html)));
  report->commit();
  if (!arguments.json) fmt::print("\nreport: {}\n", arguments.report);
  return 0;
}

}  // namespace openrknn
