#include "toolkit/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"

namespace openrknn {

std::vector<OutputError> compare_outputs(const std::vector<Tensor>& wanted, const std::vector<Tensor>& got,
                                         const std::vector<std::string>& names) {
  if (wanted.size() != got.size()) {
    fail(Code::InvalidShape,
         fmt::format("the models have {} and {} outputs and cannot be compared", got.size(), wanted.size()));
  }
  std::vector<OutputError> errors;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].size() != got[i].size()) {
      fail(Code::InvalidShape, fmt::format("output {}: shapes {} and {} cannot be compared", i,
                                           to_string(got[i].shape()), to_string(wanted[i].shape())));
    }
    const std::vector<double> a = to_doubles(wanted[i]), b = to_doubles(got[i]);
    double aa = 0, bb = 0, ab = 0, difference = 0, largest = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      aa += a[k] * a[k];
      bb += b[k] * b[k];
      ab += a[k] * b[k];
      difference += (a[k] - b[k]) * (a[k] - b[k]);
      largest = std::max(largest, std::abs(a[k] - b[k]));
    }
    OutputError error{.name = i < names.size() ? names[i] : fmt::format("output_{}", i)};
    error.cosine = aa == 0 && bb == 0 ? 1 : aa == 0 || bb == 0 ? 0 : ab / std::sqrt(aa) / std::sqrt(bb);
    error.sqnr_db = difference == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(aa / difference);
    error.euclidean = std::sqrt(difference);
    error.max_absolute = largest;
    error.identical = identical(wanted[i], got[i]);
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace openrknn
