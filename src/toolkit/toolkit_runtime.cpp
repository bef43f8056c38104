// The running half of the RKNN class: init_runtime, inference and what is asked of a model that runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/rknn_file/rknn_file.h"
#include "toolkit/toolkit_state.h"

namespace openrknn {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// As Python prints a shape: (1, 3, 16, 16).
std::string tuple_text(const Shape& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

void refuse_nan(const Tensor& given, const std::string& input) {
  if (!is_floating(given.dtype())) return;
  const Tensor tensor = cast(given, DType::Float32);
  const std::span<const float> values = tensor.values<float>();
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return std::isnan(v); });
  if (bad == values.end()) return;
  fail(Code::RuntimeNotFinite, Location{.tensor = input},
       fmt::format("the input holds NaN, first at element {} of shape {}", bad - values.begin(),
                   tuple_text(tensor.shape())),
       "clean the array before inference");
}

// The shape an array of this layout must have, in the toolkit's words.
[[noreturn]] void wrong_shape(const Tensor& array, const std::string& format, const Shape& expected,
                              const std::string& input) {
  const bool other_order =
      array.rank() == 4 && expected.size() == 4 &&
      (format == "nhwc" ? Shape{expected[0], expected[3], expected[1], expected[2]}
                        : Shape{expected[0], expected[2], expected[3], expected[1]}) == array.shape();
  const std::string_view other = format == "nhwc" ? "nchw" : "nhwc";
  fail(Code::RuntimeBadInput, Location{.tensor = input},
       fmt::format("The input(ndarray) shape {} is wrong, expect '{}' like {}!", tuple_text(array.shape()), format,
                   tuple_text(expected)),
       other_order ? fmt::format("this is an {} array: pass data_format='{}'", other, other)
                   : "resize or reshape the array before inference");
}

/// Checks core_mask against the SoC and gives the number of cores it names.
int cores_of(const ArgumentValues& values, const Target& target) {
  const int64_t* mask = std::get_if<int64_t>(&values.at("core_mask").data);
  if (mask == nullptr || *mask < 0) {
    fail(Code::ConfigBadValue, fmt::format("init_runtime: core_mask: got {}, expected one of RKNN.NPU_CORE_*",
                                           to_string(values.at("core_mask"))));
  }
  const bool all_cores = *mask == 0 || *mask == 0xffff;
  if (!all_cores && !target.core_mask && *mask != 1) {
    fail(Code::ConfigUnsupported, fmt::format("init_runtime: core_mask={} is for RK3588 and RK3576, {} has one core",
                                              *mask, target.display_name));
  }
  if (!all_cores && *mask >> target.cores != 0) {
    fail(Code::ConfigBadValue, fmt::format("init_runtime: core_mask={} names a core that {} does not have, it has {}",
                                           *mask, target.display_name, target.cores));
  }
  return all_cores ? 1 : std::popcount(static_cast<uint64_t>(*mask));
}

RuntimeOptions runtime_options(const ArgumentValues& values, const Target& target, std::vector<std::string>& warnings) {
  RuntimeOptions options{.perf_debug = bool_of(values.at("perf_debug"), "init_runtime: perf_debug"),
                         .eval_mem = bool_of(values.at("eval_mem"), "init_runtime: eval_mem"),
                         .cores = cores_of(values, target)};
  if (options.perf_debug && target.name.starts_with("rv1") && target.name != "rv1126b") {
    fail(Code::ConfigUnsupported,
         fmt::format("init_runtime: perf_debug=True: the runtime of {} times no layers", target.display_name),
         "leave perf_debug out: eval_perf then gives the total time");
  }
  if (bool_of(values.at("async_mode"), "init_runtime: async_mode")) {
    warnings.emplace_back("async_mode=True is not supported by the toolkit, inference stays synchronous!");
  }
  const ArgumentValue& fallback = values.at("fallback_prior_device");
  const auto* device = std::get_if<std::string>(&fallback.data);
  const std::string name = device == nullptr ? "" : lower_case(*device);
  if (name != "cpu" && name != "gpu") {
    fail(Code::ConfigBadValue,
         fmt::format("init_runtime: fallback_prior_device: got {}, expected 'cpu' or 'gpu'", to_string(fallback)));
  }
  if (name == "gpu") warnings.emplace_back("fallback_prior_device='gpu': there are no GPU kernels, the CPU is used!");
  return options;
}

}  // namespace

