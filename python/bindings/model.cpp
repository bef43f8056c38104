// openrknn.Model: what a compile gives and a .rknn file holds.
#include "bindings/model.h"

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/graph.h"
#include "bindings/interrupt.h"
#include "bindings/samples.h"
#include "bindings/subjects.h"
#include "core/graph/text.h"
#include "core/model/ports.h"
#include "core/model/precision_notes.h"
#include "toolkit/encrypt_model.h"
#include "toolkit/export_onnx.h"
#include "toolkit/graph_runner.h"
#include "toolkit/layer_analysis.h"

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

nb::list precision_of(const Model& model) {
  nb::list list;
  for (const PrecisionNote& note : precision_notes(model)) {
    nb::dict entry;
    entry["node"] = note.node;
    entry["dtype"] = note.dtype;
    entry["rule"] = note.rule;
    list.append(entry);
  }
  return list;
}

nb::list applied_rules(const CompileReport& report) {
  nb::list list;
  for (const AppliedRule& applied : report.precision_rules) {
    nb::dict entry;
    entry["rule"] = applied.rule;
    entry["layers"] = nb::cast(applied.layers);
    list.append(entry);
  }
  return list;
}

nb::dict report_dict(const PyModel& model) {
  const CompileReport& report = model.report;
  nb::dict times;
  for (const StageTime& stage : report.times) times[stage.stage.c_str()] = stage.seconds;
  nb::dict dict;
  dict["seconds"] = times;
  dict["pass_log"] = nb::cast(report.pass_log);
  dict["warnings"] = nb::cast(report.warnings);
  dict["nodes_imported"] = report.nodes_imported;
  dict["nodes_compiled"] = report.nodes_compiled;
  dict["quantized_nodes"] = report.quantized_nodes;
  dict["int16_nodes"] = report.int16_nodes;
  dict["float_nodes"] = report.float_nodes;
  dict["samples"] = report.samples;
  dict["precision"] = precision_of(model.model);
  dict["precision_rules"] = applied_rules(report);
  return dict;
}

nb::list run_model(PyModel& self, nb::handle feeds, const std::string& layout, bool ideal) {
  const PortLayout given = layout == "nhwc" ? PortLayout::Nhwc : PortLayout::Source;
  if (layout != "nhwc" && layout != "source") {
    fail(Code::InvalidArgument, "layout '" + layout + "' is not known, expected 'source' or 'nhwc'");
  }
  std::vector<Tensor> arrays = tensors_from_feeds(feeds, self.input_names()), outputs;
  {
    const nb::gil_scoped_release release;
    if (ideal) {
      outputs = run_ideal(self.model, arrays, given);
    } else {
      std::vector<SimulatorInput> inputs;
      for (Tensor& tensor : arrays) inputs.push_back({std::move(tensor), given, false});
      outputs = self.simulator().run(inputs);
    }
  }
  return arrays_from_tensors(std::move(outputs));
}

