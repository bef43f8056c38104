#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "compiler/compile.h"

namespace openrknn::python {

/// Lent by a compile while it calibrates, and taken back after it.
struct PySamples {
  std::shared_ptr<const Samples*> lent;
  /// Throws Error (InvalidArgument) once they were taken back.
  const Samples& samples() const;
};

/// Calibrates by calling a Python object with (golden: bytes, samples, histograms: bool), which gives a list of what
/// calibrate_part() gave. Empty for None. Call with the GIL held.
Calibrator calibrator_from(nanobind::object callable);

}  // namespace openrknn::python
