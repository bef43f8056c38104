// The running half of the RKNN class: init_runtime, inference and what is asked of a model that runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/text.h"
#include "core/rknn_file/rknn_file.h"
#include "core/targets/family.h"
#include "toolkit/toolkit_state.h"

namespace openrknn {
namespace {

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

/// core_mask, checked against the SoC.
uint32_t mask_of(const ArgumentValues& values, const Target& target) {
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
  return static_cast<uint32_t>(*mask);
}

/// A name, or "" for None.
std::string text_or_none(const ArgumentValue& value, std::string_view argument) {
  if (value.is_none()) return "";
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) {
    fail(Code::ConfigBadValue, fmt::format("{}: got {}, expected text or None", argument, to_string(value)));
  }
  return *text;
}

RuntimeOptions runtime_options(const ArgumentValues& values, const Target& target, std::vector<std::string>& warnings) {
  RuntimeOptions options{.perf_debug = bool_of(values.at("perf_debug"), "init_runtime: perf_debug"),
                         .eval_mem = bool_of(values.at("eval_mem"), "init_runtime: eval_mem"),
                         .core_mask = mask_of(values, target),
                         .cores = 1};
  const uint32_t mask = options.core_mask;
  options.cores = mask == 0 || mask == 0xffff ? 1 : std::popcount(mask);
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

/// Throws Error (ConfigUnknownPlatform, ConfigUnsupported) unless models built for `built` run on `wanted`.
void require_target(const std::string& wanted, const Target& built, std::string_view method) {
  const Target* target = find_target(wanted);
  if (target == nullptr || target->simulator_only_convert) {
    std::string known;
    for (const Target& row : all_targets()) {
      if (!row.simulator_only_convert) known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    }
    fail(Code::ConfigUnknownPlatform, fmt::format("{}: target '{}' is no device", method, wanted), "known: " + known);
  }
  // Of a family one compiler's code serves all: RK3566 and RK3568, RV1103 and RV1106.
  if (family_of(*target) == family_of(built) && target->cores == built.cores) return;
  fail(
      Code::ConfigUnsupported,
      fmt::format("{}: the model was built for {}, the device is {}", method, built.display_name, target->display_name),
      fmt::format("build it with target_platform='{}', or name the device it is for", target->name));
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
  state.make_file();
  state.runtime = options;
  state.simulator.reset();
  state.device.reset();
  if (!values.at("target").is_none()) {
    state.device = state.open_device(values, "init_runtime", options.core_mask);
    return;
  }
  if (const std::string id = text_or_none(values.at("device_id"), "init_runtime: device_id"); !id.empty()) {
    fail(Code::ConfigBadValue, fmt::format("init_runtime: device_id='{}' without a target", id),
         fmt::format("name the SoC too: target='{}'", target.name));
  }
  state.say(LogLevel::Info, "init_runtime", "Target is None, use simulator!");
  state.simulator =
      std::make_unique<Simulator>(state.file, state.model().inputs, state.model().variants.size(),
                                  state.custom_operators, &state.model().variants.front(), state.key_file);
}

std::unique_ptr<RemoteDevice> Toolkit::State::open_device(const ArgumentValues& values, std::string_view method,
                                                          uint32_t core_mask) {
  const std::string wanted = text_or_none(values.at("target"), fmt::format("{}: target", method));
  require_target(wanted, *find_target(model().target), method);
  const std::string device_id = text_or_none(values.at("device_id"), fmt::format("{}: device_id", method));
  make_file();
  say(LogLevel::Info, method, fmt::format("target set by user is: {}", lower_case(wanted)));
  return std::make_unique<RemoteDevice>(model().target, device_id, model(), file, core_mask);
}

void Toolkit::State::make_file() {
  if (!file.empty()) return;
  MemorySink written;
  Model whole = compiled->model;
  whole.remove_weight = whole.compress_weight = false;  // here they are at hand
  write(whole, written);
  file = std::move(written.data);
  key_file.clear();
}

std::vector<Tensor> Toolkit::inference(std::vector<Tensor> inputs, std::vector<std::string> data_format,
                                       std::vector<bool> pass_through) {
  State& state = *state_;
  if (!state.simulator && !state.device) {
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
  return state.device ? state.device->run(fed) : state.simulator->run(fed);
}

std::string Toolkit::eval_perf(bool /*fix_freq: clocks are the device's own affair*/) {
  State& state = *state_;
  state.require_runtime("eval_perf");
  if (state.device) return state.device->performance(state.runtime.perf_debug);
  return perf_text(estimate_model(state.model(), state.runtime.cores), state.runtime.perf_debug);
}

MemoryReport Toolkit::eval_memory() {
  State& state = *state_;
  state.require_runtime("eval_memory");
  state.require(state.runtime.eval_mem, "eval_memory", "the runtime was initialized without eval_mem",
                "call init_runtime(eval_mem=True)");
  const auto bytes = static_cast<int64_t>(state.file.size());
  if (state.device) return state.device->memory(bytes);
  return memory_report(estimate_model(state.model(), state.runtime.cores), bytes);
}

std::string Toolkit::get_sdk_version() {
  State& state = *state_;
  state.require_runtime("get_sdk_version");
  return state.device ? state.device->versions() : versions_here();
}

}  // namespace openrknn
