#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "toolkit/shares.h"

namespace openrknn::python {

/// Lent by work that is shared out, and taken back after it.
struct PySamples {
  struct Lent {
    const Samples* samples = nullptr;
    std::function<void(int64_t)> finished = {};
  };
  std::shared_ptr<Lent> lent;
  /// Throws Error (InvalidArgument) once they were taken back.
  const Lent& get() const;
};

/// Shares out to a concurrent.futures.Executor (openrknn.distributed.share_with). Empty for None. Call with the GIL
/// held; what comes back may be used without.
ShareOut share_out_to(nanobind::object executor);

/// What the caller gives instead of a dataset file: each an array, a list or a dict. Throws Error (DatasetBadArray).
std::vector<std::vector<Tensor>> samples_from_python(nanobind::handle lists, const std::vector<std::string>& names);

}  // namespace openrknn::python
