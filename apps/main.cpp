// openrknn VERB: argument parsing only. Work and messages are in toolkit/.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <exception>
#include <functional>
#include <optional>

#include "apps/serve.h"
#include "apps/verbs.h"
#include "core/base/error.h"
#include "core/base/version.h"
#include "toolkit/codegen.h"
#include "toolkit/operator_table.h"
#include "toolkit/options.h"
#include "toolkit/settings.h"

namespace {

using namespace openrknn;

std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

// Every argument of a toolkit method as a flag: --mean-values "[[0, 0, 0]]".
void add_flags(CLI::App& app, std::string_view method, ArgumentValues& values,
               const std::vector<std::string_view>& leave_out) {
  for (const Option& option : option_table()) {
    if (option.method != method || option.status == OptionStatus::Warned) continue;
    if (std::find(leave_out.begin(), leave_out.end(), option.name) != leave_out.end()) continue;
    std::string flags = flag_of(option.name);
    if (option.name == "target_platform") flags += ",-t,--target";
    const std::string key(option.name);
    // Texts and paths stand as they are typed: a custom string 1.10 is no number.
    const bool verbatim = option.accepts.starts_with("text") || option.accepts.starts_with("path");
    app.add_option_function<std::string>(
           flags,
           [&values, key, verbatim](const std::string& text) {
             try {
               values[key] = verbatim ? ArgumentValue(text) : parse_argument_value(text);
             } catch (const Error& error) {
               const Diagnostic& found = error.diagnostics.front();
               fail(found.code, key + ": " + found.problem, found.fix);
             }
           },
           fmt::format("{} ({}; default {})", option.sentence, option.accepts, option.default_text))
        ->group(std::string(method));
  }
}

/// NAME=NUMBER, the number by `take`.
void add_numbers(CLI::App& app, const std::string& flag, const std::string& sentence,
                 std::function<bool(const std::string& name, std::string_view number)> take) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [flag, take = std::move(take)](const std::vector<std::string>& items) {
           for (const std::string& item : items) {
             const size_t equals = item.rfind('=');
             if (equals == std::string::npos || equals == 0 ||
                 !take(item.substr(0, equals), std::string_view(item).substr(equals + 1)))
               throw CLI::ValidationError(flag, "expected NAME=NUMBER, got " + item);
           }
         },
         sentence + ", NAME=NUMBER; may be repeated")
      ->allow_extra_args(false);
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T number{};
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return number;
}

/// How a model file of a framework is read, wherever one is.
void add_source(CLI::App& app, ImportOptions& source) {
  add_numbers(app, "--dimension", "value of a symbolic dimension",
              [&source](const std::string& name, std::string_view text) {
                const std::optional<int64_t> extent = number_of<int64_t>(text);
                if (extent) source.dimensions[name] = *extent;
                return extent.value_or(0) >= 1;
              });
  add_numbers(app, "--initial-value", "an input that is a constant of the model",
              [&source](const std::string& name, std::string_view text) {
                if (const std::optional<int64_t> integer = number_of<int64_t>(text)) {
                  source.constants.insert_or_assign(name, Tensor::scalar<int64_t>(*integer));
                  return true;
                }
                const std::optional<double> real = number_of<double>(text);
                if (real) source.constants.insert_or_assign(name, Tensor::scalar<float>(static_cast<float>(*real)));
                return real.has_value();
              });
  app.add_option(
      "--weights", source.weights,
      "the second file of frameworks that have two (.caffemodel, .weights); default: beside the model, of its name");
}

/// Of models whose files do not say them (TorchScript), or whose inputs are to have others.
void add_source_with_shapes(CLI::App& app, ImportOptions& source) {
  add_source(app, source);
  app.add_option_function<std::string>(
      "--input-size-list",
      [&source](const std::string& text) {
        source.input_shapes = shapes_of(parse_argument_value(text), "--input-size-list");
      },
      "shapes of the inputs, in order: [[1, 3, 224, 224]]");
}

// What check and estimate share.
void add_targets(CLI::App& app, TargetRequest& request) {
  app.add_option("model", request.model, "a model file of a framework, or a .rknn")->required();
  app.add_option("-t,--target", request.targets, "a SoC, or all; may be repeated; default: all, of a .rknn its own")
      ->allow_extra_args(false);
  app.add_option_function<std::string>(
      "--quantized-dtype",
      [&request](const std::string& text) {
        request.scheme = scheme_named(text);
        if (!request.scheme) throw CLI::ValidationError("--quantized-dtype", "unknown type " + text);
      },
      "of the build that is looked at; default: w8a8 where a SoC has it, else float16");
  app.add_flag_callback(
      "--float", [&request] { request.quantize = false; }, "look at the float16 build");
  add_source_with_shapes(app, request.source);
}

