// What openrknn.distributed stands on: samples one can take by index, and work on some of them.
#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/samples.h"
#include "bindings/subjects.h"

namespace openrknn::python {
namespace {

std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

std::vector<std::string> strings_of(const nb::list& list) {
  std::vector<std::string> all;
  for (const nb::handle item : list) all.emplace_back(view(nb::cast<nb::bytes>(item)));
  return all;
}

nb::bytes compute_share_from_python(const nb::bytes& task, int64_t first, const nb::list& samples,
                                    std::vector<std::string> descriptions, int threads) {
  std::vector<std::vector<Tensor>> all;
  for (const nb::handle arrays : samples) {
    std::vector<Tensor>& tensors = all.emplace_back();
    for (const nb::handle array : nb::iter(arrays)) tensors.push_back(tensor_from_array(array, "a sample's array"));
  }
  if (descriptions.size() != all.size()) {
    fail(Code::InvalidArgument, fmt::format("{} samples with {} descriptions", all.size(), descriptions.size()));
  }
  std::string bytes;
  {
    const nb::gil_scoped_release release;
    ThreadPool pool(threads);
    bytes = compute_share(view(task), {first, HeldSamples(std::move(all), std::move(descriptions))}, pool);
  }
  return nb::bytes(bytes.data(), bytes.size());
}

}  // namespace

const PySamples::Lent& PySamples::get() const {
  if (lent->samples == nullptr) fail(Code::InvalidArgument, "the samples belong to work that is over");
  return *lent;
}

// The callable runs on the thread that asks, and its exceptions leave the work.
ShareOut share_out_to(nb::object executor) {
  if (executor.is_none()) return {};
  nb::object callable = nb::module_::import_("openrknn.distributed").attr("share_with")(std::move(executor));
  // Options are copied where nobody holds the GIL.
  const std::shared_ptr<PyObject> shared(callable.release().ptr(), [](PyObject* raw) {
    const nb::gil_scoped_acquire held;
    Py_DECREF(raw);
  });
  return [shared](const SharedWork& work, const Samples& samples, const Progress& progress) {
    int64_t done = 0;
    const auto lent = std::make_shared<PySamples::Lent>(PySamples::Lent{&samples, [&](int64_t more) {
                                                                          done += more;
                                                                          if (progress)
                                                                            progress(work.stage, done, samples.count());
                                                                        }});
    const std::shared_ptr<void> take_back(nullptr, [&](void*) { *lent = {}; });
    const nb::gil_scoped_acquire held;
    const nb::object given = nb::handle(shared.get())(work.stage, nb::bytes(work.task.data(), work.task.size()),
                                                      PySamples{lent}, work.samples_per_share);
    return strings_of(nb::cast<nb::list>(given));
  };
}

void bind_distributed(nb::module_& module) {
  nb::class_<PySamples>(module, "Samples", "The samples of work that is shared out, while it lasts. Thread-safe.")
      .def("__len__", [](const PySamples& self) { return self.get().samples->count(); })
      .def(
          "get",
          [](const PySamples& self, int64_t index) {
            std::vector<Tensor> tensors;
            {
              const nb::gil_scoped_release release;
              tensors = self.get().samples->get(index);
            }
            return arrays_from_tensors(std::move(tensors));
          },
          nb::arg("index"), "the arrays of one sample as they enter the graph, mean and std applied")
      .def("describe", [](const PySamples& self, int64_t index) { return self.get().samples->describe(index); })
      .def(
          "finished", [](const PySamples& self, int64_t count) { self.get().finished(count); }, nb::arg("count"),
          "so many more are done, for whoever is told of progress");
  module.def("compute_share", &compute_share_from_python, nb::arg("task"), nb::arg("first"), nb::arg("samples"),
             nb::arg("descriptions"), nb::arg("threads"));
}

}  // namespace openrknn::python
