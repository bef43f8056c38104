#include "core/executor/profile.h"

#include <chrono>
#include <utility>

#include "core/executor/plan_data.h"

namespace openrknn {

std::vector<StepTime> profile_run(const Plan& plan, Run& run) {
  std::vector<StepTime> times;
  int64_t conversions = 0;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const StepNote& note = plan.notes[s];
    if (!plan.steps[s].ends_node) {
      ++conversions;
      continue;
    }
    times.push_back({.node = plan.steps[s].node,
                     .name = note.node,
                     .op = whole_operator(note),
                     .kernel = note.kernel,
                     .conversions = std::exchange(conversions, 0)});
  }
  run.restart();
  for (StepTime& time : times) {
    const auto begin = std::chrono::steady_clock::now();
    run.step();
    time.microseconds = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  }
  run.restart();
  return times;
}

}  // namespace openrknn
