// The pipeline, top to bottom. Each line is a free function on plain data; the comments between the lines say what the
// order rests on. `openrknn convert --dump-after=STAGE` prints the graph after any of them.
#include "compiler/compile.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/auto_hybrid.h"
#include "compiler/compile_checks.h"
#include "compiler/compile_report.h"
#include "compiler/passes/prune_channels.h"
#include "compiler/quantize/constants.h"
#include "compiler/quantize/given_precision.h"
#include "compiler/shape_sets.h"
#include "compiler/stages.h"
#include "core/base/version.h"
#include "core/executor/segments.h"
#include "core/model/ports.h"
#include "core/model/precision_notes.h"

namespace openrknn {
namespace {

void optimize_in_stages(Graph& graph, Stages& stages, const CorrectionContext& correcting);

// Bodies of control flow first. Their outputs may have become more exact, and with them those of the nodes.
void optimize_bodies(Graph& graph, Stages& stages) {
  bool changed = false;
  for (const NodeId id : graph.order()) {
    for (auto& [name, attribute] : graph[id].attributes) {
      auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
      if (body == nullptr || *body == nullptr) continue;
      Graph copy = **body;
      optimize_in_stages(copy, stages, {.is_body = true});
      *body = std::make_shared<const Graph>(std::move(copy));
      changed = true;
    }
    if (changed) infer(graph, id);
  }
}

void optimize_in_stages(Graph& graph, Stages& stages, const CorrectionContext& correcting) {
  optimize_bodies(graph, stages);
  // Glue first: patterns further down should meet one spelling of a network, not every exporter's.
  stages.run_passes("clean", clean_passes(), graph);
  // Constants and BatchNorm next: fusion looks for Conv + bias + activation with nothing in between.
  stages.run_passes("fold", fold_passes(), graph);
  // Corrections of layers want them plain, with their activations beside them: after the folds, before fusing.
  stages.run_corrections(corrections_of_layers(), graph, correcting);
  // What the NPU computes in one go becomes one node, because that changes where numbers are rounded.
  stages.run_passes("fuse", fuse_passes(), graph);
  // The others want to see what will be computed, a normalisation as one node above all.
  stages.run_corrections(corrections_of_fused_graph(), graph, correcting);
  // Fusing leaves glue behind (a Reshape of a folded bias, an unused branch).
  stages.run_passes("clean again", clean_passes(), graph);
}

void prune(Graph& graph, Stages& stages, CompileReport& report, bool is_largest) {
  stages.run("prune_channels", graph, [&] {
    const PassContext context{.evaluate = {},
                              .note = [&](std::string_view line) { report.pass_log.emplace_back(line); }};
    const std::string result = pruning_text(prune_channels(graph, context));
    if (is_largest && !result.empty()) report.results.push_back(result);
  });
}

QuantizeOptions quantize_options_of(const CompileOptions& options, const PreparedBuild& prepared) {
  QuantizeOptions quantize = options.quantize ? options_of(options.scheme) : QuantizeOptions{};
  quantize.method = options.method;
  quantize.symmetric_weights = options.symmetric_weights;
  quantize.group = options.group;
  quantize.activations.algorithm = options.algorithm;
  quantize.clip_weights = uses_weight_search(options.algorithm);
  quantize.cache = prepared.cache;
  quantize.ranges = options.ranges;
  for (size_t i = 0; i < prepared.inputs.size(); ++i) {
    const bool is_frame = !prepared.inputs[i].pixel_format.empty();
    // A code a byte: what the samples hold does not matter.
    if (is_frame) quantize.ranges.try_emplace(prepared.inputs[i].name, 0.0, 255.0);
  }
  if (!options.quantize && options.quantize_weight) {
    // Fewer hardly shrink a file. 36 dB: normal weights have 41 to 44; where few large ones leave the others no codes,
    // they stay float16.
    quantize.coded_weights = DType::Int8;
    quantize.fewest_coded = 4096;
    quantize.most_coding_error = 2.5e-4;
  }
  return quantize;
}

bool wants_corrections_by_data(const CompileOptions& options) {
  return options.quantize && (options.bias_correction || options.rounding != Rounding::Nearest);
}
/// They would change weights whose codes the model brings.
bool corrects_by_data(const CompileOptions& options, const PreparedBuild& prepared) {
  return wants_corrections_by_data(options) && !prepared.brings_parameters;
}

}  // namespace

Graph optimize(const Graph& imported) {
  Graph graph = imported;
  const CompileOptions options;
  CompileReport unread;
  Stages stages(options, unread);
  optimize_in_stages(graph, stages, {});
  return graph;
}

bool reads_samples(const CompileOptions& options) {
  if (options.quantize) return !is_weight_only(options.scheme);
  const auto in_codes = [](const PrecisionRule& rule) { return is_code_type(rule.dtype); };
  return options.auto_hybrid || std::any_of(options.precision.begin(), options.precision.end(), in_codes);
}

/// The user's rules come last, so they win.
PrecisionRules rules_of(const PreparedBuild& prepared, const CompileOptions& options, size_t set) {
  PrecisionRules rules{.scheme = options.scheme,
                       .quantize = options.quantize,
                       .rules = prepared.concat_rules,
                       .hybrid_level = options.hybrid_level};
  rules.rules.insert(rules.rules.end(), options.precision.begin(), options.precision.end());
  if (prepared.brings_parameters) rules.given = &prepared.given[set];
  return rules;
}

Graph build_graph(const PreparedBuild& prepared, const CompileOptions& options, ThreadPool& pool,
                  const GoldenMeans* means) {
  const Target& target = target_of(options);
  const Graph& golden = prepared.goldens.front();
  Graph graph = quantize(golden, assign_precision(golden, target, rules_of(prepared, options)), prepared.calibration,
                         quantize_options_of(options, prepared), prepared.given.front(), nullptr, &pool);
  if (means != nullptr) correct_biases_of_weights(graph, golden, *means);
  lower(graph, target);
  return graph;
}

bool needs_samples(const CompileOptions& options) {
  return (reads_samples(options) && options.calibration == nullptr) || wants_corrections_by_data(options);
}

bool looks_at_samples(const CompileOptions& options) {
  return options.quantize || needs_samples(options) || options.corrections.rescue_float16;
}

PreparedBuild prepare(std::span<const Graph> shape_sets, const CompileOptions& options, const Samples* samples,
                      ThreadPool& pool, const Progress& progress) {
  PreparedBuild prepared;
  prepared.cache = std::make_shared<LayerCache>();
  CompileReport& report = prepared.report;
  Stages stages(options, report, progress);

  const Target& target = target_of(options);
  require_scheme(target, options);
  require_outputs_of_a_file(options);
  if (options.auto_hybrid && !reads_samples(options)) {
    fail(Code::ConfigUnsupported,
         fmt::format("auto_hybrid lifts layers of int8, and {} has none", name(options.scheme)),
         "use it with quantized_dtype='w8a8', or do_quantization=False");
  }
  require_samples(options, samples);
  warn_of_idle_options(options, report);

  // Ports before any pass: the outside keeps the names, types and layouts of the source model.
  prepared.inputs = input_ports(shape_sets.front(), options);
  prepared.outputs = source_outputs(shape_sets.front());
  report.nodes_imported = static_cast<int64_t>(shape_sets.front().origins.size());

  std::optional<Observations> observations;
  if (samples != nullptr) observations.emplace(Observations{*samples, pool, options.custom_code, progress});
  const CorrectionContext correcting{
      .observations = observations ? &*observations : nullptr,
      .has_channel_scales = options.method == QuantizedMethod::Channel,
      .note = [&](std::string_view line) { report.pass_log.emplace_back(line); },
      .warn = [&](std::string_view line) { report.warnings.emplace_back(line); },
  };
  for (const Graph& imported : shape_sets) {
    Graph graph = imported;
    graph.input_orders.clear();  // the ports have them
    graph.output_orders.clear();
    KeptParameters kept;
    if (options.calibration == nullptr) {
      // First: quantize-dequantize pairs stand between everything the passes look for.
      stages.run("keep_parameters", graph, [&] { kept = keep_parameters(graph); });
      if (!kept.empty()) stages.keep_numbers();
      if (prepared.goldens.empty() && !kept.empty()) {
        prepared.brings_parameters = true;
        report_parameters(options, kept, report);
      }
      optimize_in_stages(graph, stages, correcting);
      // Last of what changes the layers: the passes have put everything linear into their weights.
      if (options.model_pruning) prune(graph, stages, report, prepared.goldens.empty());
    }
    if (observations) observations->is_complete = true;
    require_fixed_shapes(graph, "a compile");
    GivenParameters given = settle(kept, graph);
    if (prepared.brings_parameters) {
      require_fitting_parameters(target, options, graph, given);
      if (!options.quantize) inherit_parameters(graph, given);
    }
    // From here on the float graph stands still: it is golden, and its value ids stay valid in the quantized one.
    prepared.goldens.push_back(std::move(graph));
    prepared.given.push_back(std::move(given));
  }
  // Bad rules are told before the long part.
  Graph& golden = prepared.goldens.front();
  const PrecisionMap precision = assign_precision(golden, target, rules_of(prepared, options));
  // Once, at the largest shapes: the other sets find their ranges by the same names.
  if (options.calibration != nullptr) {
    prepared.calibration = *options.calibration;
  } else if (needs_samples(options)) {
    report.samples = samples->count();
    stages.run("calibrate", golden, [&] {
      const Detail detail = detail_for(options.algorithm);
      if (options.calibrator) {
        // What comes back are statistics alone.
        prepared.calibration = options.calibrator(golden, *samples, detail, progress);
        return;
      }
      SampleRecord record;
      prepared.calibration = calibrate(golden, *samples, pool, progress, options.custom_code, detail, &record);
      report.calibration_set = check_calibration_set(record, prepared.inputs, *samples);
      for (const SetFinding& finding : report.calibration_set) {
        if (finding.is_certain) report.warnings.push_back(to_string(finding));
      }
    });
    if (shape_sets.size() > 1) add_aliases(golden, prepared.calibration);
  }
  // What only ranges can tell; every set of shapes decides by those of the largest.
  if (reads_samples(options)) {
    prepared.concat_rules = rules_for_concats(golden, precision, prepared.calibration, options, report);
  }
  return prepared;
}

Compiled finish(const PreparedBuild& prepared, const CompileOptions& options, const Samples* samples, ThreadPool& pool,
                const Progress& progress) {
  Compiled compiled{.model = {}, .golden = prepared.goldens.front(), .recipe = {}, .report = prepared.report};
  CompileReport& report = compiled.report;
  Stages stages(options, report, progress);
  const Target& target = target_of(options);
  Model& model = compiled.model;
  const QuantizeOptions quantize_options = quantize_options_of(options, prepared);
  const bool corrects = corrects_by_data(options, prepared);
  for (size_t set = 0; set < prepared.goldens.size(); ++set) {
    const bool is_largest = set == 0;
    const Graph& golden = prepared.goldens[set];
    const GivenParameters& given = prepared.given[set];
    Graph graph = golden;
    const PrecisionMap precision = assign_precision(golden, target, rules_of(prepared, options, set));
    std::vector<std::string>* notes = is_largest ? &report.warnings : nullptr;
    stages.run("quantize", graph, [&] {
      graph = quantize(golden, precision, prepared.calibration, quantize_options, given, notes, &pool);
    });
    require_float16(target, graph);
    // Codes, then biases that know them: nothing after this changes what the layers compute.
    if (corrects && !is_largest) carry_corrections_over(model.variants.front(), golden, graph);
    if (corrects && is_largest) {
      warn_of_few_samples(options, *samples, report);
      const CorrectionData data{golden, prepared.calibration, *samples, pool, progress, options.custom_code};
      stages.run("round weights", graph,
                 [&] { round_weights(graph, options.rounding, options.bias_correction, data); });
      stages.run("correct biases", graph, [&] {
        if (options.bias_correction) correct_biases(graph, target, data);
      });
    }
    // Last: integers are computed once, from parameters that no longer change, and stored.
    stages.run("lower", graph, [&] { lower(graph, target); });
    if (!options.op_targets.empty()) {
      std::vector<std::string> unread;
      place_layers(graph, target, options.op_targets, is_largest ? report.warnings : unread);
    }
    if (options.check) verify(graph);
    if (is_largest) {
      count_nodes(graph, report);
      report_rules(golden, options.precision, report);
      model.sections[std::string(kPrecisionSection)] = encode_precision_notes(notes_of(golden, precision));
      compiled.recipe = {precision, prepared.calibration, quantize_options, given};
    }
    if (options.sparse_infer && is_largest) report_sparse_layers(graph, report);
    if (options.flash_attention && is_largest) report_attention(graph, report);
    if (options.keep_goldens) compiled.goldens.push_back(golden);
    model.variants.push_back(std::move(graph));
  }
  share_between_variants(model.variants);
  report.facts = facts_of(target, options, prepared);

  model.inputs = prepared.inputs;
  model.outputs = prepared.outputs;
  model.target = std::string(target.name);
  model.arithmetic = arithmetic_of(target);
  model.batch = options.batch;
  model.single_core = options.single_core;
  model.sparse = options.sparse_infer;
  model.remove_weight = options.remove_weight;
  model.compress_weight = options.compress_weight;
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

Compiled compile(const Graph& imported, const CompileOptions& options, const Samples* samples, ThreadPool& pool,
                 const Progress& progress) {
  return compile(std::span(&imported, 1), options, samples, pool, progress);
}

Compiled compile(std::span<const Graph> shape_sets, const CompileOptions& options, const Samples* samples,
                 ThreadPool& pool, const Progress& progress) {
  PreparedBuild prepared = prepare(shape_sets, options, samples, pool, progress);
  if (!options.auto_hybrid) return finish(prepared, options, samples, pool, progress);
  // The same calibration serves the build that is judged and the one that is kept.
  CompileOptions lifted = options;
  lifted.precision = auto_hybrid_rules(prepared, options, *samples, pool, progress);
  // What the user says himself comes last: it wins.
  lifted.precision.insert(lifted.precision.end(), options.precision.begin(), options.precision.end());
  return finish(prepared, lifted, samples, pool, progress);
}

}  // namespace openrknn
