// The pipeline, top to bottom. Each line is a free function on plain data; the comments between the lines say what the
// order rests on. `openrknn convert --dump-after=STAGE` prints the graph after any of them.
#include "compiler/compile.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/passes/pass.h"
#include "compiler/quantize/given_precision.h"
#include "compiler/shape_sets.h"
#include "core/base/version.h"
#include "core/executor/plan.h"
#include "core/executor/segments.h"
#include "core/graph/text.h"

namespace openrknn {
namespace {

using Clock = std::chrono::steady_clock;

// Times stages, dumps graphs and checks them: everything about running the pipeline that is not the pipeline.
class Stages {
 public:
  Stages(const CompileOptions& options, CompileReport& report) : options_(options), report_(report) {}

  template <class Function>
  void run(std::string_view stage, Graph& graph, const Function& function) {
    const Clock::time_point start = Clock::now();
    function();
    add_time(stage, std::chrono::duration<double>(Clock::now() - start).count());
    finished(stage, graph);
  }

  // Repeats a group of passes until none changes the graph. Every pass removes or simplifies something, so this ends;
  // the bound turns a pass that breaks that promise into an error instead of a hang.
  void run_passes(std::string_view stage, std::span<const Pass> passes, Graph& graph) {
    constexpr int kMostRounds = 100;
    run(stage, graph, [&] {
      const PassContext context{.evaluate = evaluate,
                                .note = [&](std::string_view line) { report_.pass_log.emplace_back(line); }};
      bool changed = true;
      for (int round = 0; changed; ++round) {
        if (round == kMostRounds) fail(Code::Internal, fmt::format("stage '{}' does not come to rest", stage));
        changed = false;
        for (const Pass& pass : passes) {
          if (pass.level > options_.optimization_level) continue;
          if (!pass.run(graph, context)) continue;
          changed = true;
          finished(pass.name, graph);
        }
      }
    });
  }

  bool corrects() const { return options_.quantize && options_.equalize && !keeps_; }
  /// The model brings parameters of its own: what would change its weights or ranges is left out.
  void keep(const KeptParameters& kept) { keeps_ = !kept.empty(); }

 private:
  // Stages of several shape sets count together.
  void add_time(std::string_view stage, double seconds) {
    for (StageTime& time : report_.times) {
      if (time.stage == stage) {
        time.seconds += seconds;
        return;
      }
    }
    report_.times.push_back({std::string(stage), seconds});
  }

  void finished(std::string_view stage, const Graph& graph) {
    if (options_.check) verify(graph);
    if (options_.dump && (options_.dump_after == stage || options_.dump_after == "all")) {
      options_.dump(stage, to_text(graph));
    }
  }

