// Placement and estimates, as JSON text: openrknn/api.py makes dicts of it.
#include "toolkit/estimate.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/model.h"
#include "bindings/subjects.h"
#include "core/base/file.h"
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

/// As JSON; `report` is an HTML file to write, about what it calls `title`.
std::string tell(const std::vector<Estimate>& estimates, const std::string& title,
                 const std::optional<std::string>& report) {
  if (report) write_file(*report, estimate_html(title, estimates));
  return estimate_json(estimates);
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
         const std::vector<Shape>& shapes, int cores, const std::optional<std::string>& report) {
        const TargetRequest request = request_of(path, targets, quantize, shapes);
        return tell(estimate(request, cores), request.model.filename().string(), report);
      },
      nb::arg("path"), nb::arg("targets"), nb::arg("quantize").none(), nb::arg("input_shapes"), nb::arg("cores"),
      nb::arg("report").none(), Unlocked());
  module.def(
      "estimate_model",
      [](const PyModel& model, int cores, const std::optional<std::string>& report) {
        return tell({estimate_model(model.model, cores)}, model.facts(report.value_or("")).title, report);
      },
      nb::arg("model"), nb::arg("cores"), nb::arg("report").none(), Unlocked());
}

}  // namespace openrknn::python
