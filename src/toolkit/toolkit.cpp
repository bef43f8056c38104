#include "toolkit/toolkit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/importer.h"
#include "core/rknn_file/rknn_file.h"
#include "toolkit/calibration_samples.h"
#include "toolkit/codegen.h"
#include "toolkit/encrypt_model.h"
#include "toolkit/layer_analysis.h"
#include "toolkit/toolkit_state.h"

namespace openrknn {
namespace {

/// One path, or a list of them.
std::vector<std::string> paths_of(const ArgumentValue& given, std::string_view argument) {
  std::vector<std::string> paths;
  if (const auto* one = std::get_if<std::string>(&given.data)) return {*one};
  const auto* list = std::get_if<std::vector<ArgumentValue>>(&given.data);
  for (const ArgumentValue& item : list != nullptr ? *list : std::vector<ArgumentValue>{}) {
    if (const auto* path = std::get_if<std::string>(&item.data)) paths.push_back(*path);
  }
  if (list == nullptr || paths.size() != list->size()) {
    fail(Code::ConfigBadValue, fmt::format("{}: got {}, expected a list of paths", argument, to_string(given)),
         "give one image or .npy file per model input");
  }
  return paths;
}

}  // namespace

Toolkit::Toolkit(MessageSink sink, Progress progress, int threads)
    : state_(std::make_unique<State>(std::move(sink), std::move(progress), threads)) {}
Toolkit::~Toolkit() = default;

void Toolkit::config(const ArgumentValues& given) {
  std::vector<std::string> warnings;
  Settings settings = make_settings(given, warnings);
  state_->warn("config", warnings);
  state_->settings = std::move(settings);
  state_->config = given;
  if (state_->stage == Stage::New) state_->stage = Stage::Configured;
}

void Toolkit::reg_custom_op(CustomOperatorCode code) {
  state_->require(state_->stage < Stage::Loaded, "reg_custom_op", "a model has been loaded already",
                  "register operators before load_onnx");
  if (code.type.empty()) {
    fail(Code::ConfigBadValue, "reg_custom_op: op_type is empty", "name the operator as the model does");
  }
  const bool has_code = code.compute || code.infer;
  const auto onnx = std::ranges::find(importers(), "ONNX", &Importer::framework);
  const bool is_standard = std::ranges::any_of(
      onnx->operators(), [&](const SourceOperator& row) { return row.op == code.type && row.refused.empty(); });
  if (is_standard && has_code) {
    fail(Code::ConfigBadValue,
         fmt::format("reg_custom_op: '{}' is an operator of ONNX, which has its own meaning", code.type),
         "give the operator a name of its own, cst… by convention");
  }
  if (!is_standard && !has_code) {
    fail(Code::ConfigBadValue,
         fmt::format("reg_custom_op: '{}' has neither shape_infer nor compute, and is no operator of ONNX", code.type),
         "give the class both methods");
  }
  if (std::ranges::any_of(state_->custom_operators,
                          [&](const CustomOperatorCode& other) { return other.type == code.type; })) {
    fail(Code::ConfigBadValue, fmt::format("reg_custom_op: '{}' is registered already", code.type));
  }
  if (is_standard) {
    state_->say(LogLevel::Info, "reg_custom_op",
                fmt::format("'{}' is computed by the built-in operator here; a plug-in of the runtime may replace it",
                            code.type));
  }
  state_->custom_operators.push_back(std::move(code));
}

void Toolkit::load_onnx(const std::filesystem::path& path, const ArgumentValues& given,
                        std::vector<std::optional<Tensor>> initial_values) {
  std::vector<std::string> warnings;
  ImportOptions options = make_import_options("load_onnx", given, std::move(initial_values), warnings);
  options.custom_ops = declarations(state_->custom_operators);
  state_->warn("load_onnx", warnings);
  load_as("load_onnx", "ONNX", path, options);
}

void Toolkit::load_darknet(const std::filesystem::path& path, const std::filesystem::path& weights) {
  load_as("load_darknet", "DarkNet", path, {.weights = weights});
}

void Toolkit::load_caffe(const std::filesystem::path& path, const std::filesystem::path& blobs,
                         std::vector<std::string> inputs) {
  load_as("load_caffe", "Caffe", path, {.inputs = std::move(inputs), .weights = blobs});
}

void Toolkit::load_tensorflow(const std::filesystem::path& path, const ArgumentValues& given) {
  std::vector<std::string> warnings;
  ImportOptions options = make_import_options("load_tensorflow", given, {}, warnings);
  const auto nchw = given.find("input_is_nchw");
  options.inputs_are_nchw = nchw != given.end() && bool_of(nchw->second, "load_tensorflow: input_is_nchw");
  state_->warn("load_tensorflow", warnings);
  load_as("load_tensorflow", "TensorFlow", path, options);
}

void Toolkit::load_pytorch(const std::filesystem::path& path, const ArgumentValues& given) {
  std::vector<std::string> warnings;
  const ImportOptions options = make_import_options("load_pytorch", given, {}, warnings);
  state_->warn("load_pytorch", warnings);
  load_as("load_pytorch", "TorchScript", path, options);
}

void Toolkit::load_tflite(const std::filesystem::path& path, bool inputs_are_nchw) {
  load_as("load_tflite", "TFLite", path, {.inputs_are_nchw = inputs_are_nchw});
}

void Toolkit::load_as(std::string_view method, std::string_view framework, const std::filesystem::path& path,
                      const ImportOptions& options) {
  state_->require(state_->stage != Stage::New, method, "config has not been called",
                  "call config(target_platform=...) first");
  const Importer& importer = importer_for(path);
  if (importer.framework != framework) {
    fail(Code::ImportBadFile, Location{.file = path.string()},
         fmt::format("{}: this is a model of {}, expected one of {}", method, importer.framework, framework),
         "load it with the method of its framework");
  }
  load_with(importer, path, options);
  for (size_t i = 0; i < imported().inputs.size(); ++i) {
    const CompileOptions& compile = state_->settings.compile;
    if (compile.mean.empty())
      state_->say(LogLevel::Warning, method,
                  fmt::format("The config.mean_values is None, zeros will be set for input {}!", i));
    if (compile.std.empty())
      state_->say(LogLevel::Warning, method,
                  fmt::format("The config.std_values is None, ones will be set for input {}!", i));
  }
}

void Toolkit::load_model(const std::filesystem::path& path, const ImportOptions& options) {
  load_with(importer_for(path), path, options);
}

void Toolkit::load_with(const Importer& importer, const std::filesystem::path& path, const ImportOptions& options) {
  const std::vector<ShapeSet>& sets = state_->settings.dynamic_input;
  std::vector<Graph> graphs;
  if (sets.empty()) {
    graphs.push_back(importer.import(path, options));
  } else {
    graphs = import_shape_sets(importer, path, options, sets);
  }
  std::vector<std::string> warnings;
  for (Graph& graph : graphs) apply_interface_options(graph, state_->settings.compile, warnings);
  state_->warn("load", warnings);
  state_->settings.compile.source_framework = std::string(importer.framework);
  input_ports(graphs.front(), state_->settings.compile);  // mean and std are checked now, where the user gave the model
  state_->imported = std::move(graphs);
  state_->source = path;
  state_->compiled.reset();
  state_->forget_runtime();
  state_->exported.clear();
  state_->stage = Stage::Loaded;
}

void Toolkit::build(const ArgumentValues& given) {
  std::vector<std::string> warnings;
  ArgumentValues values = check_options("build", given, warnings);
  const bool quantize = bool_of(values["do_quantization"], "build: do_quantization");
  const ArgumentValue& dataset = values["dataset"];
  if (!dataset.is_none() && !std::holds_alternative<std::string>(dataset.data)) {
    fail(Code::ConfigBadValue,
         fmt::format("build: dataset: got {}, expected the path of a dataset file", to_string(dataset)));
  }
  CompileOptions& compile = state_->settings.compile;
  compile.auto_hybrid = bool_of(values["auto_hybrid"], "build: auto_hybrid");
  CompileOptions intended = compile;
  intended.quantize = quantize;
  const bool ignores_dataset = !looks_at_samples(intended);
  if (ignores_dataset && !dataset.is_none()) {
    warnings.push_back(fmt::format("The dataset={} is ignored because do_quantization = False!", to_string(dataset)));
  }
  state_->warn("build", warnings);
  compile.batch = batch_of(values["rknn_batch_size"], "build");
  build(quantize, !ignores_dataset && !dataset.is_none() ? std::get<std::string>(dataset.data) : "", {});
}

void Toolkit::build(bool quantize, const std::filesystem::path& dataset, std::vector<std::vector<Tensor>> arrays) {
  State& state = *state_;
  state.require_loaded("build");
  CompileOptions options = state.settings.compile;
  options.quantize = quantize;
  options.custom_code = custom_code(state.custom_operators);
  std::unique_ptr<Samples> samples;
  const bool has_samples = !dataset.empty() || !arrays.empty();
  if (needs_samples(options) && !has_samples) {
    const std::string_view who = quantize && is_weight_only(options.scheme)
                                     ? "bias_correction, rounding='adaptive' and quantized_algorithm='gdq'"
                                 : quantize            ? "do_quantization=True"
                                 : options.auto_hybrid ? "auto_hybrid=True"
                                                       : "a rule for integer layers";
    const bool corrects = quantize && is_weight_only(options.scheme);
    fail(Code::DatasetMissing, fmt::format("build: {} need{} a dataset, got None", who, corrects ? "" : "s"),
         fmt::format("pass dataset='dataset.txt' (one sample a line){}", corrects   ? ", or leave them out"
                                                                         : quantize ? ", or do_quantization=False"
                                                                                    : ""));
  }
  // Weights alone are quantized from themselves: a dataset is welcome, not needed.
  if (has_samples && looks_at_samples(options)) {
    std::vector<SampleSpec> specs = sample_specs(imported(), options);
    samples = arrays.empty() ? open_dataset(dataset, std::move(specs))
                             : samples_from_arrays(std::move(arrays), std::move(specs));
    std::vector<std::string> warnings;
    samples = calibration_samples(std::move(samples), options, state.pool, warnings);
    state.warn("build", warnings);
  }
  state.forget_runtime();
  state.exported.clear();
  state.say(LogLevel::Info, "", "rknn building ...");
  state.take_built(openrknn::compile(state.imported, options, samples.get(), state.pool, state.progress), "build");
}

void Toolkit::State::take_built(Compiled built, std::string_view method) {
  compiled = std::move(built);
  warn(method, compiled->report.warnings);
  for (const std::string& line : compiled->report.pass_log) say(LogLevel::Debug, method, line);
  for (const std::string& line : compiled->report.results) say(LogLevel::Info, "", line);
  for (const AppliedRule& rule : compiled->report.precision_rules) {
    say(LogLevel::Info, method,
        fmt::format("precision rule '{}' names {}", rule.rule,
                    rule.layers.empty() ? "no layer" : fmt::format("{}", fmt::join(rule.layers, ", "))));
  }
  const auto report_dtypes = [&](const std::vector<ValueId>& ids, const std::vector<Port>& ports,
                                 std::string_view what) {
    const Graph& graph = compiled->model.variants.front();
    for (size_t i = 0; i < ids.size(); ++i) {
      const DType now = graph[ids[i]].dtype;
      if (now != DType::Int8 && now != DType::Int16) continue;
      say(LogLevel::Warning, method,
          fmt::format("The default {} dtype of '{}' is changed from '{}' to '{}' in rknn model for performance!\n"
                      "                       Please take care of this change when deploy rknn model with Runtime API!",
                      what, ports[i].name, numpy_name(ports[i].dtype), numpy_name(now)));
    }
  };
  const Model& model = compiled->model;
  report_dtypes(model.variants.front().inputs, model.inputs, "input");
  report_dtypes(model.variants.front().outputs, model.outputs, "output");
  say(LogLevel::Info, "", "rknn building done.");
  stage = Stage::Built;
}

SearchResult Toolkit::search(const std::filesystem::path& dataset, const SearchOptions& search) {
  State& state = *state_;
  state.require_loaded("search");
  CompileOptions options = state.settings.compile;
  options.quantize = true;
  std::vector<std::string> warnings;
  const std::unique_ptr<Samples> samples =
      calibration_samples(open_dataset(dataset, sample_specs(imported(), options)), options, state.pool, warnings);
  state.warn("search", warnings);
  state.forget_runtime();
  state.exported.clear();
  SearchedModel found = search_and_compile(state.imported, options, search, *samples, state.pool, state.progress);
  state.compiled = std::move(found.compiled);
  state.warn("search", state.compiled->report.warnings);
  state.stage = Stage::Built;
  return std::move(found.search);
}

void Toolkit::export_rknn(const std::filesystem::path& path) {
  state_->require(state_->stage == Stage::Built, "export_rknn", "no model has been built", "call build first");
  FileSink sink(path);
  write(state_->compiled->model, sink);
  sink.commit();
  state_->exported = std::filesystem::absolute(path);
}

void Toolkit::codegen(const ArgumentValues& given) {
  State& state = *state_;
  std::vector<std::string> warnings;
  const ArgumentValues values = check_options("codegen", given, warnings);
  state.require(!state.exported.empty(), "codegen", "the model has not been exported",
                "call export_rknn first; for a .rknn file there is openrknn.codegen(file, folder)");
  const auto* folder = std::get_if<std::string>(&values.at("output_path").data);
  if (folder == nullptr) {
    fail(Code::ConfigBadValue, fmt::format("codegen: output_path: got {}, expected the path of a folder",
                                           to_string(values.at("output_path"))));
  }
  const ArgumentValue& inputs = values.at("inputs");
  generate_project({.model = state.exported,
                    .folder = *folder,
                    .inputs = inputs.is_none() ? std::vector<std::string>{} : paths_of(inputs, "codegen: inputs"),
                    .rgb_to_bgr = state.settings.compile.rgb_to_bgr,
                    .overwrite = bool_of(values.at("overwrite"), "codegen: overwrite")});
  state.say(LogLevel::Info, "codegen", fmt::format("The C++ project was written to: {}", *folder));
}

void Toolkit::load_rknn(const std::filesystem::path& path, const std::filesystem::path& key_file) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  state_->deployed = read(plain_file(file, key_file));
  state_->forget_runtime();
  state_->source = path;
  state_->exported.clear();
  state_->key_file = key_file;
  state_->file.assign(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  state_->stage = Stage::Deployed;
}

void Toolkit::export_encrypted_rknn_model(const ArgumentValues& given) {
  std::vector<std::string> warnings;
  const EncryptRequest request = encrypt_request(given, warnings);
  state_->warn("export_encrypted_rknn_model", warnings);
  if (!request.key) {
    state_->say(LogLevel::Warning, "export_encrypted_rknn_model",
                "Without key_file the key is one that every OpenRKNN has: it only deters from reading the model!");
  }
  const std::filesystem::path output = encrypt_model(request);
  state_->say(LogLevel::Info, "", fmt::format("The encrypted model is saved to: {}", output.string()));
}

namespace {

/// The arrays that the outside gives for the sample: mean and std are the device's work.
std::vector<Tensor> raw_sample(const std::vector<std::string>& paths, std::vector<SampleSpec> specs) {
  for (SampleSpec& spec : specs) {
    spec.port.mean.clear();
    spec.port.std.clear();
  }
  return open_sample(paths, std::move(specs))->get(0);
}

}  // namespace

Analysis Toolkit::accuracy_analysis(const ArgumentValues& given) {
  State& state = *state_;
  std::vector<std::string> warnings;
  const ArgumentValues values = check_options("accuracy_analysis", given, warnings);
  state.require(state.stage >= Stage::Built, "accuracy_analysis", "no model has been built", "call build first");
  const Graph& golden = golden_for_analysis(state.model(), state.compiled ? &state.compiled->golden : nullptr);
  const ArgumentValue& folder = values.at("output_dir");
  if (!folder.is_none() && !std::holds_alternative<std::string>(folder.data)) {
    fail(Code::ConfigBadValue,
         fmt::format("accuracy_analysis: output_dir: got {}, expected a path or None", to_string(folder)));
  }
  const std::vector<std::string> paths = paths_of(values.at("inputs"), "accuracy_analysis: inputs");
  const std::vector<SampleSpec> specs = analysis_specs(state.model(), golden, state.settings.compile.rgb_to_bgr);
  const std::unique_ptr<Samples> sample = open_sample(paths, specs);
  std::unique_ptr<RemoteDevice> device;
  std::unique_ptr<DeviceStream> device_layers;
  if (!values.at("target").is_none()) {
    device = state.open_device(values, "accuracy_analysis", 0);
    device_layers = std::make_unique<DeviceStream>(*device, state.model().variants.front(),
                                                   layers_of_runtime(golden, state.model().variants.front()),
                                                   raw_sample(paths, specs));
  }
  std::optional<Snapshot> snapshot;
  if (!folder.is_none()) {
    snapshot.emplace(std::get<std::string>(folder.data), layer_rows(golden, state.model().variants.front()));
  }
  const AnalysisRequest request{.model = state.model(),
                                .golden = golden,
                                .samples = *sample,
                                .custom = custom_code(state.custom_operators),
                                .snapshot = snapshot ? &*snapshot : nullptr,
                                .device = device_layers.get()};
  if (!snapshot) {
    Analysis analysis = analyze_model(request, state.pool, state.progress);
    state.warn("accuracy_analysis", analysis_warnings(analysis));
    return analysis;
  }
  const BuildFacts facts = build_facts(state.source.filename().string(), state.compiled ? &*state.compiled : nullptr);
  DiagnosedModel diagnosed = diagnose_model(request, facts, state.pool, state.progress);
  write_file(snapshot->report_path(), diagnosed.html);
  state.warn("accuracy_analysis", diagnosed.warnings);
  if (snapshot->has_map()) {
    state.say(LogLevel::Warning, "accuracy_analysis",
              fmt::format("The mapping of layer_name & file_name save to: {}", snapshot->map_path().string()));
  }
  state.say(LogLevel::Info, "", fmt::format("The error analysis results save to: {}", snapshot->table_path().string()));
  state.say(LogLevel::Info, "", fmt::format("The accuracy report save to: {}", snapshot->report_path().string()));
  return std::move(diagnosed.analysis);
}

void Toolkit::release() {
  state_->forget_runtime();
  state_->compiled.reset();
  state_->imported = {};
  state_->deployed = {};
  state_->exported.clear();
  state_->key_file.clear();
  state_->settings = {};
  state_->config.clear();
  state_->custom_operators.clear();
  state_->source.clear();
  state_->stage = Stage::New;
}

CompileOptions& Toolkit::compile_options() {
  if (state_->stage == Stage::New) state_->stage = Stage::Configured;
  return state_->settings.compile;
}
const Graph& Toolkit::imported() const {
  state_->require(!state_->imported.empty(), "imported", "no model has been loaded", "call load_onnx first");
  return state_->imported.front();
}
const Compiled& Toolkit::compiled() const {
  state_->require(state_->compiled.has_value(), "compiled", "no model has been built", "call build first");
  return *state_->compiled;
}
bool Toolkit::is_built() const { return state_->compiled.has_value(); }

}  // namespace openrknn