  const CompileOptions& options_;
  CompileReport& report_;
  bool keeps_ = false;
};

void optimize_in_stages(Graph& graph, Stages& stages);

// Bodies of control flow first. Their outputs may have become more exact, and with them those of the nodes.
void optimize_bodies(Graph& graph, Stages& stages) {
  bool changed = false;
  for (const NodeId id : graph.order()) {
    for (auto& [name, attribute] : graph[id].attributes) {
      auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
      if (body == nullptr || *body == nullptr) continue;
      Graph copy = **body;
      optimize_in_stages(copy, stages);
      *body = std::make_shared<const Graph>(std::move(copy));
      changed = true;
    }
    if (changed) infer(graph, id);
  }
}

void optimize_in_stages(Graph& graph, Stages& stages) {
  optimize_bodies(graph, stages);
  // Glue first: patterns further down should meet one spelling of a network, not every exporter's.
  stages.run_passes("clean", clean_passes(), graph);
  // Constants and BatchNorm next: fusion looks for Conv + bias + activation with nothing in between.
  stages.run_passes("fold", fold_passes(), graph);
  // Corrections want plain layers with their activations beside them: after the folds, before fusing.
  if (stages.corrects()) stages.run_passes("correct", correct_passes(), graph);
  // What the NPU computes in one go becomes one node, because that changes where numbers are rounded.
  stages.run_passes("fuse", fuse_passes(), graph);
  // Fusing leaves glue behind (a Reshape of a folded bias, an unused branch).
  stages.run_passes("clean again", clean_passes(), graph);
}

const Target& target_of(const CompileOptions& options) {
  const Target* target = find_target(options.target);
  if (target == nullptr) {
    std::string known;
    for (const Target& row : all_targets()) known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    fail(Code::ConfigUnknownPlatform, fmt::format("unknown target '{}'", options.target), "known targets: " + known);
  }
  return *target;
}

void require_scheme(const Target& target, const CompileOptions& options) {
  if (!options.quantize || supports(target, options.scheme)) return;
  std::string others;
  for (const Target& row : all_targets()) {
    if (supports(row, options.scheme)) others += fmt::format("{}{}", others.empty() ? "" : ", ", row.name);
  }
  fail(Code::ConfigUnsupported,
       fmt::format("{} does not support {} quantization", target.display_name, name(options.scheme)),
       fmt::format("platforms that do: {}", others));
}

// A SoC without fp16 convolution cannot run such layers at all: better said now than by rknn_init on the board.
void require_float16(const Target& target, const Graph& graph) {
  if (target.float16) return;
  std::string layers;
  int64_t count = 0;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const bool heavy = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "MatMul";
    if (!heavy || graph[node.outputs[0]].dtype != DType::Float16) continue;
    if (++count <= 8) layers += fmt::format("{}'{}'", layers.empty() ? "" : ", ", node.name);
  }
  if (count > 8) layers += fmt::format(" and {} more", count - 8);
  if (count > 0) {
    fail(Code::ConfigUnsupported,
         fmt::format("{} has no float16 convolution, but these layers would need it: {}", target.display_name, layers),
         "build with do_quantization=True, or choose another target_platform");
  }
}

QuantizeOptions quantize_options_of(const CompileOptions& options) {
  QuantizeOptions quantize = options.quantize ? options_of(options.scheme) : QuantizeOptions{};
  quantize.method = options.method;
  quantize.symmetric_weights = options.symmetric_weights;
  quantize.group = options.group;
  quantize.activations.algorithm = options.algorithm;
  quantize.clip_weights = uses_weight_search(options.algorithm);
  return quantize;
}

/// What of the user's settings does not go with a model that brings its own parameters.
void require_fitting_parameters(const Target& target, const CompileOptions& options, std::optional<DType> given) {
  if (options.quantize && is_weight_only(options.scheme)) {
    fail(
        Code::ConfigUnsupported,
        fmt::format("quantized_dtype {} codes weights alone, but the model is quantized already", name(options.scheme)),
        "build with do_quantization=False to keep the model's parameters, or load its float form");
  }
  if (!given) return;
  const DType ours = activation_spec(options.scheme).dtype;
  if (options.quantize && ours != *given) {
    fail(Code::ConfigUnsupported,
         fmt::format("the model is quantized to {}, quantized_dtype {} means {}", numpy_name(*given),
                     name(options.scheme), numpy_name(ours)),
         "build with do_quantization=False to keep the model's parameters");
  }
  if (*given == DType::Int16 && !supports(target, Scheme::W16A16I)) {
    fail(Code::ConfigUnsupported,
         fmt::format("the model is quantized to int16, which {} does not compute", target.display_name),
         "quantize its activations to 8 bits, or choose RV1103 or RV1106");
  }
}

void warn_about_parameters(const CompileOptions& options, const KeptParameters& kept, CompileReport& report) {
  if (kept.empty()) return;
  report.warnings.insert(report.warnings.end(), kept.notes.begin(), kept.notes.end());
  if (!options.quantize) return;
  report.warnings.push_back(
      fmt::format("the model is quantized already: it keeps the parameters it brings for {} tensors and {} constants, "
                  "only the rest "
                  "is calibrated; build with do_quantization=False to leave the rest in float16",
                  kept.tensors.size(), kept.constants.size()));
  if (options.equalize) report.warnings.push_back("equalize is left out: it would change the model's own parameters");
}

void require_outputs_of_a_file(const CompileOptions& options) {
  Diagnostics problems;
  if (options.batch < 1) {
    problems.add(Code::ConfigBadValue, {}, fmt::format("rknn_batch_size: got {}, expected 1 or more", options.batch));
  }
  if (options.remove_weight && options.keep_golden) {
    problems.add(Code::ConfigBadValue, {}, "remove_weight and keep_golden contradict each other",
                 "keep the golden model in the full file");
  }
  problems.throw_if_any();
}

void count_nodes(const Graph& graph, CompileReport& report) {
  for (const NodeId id : graph.order()) {
    ++report.nodes_compiled;
    const Value& first = graph[graph[id].outputs[0]];
    if (first.quant.has_value()) ++report.quantized_nodes;
    if (is_floating(first.dtype)) ++report.float_nodes;
  }
}

}  // namespace