void Toolkit::init_runtime(const ArgumentValues& given) {
  State& state = *state_;
  state.require(state.stage >= Stage::Built, "init_runtime", "there is no model to run",
                "call build, or load_rknn, first");
  std::vector<std::string> warnings;
  const ArgumentValues values = check_options("init_runtime", given, warnings);
  const Target& target = *find_target(state.model().target);
  const RuntimeOptions options = runtime_options(values, target, warnings);
  state.warn("init_runtime", warnings);
  state.say(LogLevel::Info, "init_runtime", "Target is None, use simulator!");
  if (state.file.empty()) {
    MemorySink sink;
    Model whole = state.compiled->model;
    whole.remove_weight = false;  // here they are at hand
    write(whole, sink);
    state.file = std::move(sink.data);
  }
  state.runtime = options;
  state.simulator = std::make_unique<Simulator>(state.file, state.model().inputs, state.model().variants.size(),
                                                state.custom_operators, &state.model().variants.front());
}

std::vector<Tensor> Toolkit::inference(std::vector<Tensor> inputs, std::vector<std::string> data_format,
                                       std::vector<bool> pass_through) {
  State& state = *state_;
  if (state.simulator == nullptr) {
    fail(Code::RuntimeNotInitialized, "inference: The runtime has not been initialized",
         "please call init_runtime first");
  }
  const Model& model = state.model();
  const Graph& graph = model.variants.front();
  if (inputs.size() != graph.inputs.size()) {
    fail(Code::RuntimeBadInput,
         fmt::format("inference: got {} inputs, the model has {}", inputs.size(), graph.inputs.size()),
         "pass one array per model input, in a list");
  }
  if (!pass_through.empty() && pass_through.size() != inputs.size()) {
    fail(Code::RuntimeBadInput,
         fmt::format("inference: inputs_pass_through has {} entries, expected {}", pass_through.size(), inputs.size()));
  }
  if (data_format.size() > 1 && data_format.size() != inputs.size()) {
    fail(Code::RuntimeBadInput,
         fmt::format("inference: data_format has {} entries, expected {}", data_format.size(), inputs.size()));
  }
  // Of several sets of shapes, the arrays choose one; the simulator says what is wrong if they fit none.
  const bool is_dynamic = model.variants.size() > 1;
  std::vector<SimulatorInput> fed;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    const Port& port = model.inputs[i];
    const bool image = value.shape.size() == 4;
    std::string format = data_format.empty() ? "" : lower_case(data_format[data_format.size() == 1 ? 0 : i]);
    if (!format.empty() && format != "nhwc" && format != "nchw") {
      fail(Code::RuntimeBadInput, fmt::format("inference: data_format '{}' is not known", format),
           "use 'nhwc' or 'nchw'");
    }
    if (format.empty()) {
      if (image)
        state.say(LogLevel::Warning, "inference", "The 'data_format' is not set, and its default value is 'nhwc'!");
      format = "nhwc";
    }
    const PortLayout layout = !image ? PortLayout::Source : format == "nhwc" ? PortLayout::Nhwc : PortLayout::Nchw;
    const Shape expected = expected_shape(port, with_batch(value.shape, model.batch), layout);
    Tensor array = std::move(inputs[i]);
    if (image && array.rank() == 3) {
      Shape expanded = array.shape();
      expanded.insert(expanded.begin(), 1);
      state.say(LogLevel::Warning, "inference",
                fmt::format("The dims of input(ndarray) shape {} is wrong, expect dims is 4! Try expand dims to {}!",
                            tuple_text(array.shape()), tuple_text(expanded)));
      array = array.reshaped(expanded);
    }
    if (!is_dynamic && array.shape() != expected) wrong_shape(array, image ? format : "undefined", expected, port.name);
    if (array.dtype() == DType::Float64) array = cast(array, DType::Float32);
    refuse_nan(array, port.name);
    fed.push_back({std::move(array), layout, !pass_through.empty() && pass_through[i]});
  }
  return state.simulator->run(fed);
}

std::string Toolkit::eval_perf(bool /*fix_freq: a simulator has no clocks to fix*/) {
  State& state = *state_;
  state.require(state.simulator != nullptr, "eval_perf", "the runtime has not been initialized",
                "please call init_runtime first");
  return perf_text(estimate_model(state.model(), state.runtime.cores), state.runtime.perf_debug);
}

MemoryReport Toolkit::eval_memory() {
  State& state = *state_;
  state.require(state.simulator != nullptr, "eval_memory", "the runtime has not been initialized",
                "please call init_runtime first");
  state.require(state.runtime.eval_mem, "eval_memory", "the runtime was initialized without eval_mem",
                "call init_runtime(eval_mem=True)");
  return memory_report(estimate_model(state.model(), state.runtime.cores), static_cast<int64_t>(state.file.size()));
}

}  // namespace openrknn