/// NAME=EQUATION, for `openrknn edit`.
void add_equations(CLI::App& app, const std::string& flag, const std::string& sentence,
                   std::vector<std::pair<std::string, std::string>>& equations) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [flag, &equations](const std::vector<std::string>& items) {
           for (const std::string& item : items) {
             const size_t equals = item.find('=');
             if (equals == std::string::npos || equals == 0)
               throw CLI::ValidationError(flag, "expected NAME=EQUATION, got " + item);
             equations.emplace_back(item.substr(0, equals), item.substr(equals + 1));
           }
         },
         sentence + ", NAME=EQUATION as 'image=a,b,c,d->a,c,d,b'; may be repeated")
      ->allow_extra_args(false);
}

// What convert and analyze share.
void add_building(CLI::App& app, BuildArguments& building) {
  app.add_option("--config", building.yaml, "YAML file with any of the options below (underscores); flags win");
  app.add_option("--preset", building.preset,
                 "accurate: options that make a quantized build better and slower; those given win");
  app.add_flag("--symmetric-weights", building.symmetric_weights, "weights with zero point 0");
  app.add_option("--threads", building.threads, "0 = all");
  app.add_option("--dask", building.dask, "compute samples on the Dask cluster of this scheduler (tcp://host:8786)");
  app.add_flag("-q,--quiet", building.quiet, "no progress");
  add_source(app, building.source);
  add_flags(app, "config", building.config, {"precision"});
  app.add_option_function<std::vector<std::string>>(
         "--precision",
         [&building](const std::vector<std::string>& rules) {
           building.config["precision"] = std::vector<ArgumentValue>(rules.begin(), rules.end());
         },
         "what a layer computes in: KEY=DTYPE, KEY a layer, glob:PATTERN, re:EXPRESSION or op:TYPE, DTYPE int8, int16 "
         "or "
         "float16; may be repeated, later ones win (docs/hybrid.md)")
      ->allow_extra_args(false)
      ->group("config");
  add_flags(app, "load_onnx", building.load, {"model", "input_initial_val"});
  add_flags(app, "build", building.build, {});
  app.add_flag_callback(
      "--float", [&building] { building.build["do_quantization"] = false; }, "build in float16, no dataset needed");
}

}  // namespace

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): only when memory ends
  CLI::App app{"OpenRKNN: compile, quantize, simulate and serve models for Rockchip NPUs"};
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("openrknn {}", version()));
  app.footer("Exit codes: 0 done, 1 refused or failed, 2 wrong usage.");

  ConvertArguments converting;
  CLI::App* convert_verb = app.add_subcommand("convert", "turn a model file into a .rknn file");
  convert_verb->add_option("model", converting.building.model, "model file (.onnx, .tflite, .pb, .pt, .prototxt, .cfg)")
      ->required();
  convert_verb->add_option("-o,--output", converting.output, "the .rknn file; default: beside the model");
  convert_verb->add_flag("--keep-golden", converting.building.keep_golden,
                         "keep the float model in the file, to compare with later");
  convert_verb->add_option("--dump-after", converting.building.dump_after,
                           "print the graph after this stage or pass ('all')");
  convert_verb->add_flag("--check", converting.building.check, "verify the graph after every pass");
  convert_verb->add_flag("--json", converting.json, "the summary as JSON");
  add_building(*convert_verb, converting.building);

  AnalyzeArguments analyzing;
  CLI::App* analyze_verb = app.add_subcommand(
      "analyze", "build a model and compare each of its layers with the float model: where accuracy is lost");
  analyze_verb
      ->add_option("model", analyzing.building.model,
                   "model file (.onnx, .tflite, .pb, .pt, .prototxt, .cfg), or a .rknn file with a golden model")
      ->required();
  analyze_verb->add_option("--samples", analyzing.samples,
                           "dataset file of what is run; default: the dataset of the calibration");
  analyze_verb->add_option("--count", analyzing.count, "run only so many samples, the first ones; 0 = all")
      ->check(CLI::NonNegativeNumber);
  analyze_verb->add_option("-o,--output", analyzing.folder,
                           "write the table and every layer's numbers (of the last sample) into this folder");
  analyze_verb->add_option("--report", analyzing.report,
                           "write a report to this HTML file: layers, histograms, precision map, reasons and fixes");
  analyze_verb->add_flag("--diagnose", analyzing.diagnose,
                         "say why the worst layers are bad, what helps, and what is wrong with the calibration set");
  analyze_verb->add_option("--resume", analyzing.resume,
                           "keep what is done in this file while it runs, and go on from it if it is there");
  analyze_verb->add_flag("--json", analyzing.json, "as JSON");
  add_building(*analyze_verb, analyzing.building);

  SearchArguments searching;
  CLI::App* search_verb = app.add_subcommand(
      "search", "find the fewest layers that have to leave int8 for the outputs to be good enough, and build so");
  search_verb->add_option("model", searching.building.model, "model file (.onnx, .tflite, .pb, .pt, .prototxt, .cfg)")
      ->required();
  search_verb->add_option("--target-sqnr", searching.target,
                          "what the worst output shall reach, in dB; left out: the best within --max-macs");
  search_verb->add_option("--max-macs", searching.max_macs,
                          "lift no more than this share of the multiplications, 0 to 1");
  search_verb->add_option("--budget", searching.budget, "what to spare: ops or macs")
      ->check(CLI::IsMember({"ops", "macs"}));
  search_verb->add_option("--lift", searching.lift, "what layers are lifted to: float16 or int16")
      ->check(CLI::IsMember({"float16", "int16"}));
  search_verb->add_option("--count", searching.count, "judge by so many samples, the first ones of the dataset")
      ->check(CLI::PositiveNumber);
  search_verb->add_option("-o,--output", searching.output, "write the .rknn file found");
  search_verb->add_option("--report", searching.report,
                          "write a report of the model found to this HTML file, with the trade-off curve");
  search_verb->add_flag("--json", searching.json, "as JSON");
  add_building(*search_verb, searching.building);

  RunArguments running;
  CLI::App* run_verb = app.add_subcommand("run", "run a model on the simulator (.rknn) or in float32 (other files)");
  run_verb->add_option("model", running.request.model, ".rknn, or a model file of a framework")->required();
  run_verb->add_option("-i,--input", running.request.inputs,
                       "FILE or NAME=FILE per input, npy or image; default: random numbers");
  run_verb->add_option("--seed", running.request.seed, "of random inputs");
  run_verb->add_option("--against", running.request.against,
                       "compare with this model file, or 'golden' of a file converted with --keep-golden");
  run_verb->add_option("--save", running.save_folder, "write outputs as npy into this folder");
  run_verb->add_option("--threads", running.request.threads, "0 = all");
  run_verb->add_flag("--json", running.json, "as JSON");
  add_source_with_shapes(*run_verb, running.request.source);

  ProfileArguments profiling;
  CLI::App* profile_verb = app.add_subcommand(
      "profile", "time every node on this machine, of a .rknn or, in float32, of another model file");
  profile_verb->add_option("model", profiling.model, ".rknn, or a model file of a framework")->required();
  profile_verb->add_option("--csv", profiling.csv, "write all nodes to this file, one a line");
  profile_verb->add_option("--trace", profiling.trace,
                           "write a timeline for chrome://tracing or Perfetto to this file");
  profile_verb->add_option("--top", profiling.top, "nodes to print, slowest first")->check(CLI::NonNegativeNumber);
  profile_verb->add_option("--rounds", profiling.rounds, "the smallest time of so many runs counts")
      ->check(CLI::Range(1, 1000));
  profile_verb->add_option("--threads", profiling.threads, "0 = all")->check(CLI::NonNegativeNumber);
  profile_verb->add_flag("-q,--quiet", profiling.quiet, "no progress");
  add_source_with_shapes(*profile_verb, profiling.source);

  CLI::App* serve_verb = app.add_subcommand("serve", "serve .rknn models to other programs over HTTP (docs/server.md)");
  const std::shared_ptr<ServeArguments> serving = add_serve_options(*serve_verb);

  CheckArguments checking;
  CLI::App* check_verb = app.add_subcommand(
      "check", "say which layers SoCs run on the NPU, on the CPU or not at all, and why; nothing is built");
  add_targets(*check_verb, checking.request);
  check_verb->add_flag("--json", checking.json, "as JSON");
  check_verb->footer(
      "Exit codes: 0 every layer runs somewhere, 1 some do not, or the model is refused, 2 wrong usage.");

  EstimateArguments estimating;
  CLI::App* estimate_verb = app.add_subcommand("estimate", "estimate time and memory of a model on SoCs");
  add_targets(*estimate_verb, estimating.request);
  estimate_verb->add_option("--cores", estimating.cores, "NPU cores that share a run")->check(CLI::Range(1, 3));
  estimate_verb->add_option("--layers", estimating.layers, "layers to print of a single SoC, slowest first")
      ->check(CLI::NonNegativeNumber);
  estimate_verb->add_option("--report", estimating.report,
                            "write an HTML file with a roofline for each SoC (docs/report.md)");
  estimate_verb->add_flag("--json", estimating.json, "as JSON, with every layer's counted work");

  ExportOnnxArguments exporting;
  CLI::App* export_verb = app.add_subcommand(
      "export-onnx",
      "write a built model (.rknn) as ONNX with QuantizeLinear and DequantizeLinear, or another model "
      "file as the float model that a build starts from");
  export_verb->add_option("model", exporting.model, ".rknn, or a model file of a framework")->required();
  export_verb->add_option("-o,--output", exporting.output, "default: beside the model, .qdq.onnx or .float.onnx");
  add_source_with_shapes(*export_verb, exporting.source);

  OnnxEdit editing;
  CLI::App* edit_verb = app.add_subcommand(
      "edit", "change the shapes of an ONNX model's inputs and outputs; what it computes stays (docs/onnx_edit.md)");
  edit_verb->add_option("model", editing.model, ".onnx file")->required();
  edit_verb->add_option("output", editing.output, "the .onnx file to write")->required();
  add_equations(*edit_verb, "--input", "the new dimensions of an input", editing.inputs);
  add_equations(*edit_verb, "--output", "the new dimensions of an output", editing.outputs);
  edit_verb->add_option("--dataset", editing.dataset,
                        "dataset file of the model; one for the edited model is written beside that");

  CodegenRequest generating;
  CLI::App* codegen_verb = app.add_subcommand(
      "codegen", "write a C++ project on the RKNN C API for a .rknn file: sources, build scripts, the model");
  codegen_verb->add_option("model", generating.model, ".rknn file")->required();
  codegen_verb->add_option("output", generating.folder, "the folder of the project")->required();
  codegen_verb
      ->add_option("-i,--input", generating.inputs,
                   "an image or npy file per model input, in order: kept in the project with the simulator's outputs")
      ->allow_extra_args(false);
  codegen_verb->add_flag_callback(
      "--rgb-to-bgr", [&generating] { generating.rgb_to_bgr = {true}; }, "feed images blue first");
  codegen_verb->add_flag("--overwrite", generating.overwrite, "replace a project that is there");

  EncryptArguments encrypting;
  CLI::App* encrypt_verb =
      app.add_subcommand("encrypt", "write an encrypted form of a .rknn file (docs/encryption.md)");
  encrypt_verb->add_option("model", encrypting.model, ".rknn file, written by OpenRKNN")->required();
  encrypt_verb->add_option("-o,--output", encrypting.output, "default: beside the model, {stem}.crypt.rknn");
  encrypt_verb->add_option("--level", encrypting.level,
                           "what stays readable: 1 graph, names and shapes, 2 target and framework, 3 nothing");
  encrypt_verb->add_option("--key-file", encrypting.key_file,
                           "a key of your own, 32 bytes or 64 hexadecimal digits; default: the key every OpenRKNN has, "
                           "which only deters");
  encrypt_verb->add_flag("--json", encrypting.json, "as JSON");

  InspectArguments inspecting;
  bool json = false, compatibility = false;
  CLI::App* inspect_verb = app.add_subcommand("inspect", "print what a .rknn or a model file holds");
  inspect_verb->add_option("file", inspecting.path, ".rknn file, ours or vendor-made, or a model file of a framework")
      ->required();
  add_source_with_shapes(*inspect_verb, inspecting.source);
  inspect_verb->add_flag("--json", inspecting.json, "as JSON");
  CLI::App* doctor_verb = app.add_subcommand("doctor", "look at this machine and installation");
  doctor_verb->add_flag("--json", json, "as JSON");
  DevicesArguments examining;
  doctor_verb->add_option("--device", examining.device,
                          "look at this device instead: host[:port], a serial of adb, or '' for the default one");
  CLI::App* devices_verb =
      app.add_subcommand("devices", "list devices: those of adb, and servers that OPENRKNN_DEVICES names");
  devices_verb->add_flag("--json", examining.json, "as JSON");
  doctor_verb->add_flag("--compatibility", compatibility, "print the table of options of docs/compatibility.md");

  CLI::App* operators_verb = app.add_subcommand("operators", "print what is supported: docs/operators.md");

  try {
    app.parse(argc, argv);
    if (*convert_verb) return convert(converting);
    if (*analyze_verb) return analyze(analyzing);
    if (*search_verb) return search(searching);
    if (*run_verb) return run(running);
    if (*profile_verb) return profile(profiling);
    if (*serve_verb) return serve(*serving);
    if (*check_verb) return check(checking);
    if (*estimate_verb) return estimate(estimating);
    if (*export_verb) return export_onnx(exporting);
    if (*edit_verb) return edit(editing);
    if (*codegen_verb) {
      generate_project(generating);
      fmt::print("{}\n", generating.folder.string());
      return 0;
    }
    if (*encrypt_verb) return encrypt(encrypting);
    if (*inspect_verb) return inspect(inspecting);
    if (*operators_verb) {
      fmt::print("{}", operator_markdown());
      return 0;
    }
    if (*devices_verb) return devices(examining);
    if (examining.device) {
      examining.json = json;
      return devices(examining);
    }
    if (!compatibility) return doctor(json);
    fmt::print("{}", compatibility_markdown());
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
