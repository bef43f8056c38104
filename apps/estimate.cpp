#include "toolkit/estimate.h"

#include <fmt/format.h>

#include "apps/verbs.h"

namespace openrknn {

int estimate(const EstimateArguments& arguments) {
  const std::vector<Estimate> estimates = estimate(arguments.request, arguments.cores);
  fmt::print("{}", arguments.json ? estimate_json(estimates)
                                  : estimate_text(estimates, static_cast<size_t>(arguments.layers)));
  return 0;
}

}  // namespace openrknn
