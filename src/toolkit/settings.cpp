#include "toolkit/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/passes/rule_names.h"
#include "compiler/quantize/hybrid_level.h"
#include "core/base/text.h"
#include "toolkit/precision_option.h"

namespace openrknn {
namespace {

using List = std::vector<ArgumentValue>;

struct SchemeName {
  std::string_view text;
  Scheme scheme;
};
// The validator's list, with the 1.x alias that every shipped model_config.yml still uses.
constexpr std::array<SchemeName, 6> kSchemes = {{
    {"w8a8", Scheme::W8A8},
    {"w8a16", Scheme::W8A16},
    {"w16a16i", Scheme::W16A16I},
    {"w16a16i_dfp", Scheme::W16A16I_DFP},
    {"w4a16", Scheme::W4A16},
    {"asymmetric_quantized-8", Scheme::W8A8},
}};
struct AlgorithmName {
  std::string_view text;
  RangeAlgorithm algorithm;
};
// The last two are native. gdq, which the validator's list has too, is no range: set_algorithm.
constexpr std::array<AlgorithmName, 5> kAlgorithms = {{
    {"normal", RangeAlgorithm::Normal},
    {"mmse", RangeAlgorithm::Mmse},
    {"kl_divergence", RangeAlgorithm::KlDivergence},
    {"percentile", RangeAlgorithm::Percentile},
    {"auto", RangeAlgorithm::Auto},
}};

}  // namespace

std::optional<Scheme> scheme_named(std::string_view text) {
  const auto row = std::ranges::find(kSchemes, text, &SchemeName::text);
  return row == kSchemes.end() ? std::nullopt : std::optional(row->scheme);
}

namespace {

void set_scheme(CompileOptions& compile, const std::string& text, Diagnostics& problems) {
  if (const std::optional<Scheme> scheme = scheme_named(text)) {
    compile.scheme = *scheme;
    return;
  }
  problems.add(
      Code::ConfigBadValue, {},
      fmt::format("Invalid quantized_dtype '{}', expect in ['w8a8', 'w8a16', 'w16a16i', 'w16a16i_dfp', 'w4a16']!",
                  text));
}

void set_method(CompileOptions& compile, const std::string& text, Diagnostics& problems) {
  if (text == "channel" || text == "layer") {
    compile.method = text == "channel" ? QuantizedMethod::Channel : QuantizedMethod::Layer;
  } else if (text.starts_with("group")) {
    constexpr int64_t kStep = 32, kMost = 256;
    int64_t size = 0;
    const char *first = text.data() + std::string_view("group").size(), *last = text.data() + text.size();
    const auto [end, error] = std::from_chars(first, last, size);
    if (error != std::errc() || end != last || size < kStep || size > kMost || size % kStep != 0) {
      problems.add(
          Code::ConfigBadValue, {},
          fmt::format("Invalid quantized_method '{}', expect group{{SIZE}} with SIZE a multiple of 32 in 32..256!",
                      text));
    } else if (compile.scheme != Scheme::W4A16) {
      problems.add(Code::ConfigUnsupported, {},
                   fmt::format("config: quantized_method='{}' goes with quantized_dtype='w4a16', got '{}'", text,
                               name(compile.scheme)),
                   "use 'channel' or 'layer'");
    } else {
      compile.method = QuantizedMethod::Channel;
      compile.group = size;
    }
  } else {
    problems.add(Code::ConfigBadValue, {},
                 fmt::format("Invalid quantized_method '{}', expect in ['layer', 'channel', 'group{{SIZE}}']!", text));
  }
}

void set_algorithm(CompileOptions& compile, const std::string& text, Diagnostics& problems) {
  const bool weights_only = is_weight_only(compile.scheme);
  if (text == "gdq") {
    if (!weights_only) {
      problems.add(
          Code::ConfigUnsupported, {},
          fmt::format("config: quantized_algorithm='gdq' goes with quantized_dtype='w4a16' or 'w8a16', got '{}'",
                      name(compile.scheme)),
          "use 'normal', 'kl_divergence' or 'mmse'");
    }
    compile.rounding = Rounding::ErrorFeedback;
    return;
  }
  const auto row = std::ranges::find(kAlgorithms, text, &AlgorithmName::text);
  if (row == kAlgorithms.end()) {
    problems.add(Code::ConfigBadValue, {},
                 fmt::format("Invalid quantized_algorithm '{}', expect in ['normal', 'mmse', 'kl_divergence', 'gdq', "
                             "'percentile', 'auto']!",
                             text));
    return;
  }
  if (weights_only && row->algorithm != RangeAlgorithm::Normal && !uses_weight_search(row->algorithm)) {
    problems.add(Code::ConfigUnsupported, {},
                 fmt::format("config: quantized_algorithm='{}' chooses ranges of activations, and {} keeps them in "
                             "float16",
                             text, name(compile.scheme)),
                 "use 'normal', or 'mmse' for the weights");
    return;
  }
  compile.algorithm = row->algorithm;
}

void set_rounding(CompileOptions& compile, const std::string& text, Diagnostics& problems) {
  if (text == "nearest") return;
  if (text != "adaptive") {
    problems.add(Code::ConfigBadValue, {},
                 fmt::format("Invalid rounding '{}', expect in ['nearest', 'adaptive']!", text));
  } else if (compile.rounding == Rounding::ErrorFeedback) {
    problems.add(Code::ConfigBadValue, {},
                 "config: rounding='adaptive' and quantized_algorithm='gdq' both choose codes", "use one of them");
  } else if (compile.scheme == Scheme::W16A16I || compile.scheme == Scheme::W16A16I_DFP) {
    problems.add(
        Code::ConfigUnsupported, {},
        fmt::format("config: rounding='adaptive' goes with weights of 8 and 4 bits, got '{}'", name(compile.scheme)),
        "use rounding='nearest': 65536 codes leave nothing to gain");
  } else {
    compile.rounding = Rounding::Adaptive;
  }
}

void set_platform(Settings& settings, const ArgumentValue& value, Diagnostics& problems,
                  std::vector<std::string>& warnings) {
  if (value.is_none()) {
    settings.compile.target = "rk3566";
    warnings.emplace_back(
        "'target_platform' is None, use rk3566 as default, Please set according to the actual platform!");
    return;
  }
  const std::string text = text_of(value, "config: target_platform");
  if (const Target* target = find_target(text)) {
    settings.compile.target = std::string(target->name);
    settings.platform_given = true;
    return;
  }
  std::string known;
  for (const Target& row : all_targets()) known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  const std::string key = lower_case(text);
  const bool first_generation = key == "rk1808" || key == "rv1109" || key == "rv1126" || key == "rk3399pro";
  problems.add(Code::ConfigUnknownPlatform, {}, fmt::format("Invalid target_platform '{}'!", text),
               first_generation
                   ? fmt::format("{} belongs to the first NPU generation (RKNN-Toolkit 1); known here: {}", text, known)
                   : "known: " + known);
}

void set_op_target(CompileOptions& compile, const ArgumentValue& value, Diagnostics& problems) {
  if (value.is_none()) return;
  const auto* entries = std::get_if<std::map<std::string, ArgumentValue>>(&value.data);
  if (entries == nullptr) bad_value("config: op_target", value, "a dict like {'conv1': 'cpu'}");
  constexpr std::array<std::pair<std::string_view, Placement>, 4> kPlaces = {
      {{"auto", Placement::Auto}, {"npu", Placement::Npu}, {"cpu", Placement::Cpu}, {"gpu", Placement::Gpu}}};
  for (const auto& [key, place] : *entries) {
    const auto* text = std::get_if<std::string>(&place.data);
    const auto* row =
        std::ranges::find_if(kPlaces, [&](const auto& row_) { return text && row_.first == lower_case(*text); });
    if (row == kPlaces.end()) {
      problems.add(Code::ConfigBadValue, {},
                   fmt::format("config: op_target: '{}': got {}, expected 'cpu', 'npu', 'gpu' or 'auto'", key,
                               to_string(place)));
      continue;
    }
    compile.op_targets.push_back({key, row->second});
  }
}

/// The option is for RK3588 and RK3576, whose models can be divided among cores.
void set_single_core(CompileOptions& compile, const ArgumentValue& value, Diagnostics& problems) {
  compile.single_core = bool_of(value, "config: single_core_mode");
  const Target* target = find_target(compile.target);
  if (compile.single_core && target != nullptr && target->cores == 1) {
    problems.add(
        Code::ConfigUnsupported, {},
        fmt::format("config: single_core_mode is for RK3588 and RK3576, {} has one core", target->display_name),
        "leave it out");
  }
}

/// One format, of the first input, or one an input.
FrameFormats frame_formats_of(const ArgumentValue& value) {
  constexpr std::string_view kArgument = "config: inputs_yuv_fmt";
  const std::string expected = fmt::format("None, or {}; a list has one an input", pixel_format_names());
  FrameFormats formats;
  const auto add = [&](const ArgumentValue& item) {
    if (item.is_none()) return formats.push_back(nullptr);
    const auto* text = std::get_if<std::string>(&item.data);
    const PixelFormat* format = text == nullptr ? nullptr : find_pixel_format(lower_case(*text));
    if (format == nullptr) bad_value(kArgument, item, expected);
    formats.push_back(format);
  };
  if (const List* list = std::get_if<List>(&value.data)) {
    for (const ArgumentValue& item : *list) add(item);
  } else if (!value.is_none()) {
    add(value);
  }
  return formats;
}

/// Structured sparsity is for the NPUs that can skip zeros.
void set_sparse(CompileOptions& compile, const ArgumentValue& value, Diagnostics& problems) {
  compile.sparse_infer = bool_of(value, "config: sparse_infer");
  if (!compile.sparse_infer || compile.target == "rk3576" || compile.target == "rv1126b") return;
  problems.add(Code::ConfigUnsupported, {}, fmt::format("config: sparse_infer is not supported by {}", compile.target),
               "platforms that do: rk3576, rv1126b");
}

/// The platforms whose NPU keeps the scores in its own memory.
void set_flash_attention(CompileOptions& compile, const ArgumentValue& value, Diagnostics& problems) {
  compile.flash_attention = bool_of(value, "config: enable_flash_attention");
  if (!compile.flash_attention || compile.target == "rk3562" || compile.target == "rk3576") return;
  problems.add(Code::ConfigUnsupported, {},
               fmt::format("config: enable_flash_attention is not supported by {}", compile.target),
               "platforms that do: rk3562, rk3576; leave it out elsewhere");
}

// Sets of shapes, one shape an input: [[[1, 3, 224, 224]], [[1, 3, 160, 160]]].
void set_dynamic_input(Settings& settings, const ArgumentValue& value, Diagnostics& problems,
                       std::vector<std::string>& warnings) {
  if (value.is_none()) return;
  const List* sets = std::get_if<List>(&value.data);
  if (sets == nullptr || sets->empty()) {
    bad_value("config: dynamic_input", value, "a list of shape sets like [[[1, 3, 224, 224]], [[1, 3, 160, 160]]]");
  }
  for (size_t i = 0; i < sets->size(); ++i) {
    const std::string argument = fmt::format("config: dynamic_input[{}]", i);
    const List* shapes = std::get_if<List>(&(*sets)[i].data);
    const bool nested = shapes != nullptr && !shapes->empty() &&
                        std::none_of(shapes->begin(), shapes->end(), [](const ArgumentValue& item) {
                          return std::holds_alternative<int64_t>(item.data);
                        });
    if (!nested) bad_value(argument, (*sets)[i], "a list of shapes, one an input");
    settings.dynamic_input.push_back(shapes_of((*sets)[i], argument));
  }
  // The documented list; the small platforms' runtimes have no rknn_set_input_shapes.
  constexpr std::string_view kPlatforms[] = {"rk3562", "rk3566", "rk3568", "rk3576", "rk3588"};
  const std::string& target = settings.compile.target;
  if (std::find(std::begin(kPlatforms), std::end(kPlatforms), target) == std::end(kPlatforms)) {
    problems.add(Code::ConfigUnsupported, {}, fmt::format("config: dynamic_input is not supported by {}", target),
                 "platforms that do: rk3562, rk3566, rk3568, rk3576, rk3588");
  }
  const auto elements = [](const ShapeSet& set) {
    int64_t total = 0;
    for (const Shape& shape : set) total += element_count(shape);
    return total;
  };
  const auto& all = settings.dynamic_input;
  const auto largest = std::max_element(
      all.begin(), all.end(), [&](const ShapeSet& a, const ShapeSet& b) { return elements(a) < elements(b); });
  const auto index = static_cast<size_t>(largest - all.begin());
  warnings.push_back(
      fmt::format("The 'dynamic_input' function has been enabled, the MaxShape is dynamic_input[{}] = {}!\n"
                  "          The dataset of build has to fit the MaxShape: arrays exactly, images are resized to it.\n"
                  "          eval_perf and eval_memory report the MaxShape.",
                  index, to_string((*sets)[index])));
}

}  // namespace

Settings make_settings(const ArgumentValues& given, std::vector<std::string>& warnings) {
  Settings settings;
  CompileOptions& compile = settings.compile;
  Diagnostics problems;
  ArgumentValues values;
  // One bad argument must not hide the others: each is tried on its own.
  const auto collect = [&](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) problems.add(diagnostic);
    }
  };
  values = check_options("config", given, warnings, problems);
  collect([&] { set_platform(settings, values["target_platform"], problems, warnings); });
  collect([&] { set_scheme(compile, text_of(values["quantized_dtype"], "config: quantized_dtype"), problems); });
  collect([&] { set_method(compile, text_of(values["quantized_method"], "config: quantized_method"), problems); });
  collect(
      [&] { set_algorithm(compile, text_of(values["quantized_algorithm"], "config: quantized_algorithm"), problems); });
  collect([&] { compile.mean = channel_lists(values["mean_values"], "config: mean_values"); });
  collect([&] { compile.std = channel_lists(values["std_values"], "config: std_values"); });
  collect([&] { compile.frames = frame_formats_of(values["inputs_yuv_fmt"]); });
  collect([&] { compile.rgb_to_bgr = flags_of(values["quant_img_RGB2BGR"], "config: quant_img_RGB2BGR"); });
  collect([&] {
    const std::string dtype = text_of(values["float_dtype"], "config: float_dtype");
    if (dtype != "float16") bad_value("config: float_dtype", dtype, "'float16'");
  });
  collect([&] {
    const int64_t* level = std::get_if<int64_t>(&values["optimization_level"].data);
    if (level == nullptr || *level < 0 || *level > 3)
      bad_value("config: optimization_level", values["optimization_level"], "0, 1, 2 or 3");
    compile.optimization_level = static_cast<int>(*level);
  });
  collect([&] {
    if (values["custom_string"].is_none()) return;
    compile.custom_string = text_of(values["custom_string"], "config: custom_string");
    // rknn_custom_string holds 1024 bytes with its terminator.
    if (compile.custom_string.size() > 1023) {
      fail(Code::ConfigBadValue,
           fmt::format("config: custom_string has {} bytes, at most 1023 fit", compile.custom_string.size()));
    }
  });
  collect([&] { compile.skip_unreadable = bool_of(values["skip_unreadable"], "config: skip_unreadable"); });
  collect([&] { compile.remove_weight = bool_of(values["remove_weight"], "config: remove_weight"); });
  for (const std::span<const Correction> list : {corrections_of_layers(), corrections_of_fused_graph()}) {
    for (const Correction& correction : list) {
      const std::string name(correction.option);
      collect([&] { compile.corrections.*correction.wanted = bool_of(values[name], "config: " + name); });
    }
  }
  collect([&] {
    const int64_t* level = std::get_if<int64_t>(&values["quantized_hybrid_level"].data);
    if (level == nullptr || *level < 0 || *level > kHighestHybridLevel) {
      bad_value("config: quantized_hybrid_level", values["quantized_hybrid_level"], "0, 1, 2 or 3");
    }
    compile.hybrid_level = static_cast<int>(*level);
  });
  collect([&] { compile.precision = precision_rules_of(values["precision"], "config: precision"); });
  collect([&] {
    const std::optional<double> cosine = number(values["auto_hybrid_cos_thresh"]);
    if (!cosine || !(*cosine >= -1 && *cosine <= 1)) {
      bad_value("config: auto_hybrid_cos_thresh", values["auto_hybrid_cos_thresh"], "a number from -1 to 1");
    }
    compile.auto_hybrid_cosine = *cosine;
  });
  collect([&] {
    const ArgumentValue& given_distance = values["auto_hybrid_euc_thresh"];
    compile.auto_hybrid_euclidean = number(given_distance);
    const bool fits = compile.auto_hybrid_euclidean && *compile.auto_hybrid_euclidean >= 0;
    if (!given_distance.is_none() && !fits) {
      bad_value("config: auto_hybrid_euc_thresh", given_distance, "None or a number, 0 or more");
    }
  });
  collect([&] { compile.quantize_weight = bool_of(values["quantize_weight"], "config: quantize_weight"); });
  collect([&] { compile.bias_correction = bool_of(values["bias_correction"], "config: bias_correction"); });
  collect([&] { set_rounding(compile, text_of(values["rounding"], "config: rounding"), problems); });
  collect([&] { set_op_target(compile, values["op_target"], problems); });
  collect([&] { set_single_core(compile, values["single_core_mode"], problems); });
  collect([&] { set_sparse(compile, values["sparse_infer"], problems); });
  collect([&] { set_flash_attention(compile, values["enable_flash_attention"], problems); });
  collect([&] { compile.remove_reshape = bool_of(values["remove_reshape"], "config: remove_reshape"); });
  collect([&] { compile.compress_weight = bool_of(values["compress_weight"], "config: compress_weight"); });
  collect([&] { compile.model_pruning = bool_of(values["model_pruning"], "config: model_pruning"); });
  collect([&] {
    compile.left_out_passes = passes_to_leave_out(names_of(values["disable_rules"], "config: disable_rules"), warnings);
  });
  collect([&] { set_dynamic_input(settings, values["dynamic_input"], problems, warnings); });
  problems.throw_if_any();
  return settings;
}

ImportOptions make_import_options(std::string_view method, const ArgumentValues& given,
                                  std::vector<std::optional<Tensor>> initial_values,
                                  std::vector<std::string>& warnings) {
  ArgumentValues values = check_options(method, given, warnings);
  const auto named = [&](std::string_view argument) { return fmt::format("{}: {}", method, argument); };
  ImportOptions options;
  options.inputs = names_of(values["inputs"], named("inputs"));
  options.outputs = names_of(values["outputs"], named("outputs"));
  options.input_shapes = shapes_of(values["input_size_list"], named("input_size_list"));
  options.initial_values = std::move(initial_values);
  if (!options.inputs.empty() && options.input_shapes.empty()) {
    fail(Code::ConfigBadValue, named("'inputs' is given, so 'input_size_list' must be given too"),
         "pass one shape per input, for example input_size_list=[[1, 3, 224, 224]]");
  }
  if (!options.inputs.empty() && options.inputs.size() != options.input_shapes.size()) {
    fail(Code::ConfigBadValue, fmt::format("{}: {} inputs but {} shapes in input_size_list", method,
                                           options.inputs.size(), options.input_shapes.size()));
  }
  return options;
}

}  // namespace openrknn
