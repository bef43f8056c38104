#include "toolkit/check_targets.h"

#include <fmt/format.h>

#include "apps/verbs.h"

namespace openrknn {

int check(const CheckArguments& arguments) {
  const std::vector<TargetCheck> checks = check_targets(arguments.request);
  fmt::print("{}", arguments.json ? check_json(checks) : check_text(checks));
  return has_impossible(checks) ? 1 : 0;
}

}  // namespace openrknn
