// The two steps of hybrid quantization: calibrate and write three files; read them and build (docs/hybrid_files.md).
#include "compiler/exporters/onnx/export.h"
#include "core/base/hash.h"
#include "toolkit/calibration_samples.h"
#include "toolkit/hybrid_data.h"
#include "toolkit/hybrid_layers.h"
#include "toolkit/layer_analysis.h"
#include "toolkit/toolkit_state.h"

namespace openrknn {
namespace {

std::string hash_text(std::span<const std::byte> bytes) { return to_hex(hash64(bytes)); }
std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Three files that appear together or not at all.
void write_files(const std::string& name, std::initializer_list<std::pair<std::string_view, std::string_view>> files) {
  std::vector<std::unique_ptr<FileSink>> sinks;
  for (const auto& [suffix, content] : files) {
    sinks.push_back(std::make_unique<FileSink>(name + std::string(suffix)));
    sinks.back()->write(bytes_of(content));
  }
  for (const std::unique_ptr<FileSink>& sink : sinks) sink->commit();
}

std::string path_of(const ArgumentValue& value, std::string_view argument) {
  const auto* path = std::get_if<std::string>(&value.data);
  if (path == nullptr || path->empty()) {
    fail(Code::ConfigBadValue,
         fmt::format("hybrid_quantization_step2: {}: got {}, expected a path", argument, to_string(value)),
         "pass the three files of hybrid_quantization_step1");
  }
  return *path;
}

void require_calibrated_scheme(const CompileOptions& options, std::string_view method) {
  if (!is_weight_only(options.scheme)) return;
  fail(Code::ConfigUnsupported,
       fmt::format("{}: quantized_dtype='{}' keeps every activation in float16, so there is nothing to choose", method,
                   name(options.scheme)),
       "use build, or a scheme that quantizes activations (w8a8)");
}

}  // namespace

void Toolkit::hybrid_quantization_step1(const ArgumentValues& given) {
  constexpr std::string_view kMethod = "hybrid_quantization_step1";
  State& state = *state_;
  state.require_loaded(kMethod);
  std::vector<std::string> warnings;
  ArgumentValues values = check_options(kMethod, given, warnings);
  CompileOptions options = state.settings.compile;
  require_calibrated_scheme(options, kMethod);
  if (options.bias_correction || options.rounding != Rounding::Nearest) {
    fail(Code::ConfigUnsupported,
         fmt::format("{}: bias_correction and rounding look at the samples, which the second step does not have",
                     kMethod),
         "leave them out, or use build with precision rules (docs/hybrid.md)");
  }
  const auto* dataset = std::get_if<std::string>(&values["dataset"].data);
  if (dataset == nullptr) {
    fail(Code::DatasetMissing,
         fmt::format("{}: dataset: got {}, expected the path of a dataset file", kMethod, to_string(values["dataset"])),
         "pass dataset='dataset.txt' (one sample a line)");
  }
  const bool proposes = bool_of(values["proposal"], "hybrid_quantization_step1: proposal");
  const auto* count = std::get_if<int64_t>(&values["proposal_dataset_size"].data);
  if (count == nullptr || *count < 1) {
    fail(Code::ConfigBadValue, fmt::format("{}: proposal_dataset_size: got {}, expected a whole number, 1 or more",
                                           kMethod, to_string(values["proposal_dataset_size"])));
  }
  options.batch = batch_of(values["rknn_batch_size"], kMethod);
  options.keep_goldens = true;
  if (brings_parameters(imported())) {
    fail(Code::ConfigUnsupported,
         fmt::format("{}: the model is quantized already, and the three files have no place for its own parameters",
                     kMethod),
         "use build with precision={...} or auto_hybrid=True (docs/quantized_models.md)");
  }
  const std::unique_ptr<Samples> samples =
      calibration_samples(open_dataset(*dataset, sample_specs(imported(), options)), options, state.pool, warnings);
  state.warn(kMethod, warnings);
  Compiled compiled = openrknn::compile(state.imported, options, samples.get(), state.pool, state.progress);
  state.warn(kMethod, compiled.report.warnings);

  HybridConfig config{.parameters = tensor_parameters(compiled)};
  if (proposes) {
    config.layers = proposed_layers(compiled, first_samples(*samples, *count), state.pool, state.progress);
  }
  if (!values["custom_hybrid"].is_none()) {
    for (CustomLayer& layer : layers_between(compiled.golden, values["custom_hybrid"])) {
      const auto known = std::find_if(config.layers.begin(), config.layers.end(),
                                      [&](const CustomLayer& other) { return other.name == layer.name; });
      if (known == config.layers.end()) config.layers.push_back(std::move(layer));
    }
  }

  HybridData data{.goldens = std::move(compiled.goldens),
                  .inputs = compiled.model.inputs,
                  .outputs = compiled.model.outputs,
                  .calibration = std::move(compiled.recipe.calibration),
                  .config = state.config,
                  .target = compiled.model.target,
                  .framework = options.source_framework,
                  .batch = options.batch,
                  .name = state.source.stem().string(),
                  .parameters = to_text(config)};
  OnnxNames names{.graph = data.name};
  for (const Port& port : data.inputs) names.inputs.push_back(port.name);
  for (const Port& port : data.outputs) names.outputs.push_back(port.name);
  MemorySink model, rest;
  write_onnx(data.goldens.front(), names, model);
  data.model_hash = hash_text(bytes_of(model.data));
  write_hybrid_data(data, rest);
  write_files(data.name, {{".model", model.data}, {".data", rest.data}, {".quantization.cfg", data.parameters}});
  for (const char* const suffix : {".model", ".data", ".quantization.cfg"}) {
    state.say(LogLevel::Info, kMethod, fmt::format("wrote {}{}", data.name, suffix));
  }
}

void Toolkit::hybrid_quantization_step2(const ArgumentValues& given) {
  constexpr std::string_view kMethod = "hybrid_quantization_step2";
  State& state = *state_;
  std::vector<std::string> warnings;
  ArgumentValues values = check_options(kMethod, given, warnings);
  const std::string model_path = path_of(values["model_input"], "model_input");
  const std::string data_path = path_of(values["data_input"], "data_input");
  const std::string config_path = path_of(values["model_quantization_cfg"], "model_quantization_cfg");

  HybridData data = read_hybrid_data(data_path);
  if (hash_text(MappedFile::open(model_path)->bytes()) != data.model_hash) {
    fail(Code::ConfigBadValue, Location{.file = model_path},
         fmt::format("this is not the .model file that was written together with {}", data_path),
         fmt::format("pass the three files of one hybrid_quantization_step1: {0}.model, {0}.data and "
                     "{0}.quantization.cfg, of which the .cfg alone is to be edited",
                     data.name));
  }
  const HybridConfig written = parse_hybrid_config(data.parameters, data_path);
  const HybridEdits edits = edits_of(parse_hybrid_config(read_text_file(config_path), config_path), written,
                                     data.goldens.front(), config_path);
  state.warn(kMethod, edits.warnings);

  Settings settings = make_settings(data.config, warnings);
  CompileOptions& options = settings.compile;
  options.source_framework = data.framework;
  options.batch = data.batch;
  CompileOptions building = options;
  building.calibration = &data.calibration;
  building.ranges = edits.ranges;
  building.precision.insert(building.precision.end(), edits.rules.begin(), edits.rules.end());
  state.say(LogLevel::Info, "", "rknn building ...");
  Compiled compiled = openrknn::compile(data.goldens, building, nullptr, state.pool, state.progress);
  compiled.model.inputs = std::move(data.inputs);
  compiled.model.outputs = std::move(data.outputs);

  state.simulator.reset();
  state.file.clear();
  state.exported.clear();
  state.settings = std::move(settings);
  state.config = std::move(data.config);
  state.take_built(std::move(compiled), kMethod);
}

}  // namespace openrknn