std::vector<Port> input_ports(const Graph& graph, const CompileOptions& options) {
  Diagnostics problems;
  std::vector<Port> ports;
  const auto values_for = [&](const std::vector<std::vector<float>>& all, size_t input, std::string_view what,
                              int64_t channels) -> std::vector<float> {
    if (input >= all.size() || all[input].empty()) return {};
    const Value& value = graph[graph.inputs[input]];
    if (static_cast<int64_t>(all[input].size()) != channels) {
      problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                   fmt::format("the length of {}_values ([{}]) for input {} is wrong, got {}, expected {}", what,
                               fmt::join(all[input], ", "), input, all[input].size(), channels),
                   fmt::format("give one value per channel; the input's shape is {}", to_string(value.shape)));
      return {};
    }
    return all[input];
  };
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    // "Channels" of an input that is not an image: its last dimension (toolkit: shape 1x32 expects 32 values).
    const Shape& shape = value.shape;
    const int64_t channels = shape.empty() ? 1 : shape.size() == 4 ? shape[1] : shape.back();
    Port port{.name = value.name, .dtype = value.dtype};
    port.mean = values_for(options.mean, i, "mean", channels);
    port.std = values_for(options.std, i, "std", channels);
    for (const float deviation : port.std) {
      if (deviation == 0 || !std::isfinite(deviation)) {
        problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                     fmt::format("std_values of input {} hold {}, every pixel is divided by it", i, deviation),
                     "use 1 where no scaling is wanted");
      }
    }
    for (const float mean : port.mean) {
      if (!std::isfinite(mean)) {
        problems.add(Code::ConfigBadMeanStd, Location{.tensor = value.name},
                     fmt::format("mean_values of input {} hold {}", i, mean), "use 0 where no shift is wanted");
      }
    }
    if ((!port.mean.empty() || !port.std.empty()) && !is_floating(value.dtype)) {
      // 0/1 vectors are how scripts say "leave this input alone" (toolkit.md 5.1).
      port.mean.clear();
      port.std.clear();
    }
    ports.push_back(std::move(port));
  }
  const size_t most = std::max(options.mean.size(), options.std.size());
  if (most > graph.inputs.size()) {
    problems.add(
        Code::ConfigBadMeanStd, {},
        fmt::format("mean_values/std_values are given for {} inputs, the model has {}", most, graph.inputs.size()),
        "give one list per input, in the model's order");
  }
  problems.throw_if_any();
  return ports;
}

std::vector<Port> output_ports(const Graph& graph) {
  std::vector<Port> ports;
  for (const ValueId id : graph.outputs) ports.push_back({.name = graph[id].name, .dtype = graph[id].dtype});
  return ports;
}

std::vector<SampleSpec> sample_specs(const Graph& graph, const CompileOptions& options) {
  const std::vector<bool>& swap = options.rgb_to_bgr;
  if (swap.size() > 1 && swap.size() != graph.inputs.size()) {
    fail(Code::ConfigBadValue,
         fmt::format("quant_img_RGB2BGR has {} entries, the model has {} inputs", swap.size(), graph.inputs.size()),
         "give one bool for all inputs, or one per input");
  }
  std::vector<SampleSpec> specs;
  const std::vector<Port> ports = input_ports(graph, options);
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    specs.push_back({.port = ports[i],
                     .shape = value.shape,
                     .dtype = value.dtype,
                     .rgb_to_bgr = swap.size() == 1 ? swap[0] : i < swap.size() && swap[i]});
  }
  return specs;
}

