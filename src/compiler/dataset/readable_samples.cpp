#include "compiler/dataset/readable_samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace openrknn {
std::unique_ptr<Samples> readable_samples(std::unique_ptr<Samples> all, ThreadPool& pool,
                                          std::vector<std::string>& left_out) {
  const int64_t count = all->count();
  std::vector<std::string> problems(static_cast<size_t>(count));
  pool.parallel_for(count, [&](int64_t index, int) {
    try {
      all->get(index);
    } catch (const Error& error) {
      problems[static_cast<size_t>(index)] = error.what();
    }
  });
  std::vector<int64_t> chosen;
  std::vector<std::string> told;
  for (int64_t i = 0; i < count; ++i) {
    std::string& problem = problems[static_cast<size_t>(i)];
    if (problem.empty()) {
      chosen.push_back(i);
    } else {
      told.push_back(std::move(problem));
    }
  }
  if (chosen.empty()) {
    constexpr size_t kTold = 20;
    const std::vector<std::string> first(told.begin(),
                                         told.begin() + static_cast<int64_t>(std::min(told.size(), kTold)));
    fail(Code::DatasetEmpty, fmt::format("none of the {} samples can be read:\n{}", count, fmt::join(first, "\n")),
         "repair the files");
  }
  left_out.insert(left_out.end(), told.begin(), told.end());
  if (told.empty()) return all;
  return std::make_unique<ChosenSamples>(std::move(all), std::move(chosen));
}

}  // namespace openrknn
