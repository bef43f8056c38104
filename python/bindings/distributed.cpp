// What openrknn.distributed stands on: samples one can take by index, and the calibration of some of them.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/samples.h"
#include "bindings/subjects.h"
#include "toolkit/remote_calibration.h"

namespace openrknn::python {
namespace {

std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

std::vector<std::string> strings_of(const nb::list& list) {
  std::vector<std::string> all;
  for (const nb::handle item : list) all.emplace_back(view(nb::cast<nb::bytes>(item)));
  return all;
}

nb::bytes calibrate_part_from_python(const nb::bytes& golden, int64_t first, const nb::list& samples,
                                     std::vector<std::string> descriptions, bool histograms, int threads) {
  SamplePart part{.first = first, .arrays = {}, .descriptions = std::move(descriptions)};
  for (const nb::handle arrays : samples) {
    std::vector<Tensor> tensors;
    for (const nb::handle array : nb::iter(arrays)) tensors.push_back(tensor_from_array(array, "a sample's array"));
    part.arrays.push_back(std::move(tensors));
  }
  std::string bytes;
  {
    const nb::gil_scoped_release release;
    ThreadPool pool(threads);
    bytes = calibrate_part(view(golden), std::move(part), histograms ? Detail::Histograms : Detail::Extremes, pool);
  }
  return nb::bytes(bytes.data(), bytes.size());
}

}  // namespace

const Samples& PySamples::samples() const {
  if (*lent == nullptr) fail(Code::InvalidArgument, "the samples belong to a compile that is over");
  return **lent;
}

// The callable runs on the compiling thread, and its exceptions leave the compile.
Calibrator calibrator_from(nb::object callable) {
  if (callable.is_none()) return {};
  return [callable](const Graph& golden, const Samples& samples, Detail detail) {
    const std::string bytes = golden_to_bytes(golden);
    const auto lent = std::make_shared<const Samples*>(&samples);
    const std::shared_ptr<void> take_back(nullptr, [&](void*) { *lent = nullptr; });
    std::vector<std::string> parts;
    {
      const nb::gil_scoped_acquire held;
      const nb::object given =
          callable(nb::bytes(bytes.data(), bytes.size()), PySamples{lent}, detail == Detail::Histograms);
      parts = strings_of(nb::cast<nb::list>(given));
    }
    return merge_parts(parts);
  };
}

void bind_distributed(nb::module_& module) {
  nb::class_<PySamples>(module, "Samples", "The samples of a compile while it calibrates. Thread-safe.")
      .def("__len__", [](const PySamples& self) { return self.samples().count(); })
      .def(
          "get",
          [](const PySamples& self, int64_t index) {
            std::vector<Tensor> tensors;
            {
              const nb::gil_scoped_release release;
              tensors = self.samples().get(index);
            }
            return arrays_from_tensors(std::move(tensors));
          },
          nb::arg("index"), "the arrays of one sample as they enter the graph, mean and std applied")
      .def("describe", [](const PySamples& self, int64_t index) { return self.samples().describe(index); });
  module.def("calibrate_part", &calibrate_part_from_python, nb::arg("golden"), nb::arg("first"), nb::arg("samples"),
             nb::arg("descriptions"), nb::arg("histograms"), nb::arg("threads"));
}

}  // namespace openrknn::python
