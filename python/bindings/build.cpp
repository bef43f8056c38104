// openrknn.compile and openrknn.search.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/graph.h"
#include "bindings/interrupt.h"
#include "bindings/model.h"
#include "bindings/samples.h"
#include "bindings/subjects.h"
#include "toolkit/calibration_samples.h"
#include "toolkit/settings.h"

namespace openrknn::python {

std::vector<std::vector<Tensor>> samples_from_python(nb::handle lists, const std::vector<std::string>& names) {
  std::vector<std::vector<Tensor>> samples;
  if (lists.is_none()) return samples;
  for (const nb::handle feeds : nb::iter(lists)) {
    try {
      samples.push_back(tensors_from_feeds(feeds, names));
    } catch (const Error& error) {
      std::vector<Diagnostic> told = error.diagnostics;
      for (Diagnostic& diagnostic : told) {
        diagnostic.code = Code::DatasetBadArray;
        diagnostic.problem = fmt::format("sample {} of the dataset: {}", samples.size(), diagnostic.problem);
      }
      throw Error(told);
    }
  }
  return samples;
}

namespace {

/// What compile() and search() are given.
struct BuildRequest {
  CompileOptions options;
  std::vector<std::string> warnings;
  std::vector<Graph> shape_sets;
  std::unique_ptr<Samples> samples;
};

BuildRequest request_of(const PyGraph& graph, const nb::dict& given, bool quantize,
                        const std::optional<std::string>& dataset, nb::handle lists, bool auto_hybrid,
                        bool symmetric_weights, bool keep_golden, int64_t batch, int threads) {
  BuildRequest request;
  const Settings settings = make_settings(arguments_from_dict(given), request.warnings);
  CompileOptions& options = request.options = settings.compile;
  options.batch = batch;
  options.quantize = quantize;
  options.auto_hybrid = auto_hybrid;
  options.symmetric_weights = symmetric_weights;
  options.keep_golden = keep_golden;
  options.source_framework = graph.framework;
  const bool in_memory = !lists.is_none();
  std::vector<std::vector<Tensor>> arrays = samples_from_python(lists, graph.input_names());
  const nb::gil_scoped_release release;
  request.shape_sets = graph.in_shapes(settings.dynamic_input);
  for (Graph& shapes : request.shape_sets) apply_interface_options(shapes, options, request.warnings);
  const Graph& largest = request.shape_sets.front();
  if (!looks_at_samples(options)) return request;
  if (dataset) request.samples = open_dataset(*dataset, sample_specs(largest, options));
  if (in_memory) request.samples = samples_from_arrays(std::move(arrays), sample_specs(largest, options));
  ThreadPool pool(threads);
  request.samples = calibration_samples(std::move(request.samples), options, pool, request.warnings);
  return request;
}

std::unique_ptr<PyModel> model_of(Compiled compiled, BuildRequest& request) {
  std::vector<std::string>& told = compiled.report.warnings;
  told.insert(told.begin(), request.warnings.begin(), request.warnings.end());
  return std::make_unique<PyModel>(std::move(compiled), request.options.rgb_to_bgr);
}

std::unique_ptr<PyModel> compile_graph(const PyGraph& graph, const nb::dict& given, bool quantize,
                                       const std::optional<std::string>& dataset, nb::object lists, bool auto_hybrid,
                                       bool symmetric_weights, bool keep_golden, int64_t batch, int threads,
                                       nb::object executor) {
  BuildRequest request =
      request_of(graph, given, quantize, dataset, lists, auto_hybrid, symmetric_weights, keep_golden, batch, threads);
  request.options.calibrator = calibrator_of(share_out_to(std::move(executor)));
  const nb::gil_scoped_release release;
  ThreadPool pool(threads);
  return model_of(compile(request.shape_sets, request.options, request.samples.get(), pool, until_interrupted()),
                  request);
}

/// Calls the user's function with a list of arrays a sample.
OutputMetric metric_of(nb::object function) {
  if (function.is_none()) return {};
  return [function = std::move(function)](const std::vector<std::vector<Tensor>>& outputs) {
    const nb::gil_scoped_acquire held;
    nb::list samples;
    for (const std::vector<Tensor>& sample : outputs) samples.append(arrays_from_tensors(sample));
    const nb::object result = function(samples);
    const double number = PyFloat_AsDouble(result.ptr());
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    return number;
  };
}

nb::dict dict_of_point(const SearchPoint& point) {
  nb::dict dict;
  dict["layers"] = nb::cast(point.layers);
  dict["macs_share"] = point.macs_share;
  dict["metric"] = point.metric;
  return dict;
}

nb::tuple search_graph(const PyGraph& graph, const nb::dict& given, const std::optional<std::string>& dataset,
                       nb::object lists, std::optional<double> target, double max_macs_share, nb::object metric,
                       bool by_macs, bool to_int16, int64_t samples, int threads,
                       const std::optional<std::string>& report, nb::object executor) {
  BuildRequest request = request_of(graph, given, true, dataset, lists, false, false, false, 1, threads);
  if (request.samples == nullptr) {
    fail(Code::DatasetMissing, "search: quantization needs sample data and none was given", "pass a dataset");
  }
  const ShareOut share_out = share_out_to(std::move(executor));
  request.options.calibrator = calibrator_of(share_out);
  const SearchOptions options{.target = target,
                              .max_macs_share = max_macs_share,
                              .metric = metric_of(std::move(metric)),
                              .budget = by_macs ? SearchBudget::Macs : SearchBudget::Ops,
                              .lift = to_int16 ? DType::Int16 : DType::Float16,
                              .samples = samples,
                              .runner = trial_runner_of(share_out)};
  std::optional<SearchResult> found;
  std::unique_ptr<PyModel> model;
  {
    const nb::gil_scoped_release release;
    std::optional<FileSink> report_file;
    if (report) report_file.emplace(*report);  // better refused now than after the work
    ThreadPool pool(threads);
    SearchedModel searched =
        search_and_compile(request.shape_sets, request.options, options, *request.samples, pool, until_interrupted());
    found = std::move(searched.search);
    model = model_of(std::move(searched.compiled), request);
    if (report_file) {
      BuildFacts facts = model->facts(*report);
      facts.search = trade_off_of(*found, options);
      write_report(
          *report_file,
          {.model = model->model, .golden = *model->golden, .samples = *request.samples, .share_out = share_out}, facts,
          pool);
    }
  }
  nb::list curve;
  for (const SearchPoint& point : found->curve) curve.append(dict_of_point(point));
  return nb::make_tuple(nb::cast(std::move(model)), dict_of_point(found->chosen), curve);
}

}  // namespace

void bind_build(nb::module_& module) {
  module.def("compile", &compile_graph, nb::arg("graph"), nb::arg("settings"), nb::arg("quantize"),
             nb::arg("dataset").none(), nb::arg("samples").none(), nb::arg("auto_hybrid"), nb::arg("symmetric_weights"),
             nb::arg("keep_golden"), nb::arg("batch"), nb::arg("threads"), nb::arg("executor").none());
  module.def("search", &search_graph, nb::arg("graph"), nb::arg("settings"), nb::arg("dataset").none(),
             nb::arg("samples").none(), nb::arg("target").none(), nb::arg("max_macs"), nb::arg("metric").none(),
             nb::arg("by_macs"), nb::arg("to_int16"), nb::arg("count"), nb::arg("threads"), nb::arg("report").none(),
             nb::arg("executor").none());
}

}  // namespace openrknn::python
