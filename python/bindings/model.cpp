// openrknn.Model: what a compile gives and a .rknn file holds.
#include "bindings/model.h"

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/graph.h"
#include "bindings/subjects.h"
#include "core/graph/text.h"
#include "core/model/ports.h"
#include "toolkit/graph_runner.h"
#include "toolkit/layer_analysis.h"
#include "toolkit/settings.h"

namespace openrknn::python {
namespace {

nb::list describe_ports(const Model& model, const std::vector<ValueId>& ids, const std::vector<Port>& ports) {
  const Graph& graph = model.variants.front();
  nb::list list;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Value& value = graph[ids[i]];
    const Shape shape = with_batch(value.shape, model.batch);
    list.append(nb::make_tuple(ports[i].name, nb::cast(expected_shape(ports[i], shape, PortLayout::Source)),
                               std::string(numpy_name(value.dtype))));
  }
  return list;
}

nb::dict report_dict(const CompileReport& report) {
  nb::dict times;
  for (const StageTime& stage : report.times) times[stage.stage.c_str()] = stage.seconds;
  nb::dict dict;
  dict["seconds"] = times;
  dict["pass_log"] = nb::cast(report.pass_log);
  dict["warnings"] = nb::cast(report.warnings);
  dict["nodes_imported"] = report.nodes_imported;
  dict["nodes_compiled"] = report.nodes_compiled;
  dict["quantized_nodes"] = report.quantized_nodes;
  dict["float_nodes"] = report.float_nodes;
  dict["samples"] = report.samples;
  return dict;
}

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

PyModel* compile_graph(const PyGraph& graph, const nb::dict& given, bool quantize,
                       const std::optional<std::string>& dataset, nb::object lists, bool symmetric_weights,
                       bool keep_golden, int64_t batch, int threads) {
  std::vector<std::string> warnings;
  const Settings settings = make_settings(arguments_from_dict(given), warnings);
  CompileOptions options = settings.compile;
  options.batch = batch;
  options.quantize = quantize;
  options.symmetric_weights = symmetric_weights;
  options.keep_golden = keep_golden;
  options.source_framework = graph.framework;
  const bool in_memory = !lists.is_none();
  std::vector<std::vector<Tensor>> arrays = samples_from_python(lists, graph.input_names());
  const nb::gil_scoped_release release;
  std::unique_ptr<Samples> samples;
  const std::vector<Graph> shape_sets = graph.in_shapes(settings.dynamic_input);
  const Graph& largest = shape_sets.front();
  if (quantize && dataset) samples = open_dataset(*dataset, sample_specs(largest, options));
  if (quantize && in_memory) samples = samples_from_arrays(std::move(arrays), sample_specs(largest, options));
  ThreadPool pool(threads);
  Compiled compiled = compile(shape_sets, options, samples.get(), pool);
  compiled.report.warnings.insert(compiled.report.warnings.begin(), warnings.begin(), warnings.end());
  return new PyModel(std::move(compiled), options.rgb_to_bgr);
}

nb::list run_model(PyModel& self, nb::handle feeds, const std::string& layout, bool ideal) {
  const PortLayout given = layout == "nhwc" ? PortLayout::Nhwc : PortLayout::Source;
  if (layout != "nhwc" && layout != "source") {
    fail(Code::InvalidArgument, "layout '" + layout + "' is not known, expected 'source' or 'nhwc'");
  }
  std::vector<Tensor> arrays = tensors_from_feeds(feeds, self.input_names());
  std::vector<Tensor> outputs;
  if (ideal) {
    const nb::gil_scoped_release release;
    outputs = run_ideal(self.model, arrays, given);
  } else {
    std::vector<SimulatorInput> inputs;
    for (Tensor& tensor : arrays) inputs.push_back({std::move(tensor), given, false});
    const nb::gil_scoped_release release;
    outputs = self.simulator().run(inputs);
  }
  return arrays_from_tensors(std::move(outputs));
}

nb::list profile_model(const PyModel& self, int threads) {
  std::vector<OperationTime> times;
  {
    const nb::gil_scoped_release release;
    times = profile(self.model, threads);
  }
  return list_of_times(times);
}

nb::dict dict_of_layer(const AnalyzedLayer& layer) {
  nb::dict dict;
  dict["op"] = layer.row.op;
  dict["tensor"] = layer.row.tensor;
  // The keys are there in any case, so that rows fit into a table.
  const bool known = !layer.row.is_blank();
  const auto put = [&](const std::string& key, const auto& value) {
    dict[key.c_str()] = known ? nb::cast(value) : nb::none();
  };
  put("dtype", layer.row.dtype);
  for (const auto& [kind, error] : {std::pair("entire", layer.entire), std::pair("single", layer.single)}) {
    put(fmt::format("{}_cosine", kind), error.cosine);
    put(fmt::format("{}_euclidean", kind), error.euclidean);
    put(fmt::format("{}_sqnr_db", kind), error.sqnr_db);
    put(fmt::format("{}_max_error", kind), error.max_absolute);
  }
  put("clipped", layer.clipped);
  put("golden_not_finite", layer.golden_not_finite);
  put("not_finite", layer.not_finite);
  put("worst_sample", layer.worst_sample);
  return dict;
}

nb::list analyze(const PyModel& self, nb::object given, int threads) {
  const bool is_file = nb::isinstance<nb::str>(given) || nb::hasattr(given, "__fspath__");
  const std::string file = is_file ? nb::cast<std::string>(nb::str(given)) : "";
  std::vector<std::vector<Tensor>> arrays;
  const Graph& golden = golden_for_analysis(self.model, self.golden ? &*self.golden : nullptr);
  if (!is_file) arrays = samples_from_python(given, self.input_names());
  Analysis analysis;
  {
    const nb::gil_scoped_release release;
    std::vector<SampleSpec> specs = analysis_specs(self.model, golden, self.rgb_to_bgr);
    const std::unique_ptr<Samples> samples =
        is_file ? open_dataset(file, std::move(specs)) : samples_from_arrays(std::move(arrays), std::move(specs));
    ThreadPool pool(threads);
    analysis = analyze_model(self.model, golden, *samples, pool);
  }
  nb::list rows;
  for (const AnalyzedLayer& layer : analysis.layers) rows.append(dict_of_layer(layer));
  return rows;
}

}  // namespace

