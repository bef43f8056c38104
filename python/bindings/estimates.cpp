// Placement and estimates, as JSON text: openrknn/api.py makes dicts of it.
#include "toolkit/estimate.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/model.h"
#include "bindings/subjects.h"
#include "toolkit/check_targets.h"
#include "toolkit/evaluation.h"
#include "toolkit/settings.h"

namespace openrknn::python {
namespace {

TargetRequest request_of(const std::string& path, const std::vector<std::string>& targets,
                         const std::optional<std::string>& quantize, const std::vector<Shape>& input_shapes) {
  TargetRequest request{.model = path, .source = {.input_shapes = input_shapes}, .targets = targets};
  request.quantize = !quantize || !quantize->empty();
  if (quantize && !quantize->empty()) {
    request.scheme = scheme_named(*quantize);
    if (!request.scheme)
      fail(Code::ConfigBadValue, "quantize: '" + *quantize + "' is not known", "see docs/quantization.md");
  }
  return request;
}

}  // namespace

void bind_estimates(nb::module_& module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;
  module.def(
      "check_targets",
      [](const std::string& path, const std::vector<std::string>& targets, const std::optional<std::string>& quantize,
         const std::vector<Shape>& shapes) {
        return check_json(check_targets(request_of(path, targets, quantize, shapes)));
      },
      nb::arg("path"), nb::arg("targets"), nb::arg("quantize").none(), nb::arg("input_shapes"), Unlocked());
  module.def(
      "estimate_targets",
      [](const std::string& path, const std::vector<std::string>& targets, const std::optional<std::string>& quantize,
         const std::vector<Shape>& shapes,
         int cores) { return estimate_json(estimate(request_of(path, targets, quantize, shapes), cores)); },
      nb::arg("path"), nb::arg("targets"), nb::arg("quantize").none(), nb::arg("input_shapes"), nb::arg("cores"),
      Unlocked());
  module.def(
      "estimate_model",
      [](const PyModel& model, int cores) { return estimate_json({estimate_model(model.model, cores)}); },
      nb::arg("model"), nb::arg("cores"), Unlocked());
}

}  // namespace openrknn::python