nb::list profile_model(const PyModel& self, int threads) {
  std::vector<OperationTime> times;
  {
    const nb::gil_scoped_release release;
    times = profile(self.model, threads, 5, until_interrupted());
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

nb::list analyze(const PyModel& self, nb::object given, int threads, const nb::object& report, const nb::object& resume,
                 nb::object executor) {
  const bool is_file = nb::isinstance<nb::str>(given) || nb::hasattr(given, "__fspath__");
  const std::string file = is_file ? nb::cast<std::string>(nb::str(given)) : "";
  std::vector<std::vector<Tensor>> arrays;
  const auto path_of = [](const nb::object& path) {
    return path.is_none() ? "" : nb::cast<std::string>(nb::str(path));
  };
  const std::string report_path = path_of(report), resume_path = path_of(resume);
  const ShareOut share_out = share_out_to(std::move(executor));
  const Graph& golden = golden_for_analysis(self.model, self.golden ? &*self.golden : nullptr);
  if (!is_file) arrays = samples_from_python(given, self.input_names());
  Analysis analysis;
  {
    const nb::gil_scoped_release release;
    std::optional<FileSink> report_file;
    if (!report_path.empty()) report_file.emplace(report_path);  // better refused now than after the work
    std::vector<SampleSpec> specs = analysis_specs(self.model, golden, self.rgb_to_bgr);
    const std::unique_ptr<Samples> samples =
        is_file ? open_dataset(file, std::move(specs)) : samples_from_arrays(std::move(arrays), std::move(specs));
    ThreadPool pool(threads);
    const AnalysisRequest request{
        .model = self.model, .golden = golden, .samples = *samples, .resume = resume_path, .share_out = share_out};
    if (!report_file) {
      analysis = analyze_model(request, pool, until_interrupted());
    } else {
      analysis = write_report(*report_file, request, self.facts(report_path), pool);
    }
  }
  nb::list rows;
  for (const AnalyzedLayer& layer : analysis.layers) rows.append(dict_of_layer(layer));
  return rows;
}

}  // namespace

Analysis write_report(FileSink& file, const AnalysisRequest& request, const BuildFacts& facts, ThreadPool& pool) {
  DiagnosedModel diagnosed = diagnose_model(request, facts, pool, until_interrupted());
  openrknn::write_report(file, diagnosed);
  return std::move(diagnosed.analysis);
}

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
          "report", [](const PyModel& self) { return report_dict(self); },
          "what the compile did: times, pass log, counts; precision: node, dtype and the rule that said so, of every "
          "node "
          "(of a loaded model too); precision_rules: what each rule of the user named")
      .def("__str__", [](const PyModel& self) { return to_text(self.model.variants.front()); })
      .def("run", &run_model, nb::arg("feeds"), nb::arg("layout") = "source", nb::kw_only(), nb::arg("ideal") = false,
           "run(feeds: dict | list | array, layout='source', *, ideal=False) -> list of arrays\n\nRuns on the "
           "simulator, through the C "
           "API. Inputs are raw (mean and std are "
           "applied); layout 'nhwc' takes 4-D inputs as NHWC. Quantized and float16 outputs come as float32. "
           "ideal=True replaces the NPU's integer laws by real numbers that are rounded once.")
      .def(
          "export_onnx",
          [](const PyModel& self, const nb::object& path) {
            const std::string target = nb::cast<std::string>(nb::str(path));
            const nb::gil_scoped_release release;
            export_onnx(self.model, target);
          },
          nb::arg("path"),
          "Writes the compiled graph as ONNX: codes between QuantizeLinear and DequantizeLinear, float16 between "
          "Casts.")
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
      "analyze", &analyze, nb::arg("samples"), nb::arg("threads") = 0, nb::arg("report") = nb::none(),
      nb::arg("resume") = nb::none(), nb::arg("executor") = nb::none(),
      nb::sig("def analyze(self, samples: str | os.PathLike | collections.abc.Iterable[object], threads: int = 0, "
              "report: str | os.PathLike | None = None, resume: str | os.PathLike | None = None, executor: "
              "concurrent.futures.Executor | None = None) -> list[dict[str, str | float | int | None]]"),
      "Every layer beside the float model, over samples: a dataset file, or arrays as compile() takes them. One dict "
      "a layer of the source model, in its order: op, tensor, dtype; entire_cosine, entire_euclidean, "
      "entire_sqnr_db, entire_max_error (of the whole run) and single_… (of the layer fed with the float model's "
      "numbers); clipped (share of numbers the type cannot hold); golden_not_finite, not_finite (elements that are "
      "NaN or infinite), worst_sample (least entire_cosine). All None where a layer was fused away. A loaded file "
      "needs keep_golden. report: an HTML file to write, with reasons and fixes (docs/report.md). resume: a file that "
      "is kept while it runs; an analysis that was "
      "interrupted goes on from it. executor: who computes the samples, as in compile(); equal results, bit for bit. "
      "Raises openrknn.Error.");
  module.def(
      "load",
      [](const std::string& path) {
        const nb::gil_scoped_release release;
        return new PyModel(read(MappedFile::open(path)));
      },
      nb::arg("path"));
  module.def(
      "encrypt",
      [](const std::string& path, const std::string& output, int64_t level, const std::optional<nb::bytes>& key,
         const std::string& key_file) {
        EncryptRequest request{.input = path, .output = output, .level = level};
        if (key) request.key.emplace(std::as_bytes(std::span(key->c_str(), key->size())), "encrypt: key");
        const nb::gil_scoped_release release;
        if (!key_file.empty()) request.key = read_model_key(key_file);
        return encrypt_model(request).string();
      },
      nb::arg("path"), nb::arg("output"), nb::arg("level"), nb::arg("key").none(), nb::arg("key_file"));
}

}  // namespace openrknn::python
