#include "apps/results.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/file.h"
#include "core/base/npy.h"

namespace openrknn {

Range range_of(const Tensor& tensor) {
  const std::vector<double> values = to_doubles(tensor);
  Range range;
  if (values.empty()) return range;
  range.low = range.high = values[0];
  for (const double value : values) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
    range.mean += value / static_cast<double>(values.size());
  }
  return range;
}

void print_output(const std::string& name, const Tensor& output) {
  const Range range = range_of(output);
  fmt::print("{:<32} {:<8} {:<20} min {:.5g} max {:.5g} mean {:.5g}\n", name, numpy_name(output.dtype()),
             to_string(output.shape()), range.low, range.high, range.mean);
}

void save_output(const std::filesystem::path& folder, std::string name, const Tensor& output) {
  std::filesystem::create_directories(folder);
  for (char& c : name) {
    if (c == '/' || c == ':') c = '_';
  }
  write_file(folder / (name + ".npy"), to_npy(output));
}

}  // namespace openrknn