Graph optimize(const Graph& imported) {
  Graph graph = imported;
  const CompileOptions options;
  CompileReport unread;
  Stages stages(options, unread);
  optimize_in_stages(graph, stages);
  return graph;
}

Compiled compile(const Graph& imported, const CompileOptions& options, const Samples* samples, ThreadPool& pool,
                 const Progress& progress) {
  return compile(std::span(&imported, 1), options, samples, pool, progress);
}

Compiled compile(std::span<const Graph> shape_sets, const CompileOptions& options, const Samples* samples,
                 ThreadPool& pool, const Progress& progress) {
  Compiled compiled;
  CompileReport& report = compiled.report;
  Stages stages(options, report);

  const Target& target = target_of(options);
  require_scheme(target, options);
  require_outputs_of_a_file(options);
  const bool calibrates = options.quantize && !is_weight_only(options.scheme);
  if (calibrates && samples == nullptr) {
    fail(Code::DatasetMissing, "quantization needs sample data and none was given",
         "pass a dataset, or build with do_quantization=False");
  }

  // Ports before any pass: the outside keeps the names and types of the source model.
  Model& model = compiled.model;
  model.inputs = input_ports(shape_sets.front(), options);
  model.outputs = output_ports(shape_sets.front());
  report.nodes_imported = static_cast<int64_t>(shape_sets.front().origins.size());

  Calibration calibration;
  for (const Graph& imported : shape_sets) {
    const bool is_largest = model.variants.empty();
    Graph graph = imported;
    // First: quantize-dequantize pairs stand between everything the passes look for.
    KeptParameters kept;
    stages.run("keep_parameters", graph, [&] { kept = keep_parameters(graph); });
    stages.keep(kept);
    if (is_largest) warn_about_parameters(options, kept, report);
    optimize_in_stages(graph, stages);
    require_fixed_shapes(graph, "a compile");
    GivenParameters given = settle(kept, graph);
    // From here on the float graph stands still: it is golden, and its value ids stay valid in the quantized one.
    const Graph golden = graph;

    const bool keeps = !given.empty();
    if (keeps) require_fitting_parameters(target, options, given_type(graph, given));
    PrecisionMap precision = keeps && !options.quantize
                                 ? assign_given_precision(graph, target, given)
                                 : assign_precision(graph, target, {options.scheme, options.quantize});
    keep_codes_of_ports_exact(graph, given, precision);
    // Once, at the largest shapes: the other sets find their ranges by the same names.
    if (calibrates && is_largest) {
      report.samples = samples->count();
      stages.run("calibrate", graph, [&] {
        const Detail detail = detail_for(options.algorithm);
        calibration = calibrate(graph, *samples, pool, progress, options.custom_code, detail);
      });
      if (shape_sets.size() > 1) add_aliases(graph, calibration);
    }
    QuantizeOptions quantize_options = quantize_options_of(options);
    if (keeps) quantize_options.activations.dtype = given_type(golden, given).value_or(DType::Int8);
    std::vector<std::string>* notes = is_largest ? &report.warnings : nullptr;
    stages.run("quantize", graph,
               [&] { graph = quantize(golden, precision, calibration, quantize_options, given, notes); });
    require_float16(target, graph);
    // Last: integers are computed once, from parameters that no longer change, and stored.
    stages.run("lower", graph, [&] { lower(graph, target); });
    if (options.check) verify(graph);
    if (is_largest) {
      count_nodes(graph, report);
      compiled.golden = golden;
    }
    model.variants.push_back(std::move(graph));
  }
  share_between_variants(model.variants);

  model.target = std::string(target.name);
  model.arithmetic = arithmetic_of(target);
  model.batch = options.batch;
  model.remove_weight = options.remove_weight;
  model.custom_string = options.custom_string;
  model.tool_version = version();
  model.source_framework = options.source_framework;
  std::string pass_log;
  for (const std::string& line : report.pass_log) pass_log += line + '\n';
  model.sections["pass_log"] =
      Tensor::from<uint8_t>({static_cast<int64_t>(pass_log.size())}, {pass_log.begin(), pass_log.end()});
  if (options.keep_golden) model.golden = compiled.golden;
  return compiled;
}

}  // namespace openrknn