nb::list list_of_times(const std::vector<OperationTime>& times) {
  nb::list list;
  for (const OperationTime& step : times) {
    nb::dict entry;
    entry["node"] = step.node;
    entry["op"] = step.op;
    entry["kernel"] = step.kernel;
    entry["dtype"] = step.dtype;
    entry["shape"] = nb::cast(step.shape);
    entry["conversions"] = step.conversions;
    entry["products"] = step.products;
    entry["microseconds"] = step.microseconds;
    list.append(entry);
  }
  return list;
}

void bind_model(nb::module_& module) {
  nb::class_<PyModel> model(module, "Model", "A compiled model. Not thread-safe: one run at a time per object.");
  model
      .def_prop_ro(
          "target", [](const PyModel& self) { return self.model.target; }, "the SoC it was compiled for")
      .def_prop_ro(
          "inputs",
          [](const PyModel& self) {
            return describe_ports(self.model, self.model.variants.front().inputs, self.model.inputs);
          },
          "list of (name, shape in the source model's order, dtype on the NPU)")
      .def_prop_ro(
          "outputs",
          [](const PyModel& self) {
            return describe_ports(self.model, self.model.variants.front().outputs, self.model.outputs);
          },
          "list of (name, shape in the source model's order, dtype on the NPU)")
      .def_prop_ro(
          "report", [](const PyModel& self) { return report_dict(self.report); },
          "what the compile did: times, pass log, counts")
      .def("__str__", [](const PyModel& self) { return to_text(self.model.variants.front()); })
      .def("run", &run_model, nb::arg("feeds"), nb::arg("layout") = "source", nb::arg("ideal") = false,
           "run(feeds: dict | list | array, layout='source', ideal=False) -> list of arrays\n\nRuns on the simulator, "
           "through the C "
           "API. Inputs are raw (mean and std are "
           "applied); layout 'nhwc' takes 4-D inputs as NHWC. Quantized and float16 outputs come as float32. ideal: "
           "real numbers between the codes of an integer "
           "build, one rounding an operator, in place of the SoC's integers: what scales cost without what integers "
           "cost.")
      .def(
          "save",
          [](PyModel& self, const nb::object& path) {
            const std::string target = nb::cast<std::string>(nb::str(path));
            const nb::gil_scoped_release release;
            FileSink sink(target);
            const std::string& bytes = self.bytes();
            sink.write(std::as_bytes(std::span(bytes.data(), bytes.size())));
            sink.commit();
          },
          nb::arg("path"), "Writes the .rknn file; equal models give equal bytes.")
      .def(
          "to_bytes", [](PyModel& self) { return nb::bytes(self.bytes().data(), self.bytes().size()); },
          "the .rknn file as bytes")
      .def("profile", &profile_model, nb::arg("threads") = 0,
           "list of dicts, one per executed node: node, op, kernel, dtype, shape, conversions (of layouts), products "
           "(multiplications), microseconds on this machine");
  model.def(
      "analyze", &analyze, nb::arg("samples"), nb::arg("threads") = 0,
      nb::sig("def analyze(self, samples: str | os.PathLike | collections.abc.Iterable[object], threads: int = 0) "
              "-> list[dict[str, str | float | int | None]]"),
      "Every layer beside the float model, over samples: a dataset file, or arrays as compile() takes them. One dict "
      "a layer of the source model, in its order: op, tensor, dtype; entire_cosine, entire_euclidean, "
      "entire_sqnr_db, entire_max_error (of the whole run) and single_… (of the layer fed with the float model's "
      "numbers); clipped (share of numbers the type cannot hold); golden_not_finite, not_finite (elements that are "
      "NaN or infinite), worst_sample (least entire_cosine). All None where a layer was fused away. A loaded file "
      "needs keep_golden. Raises openrknn.Error.");
  module.def("compile", &compile_graph, nb::arg("graph"), nb::arg("settings"), nb::arg("quantize"),
             nb::arg("dataset").none(), nb::arg("samples").none(), nb::arg("symmetric_weights"), nb::arg("keep_golden"),
             nb::arg("batch"), nb::arg("threads"));
  module.def(
      "load",
      [](const std::string& path) {
        const nb::gil_scoped_release release;
        return new PyModel(read(MappedFile::open(path)));
      },
      nb::arg("path"));
}

}  // namespace openrknn::python
