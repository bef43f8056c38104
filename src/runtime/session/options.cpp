// Provider options: one row an option, its check and its documented text.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "core/base/text.h"
#include "openrknn/session_options.hpp"

namespace openrknn {
namespace {

using Kind = OptionValue::Kind;

std::string trimmed(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

std::optional<int64_t> decimal(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

/// A whole number, also as text; True is 1.
std::optional<int64_t> int_like(const OptionValue& value) {
  if (value.kind == Kind::Int || value.kind == Kind::Bool) return value.number;
  if (value.kind == Kind::String) return decimal(trimmed(value.text));
  return std::nullopt;
}

[[noreturn]] void reject(const std::string& text) { throw OptionError(text); }

int64_t positive(const std::string& key, const OptionValue& value) {
  const std::optional<int64_t> number = int_like(value);
  if (!number) reject(key + " must be an integer");
  if (*number <= 0) reject(key + " must be > 0");
  if (*number > INT32_MAX) reject(fmt::format("{} must be <= {}", key, INT32_MAX));
  return *number;
}

bool boolean(const std::string& key, const OptionValue& value) {
  if (value.kind == Kind::Bool || value.kind == Kind::Int) return value.number != 0;
  if (value.kind == Kind::String) {
    const std::string word = lower_case(trimmed(value.text));
    for (const char* yes : {"1", "true", "on", "yes"}) {
      if (word == yes) return true;
    }
    for (const char* no : {"0", "false", "off", "no"}) {
      if (word == no) return false;
    }
  }
  reject(key + " must be a boolean");
}

template <class T>
struct Word {
  std::string_view word;
  T meaning;
};

template <class T, size_t N>
const T* find_word(const std::array<Word<T>, N>& words, std::string_view word) {
  const auto row = std::find_if(words.begin(), words.end(), [&](const Word<T>& w) { return w.word == word; });
  return row == words.end() ? nullptr : &row->meaning;
}

void set_layout(SessionOptions& options, const std::string&, const OptionValue& value) {
  static constexpr std::array<Word<InputLayout>, 6> kWords = {{{"nchw", InputLayout::Nchw},
                                                               {"original", InputLayout::Nchw},
                                                               {"nchw_software", InputLayout::NchwSoftware},
                                                               {"original_software", InputLayout::NchwSoftware},
                                                               {"nhwc", InputLayout::Nhwc},
                                                               {"any", InputLayout::Any}}};
  if (value.kind != Kind::String) reject("layout must be a string");
  const InputLayout* layout = find_word(kWords, lower_case(value.text));
  if (layout == nullptr) reject("Unknown layout: " + value.text);
  options.layout = *layout;
}

void set_zero_copy_layout(SessionOptions& options, const std::string&, const OptionValue& value) {
  static constexpr std::array<Word<ZeroCopyLayout>, 2> kWords = {
      {{"nhwc", ZeroCopyLayout::Nhwc}, {"native", ZeroCopyLayout::Native}}};
  if (value.kind != Kind::String) reject("zero_copy_layout must be a string");
  const ZeroCopyLayout* layout = find_word(kWords, lower_case(value.text));
  if (layout == nullptr) reject(fmt::format("Unknown zero_copy_layout: {}, expected 'nhwc' or 'native'", value.text));
  options.zero_copy_layout = *layout;
}

void add_core(std::vector<int64_t>& schedule, int64_t core) {
  constexpr int64_t kLastCore = 2;  // the C API has masks for cores 0, 1 and 2
  if (core < 0) reject("schedule values must be >= 0");
  if (core > kLastCore) reject(fmt::format("schedule values must be <= {}, got {}", kLastCore, core));
  schedule.push_back(core);
}

void set_schedule(SessionOptions& options, const std::string&, const OptionValue& value) {
  std::vector<int64_t> schedule;
  switch (value.kind) {
    case Kind::Bool:
    case Kind::Int:
      add_core(schedule, value.number);
      break;
    case Kind::String: {
      std::string text = value.text;
      std::replace_if(
          text.begin(), text.end(), [](char c) { return c == '[' || c == ']' || c == ','; }, ' ');
      for (std::string rest = trimmed(text); !rest.empty();) {
        const size_t end = std::min(rest.find_first_of(" \t\n\r\f\v"), rest.size());
        const std::optional<int64_t> core = decimal(std::string_view(rest).substr(0, end));
        if (!core) reject("schedule must contain integers");
        add_core(schedule, *core);
        rest = trimmed(std::string_view(rest).substr(end));
      }
      break;
    }
    case Kind::List:
      for (const OptionValue& item : value.list) {
        const std::optional<int64_t> core = int_like(item);
        if (!core) reject("schedule must be an integer");
        add_core(schedule, *core);
      }
      break;
    default:
      reject("schedule must be an integer, string, or sequence");
  }
  if (schedule.empty()) reject("schedule must not be empty");
  options.schedule = std::move(schedule);
}

void set_tp_mode(SessionOptions& options, const std::string&, const OptionValue& value) {
  static constexpr std::array<Word<uint32_t>, 7> kWords = {
      {{"auto", 0}, {"all", 0xffff}, {"0", 1}, {"1", 2}, {"2", 4}, {"0,1", 3}, {"0,1,2", 7}}};
  if (value.kind != Kind::String) reject("tp_mode must be a string");
  const std::string word = lower_case(trimmed(value.text));
  const uint32_t* mask = find_word(kWords, word);
  if (mask == nullptr) {
    reject(fmt::format("invalid tp_mode: '{}', expected one of: auto, all, 0, 1, 2, 0,1, 0,1,2", word));
  }
  options.core_mask = *mask;
}

void add_custom_op_paths(SessionOptions& options, const std::string& key, const OptionValue& value) {
  const auto is_path = [](const OptionValue& v) { return v.kind == Kind::String || v.kind == Kind::Path; };
  if (is_path(value)) {
    options.custom_op_paths.push_back(value.text);
    return;
  }
  if (value.kind != Kind::List) reject(key + " must be a path-like object or sequence of path-like objects");
  for (const OptionValue& item : value.list) {
    if (!is_path(item)) reject(key + " must be a path-like object or string");
    options.custom_op_paths.push_back(item.text);
  }
}

template <class T, size_t N>
T word_of(const std::string& key, const OptionValue& value, const std::array<Word<T>, N>& words) {
  std::string expected;
  for (const Word<T>& word : words) expected += (expected.empty() ? "" : ", ") + std::string(word.word);
  if (value.kind != Kind::String) reject(fmt::format("{} must be a string, one of: {}", key, expected));
  const T* meaning = find_word(words, lower_case(trimmed(value.text)));
  if (meaning == nullptr) reject(fmt::format("invalid {}: '{}', expected one of: {}", key, value.text, expected));
  return *meaning;
}

void set_dispatch(SessionOptions& options, const std::string& key, const OptionValue& value) {
  static constexpr std::array<Word<Dispatch>, 2> kWords = {
      {{"static", Dispatch::Static}, {"dynamic", Dispatch::Dynamic}}};
  options.dispatch = word_of(key, value, kWords);
}

void set_overflow(SessionOptions& options, const std::string& key, const OptionValue& value) {
  static constexpr std::array<Word<Overflow>, 4> kWords = {{{"block", Overflow::Block},
                                                            {"raise", Overflow::Raise},
                                                            {"drop_oldest", Overflow::DropOldest},
                                                            {"drop_newest", Overflow::DropNewest}}};
  options.overflow = word_of(key, value, kWords);
}

void set_priority(SessionOptions& options, const std::string& key, const OptionValue& value) {
  static constexpr std::array<Word<Priority>, 3> kWords = {
      {{"high", Priority::High}, {"medium", Priority::Medium}, {"low", Priority::Low}}};
  options.priority = word_of(key, value, kWords);
}

constexpr std::array<Word<OutputType>, 2> kOutputTypes = {
    {{"float32", OutputType::Float32}, {"native", OutputType::Native}}};

/// One word for all outputs, or a map from output names to words.
void set_output_type(SessionOptions& options, const std::string& key, const OptionValue& value) {
  if (value.kind != Kind::Map) {
    options.output_type = word_of(key, value, kOutputTypes);
    return;
  }
  for (const auto& [name, word] : value.map) {
    options.output_types[name] = word_of(fmt::format("{} of '{}'", key, name), word, kOutputTypes);
  }
}

void set_warmup(SessionOptions& options, const std::string& key, const OptionValue& value) {
  const std::optional<int64_t> number = int_like(value);
  if (!number || *number < 0 || *number > 1000) reject(key + " must be an integer from 0 to 1000");
  options.warmup = *number;
}

template <int64_t SessionOptions::*member>
void set_positive(SessionOptions& options, const std::string& key, const OptionValue& value) {
  options.*member = positive(key, value);
}
template <bool SessionOptions::*member>
void set_boolean(SessionOptions& options, const std::string& key, const OptionValue& value) {
  options.*member = boolean(key, value);
}

template <std::string SessionOptions::*member>
void set_path(SessionOptions& options, const std::string& key, const OptionValue& value) {
  if (value.kind != Kind::String && value.kind != Kind::Path) reject(key + " must be a path-like object or string");
  options.*member = value.text;
}

struct OptionRow {
  std::string_view key;
  void (*set)(SessionOptions&, const std::string& key, const OptionValue&);
};
// The documented ones in the documented order, then ours.
constexpr std::array kOptions = {
    OptionRow{"layout", set_layout},
    OptionRow{"zero_copy_layout", set_zero_copy_layout},
    OptionRow{"max_queue_size", set_positive<&SessionOptions::max_queue_size>},
    OptionRow{"threads_per_core", set_positive<&SessionOptions::threads_per_core>},
    OptionRow{"submit_timeout_ms", set_positive<&SessionOptions::submit_timeout_ms>},
    OptionRow{"sequential_callbacks", set_boolean<&SessionOptions::sequential_callbacks>},
    OptionRow{"schedule", set_schedule},
    OptionRow{"tp_mode", set_tp_mode},
    OptionRow{"enable_pacing", set_boolean<&SessionOptions::enable_pacing>},
    OptionRow{"disable_dup_context", set_boolean<&SessionOptions::disable_dup_context>},
    OptionRow{"custom_op_path", add_custom_op_paths},
    OptionRow{"custom_op_paths", add_custom_op_paths},
    OptionRow{"custom_op_default_path", set_boolean<&SessionOptions::custom_op_default_path>},
    OptionRow{"load_custom_ops_from_default_path", set_boolean<&SessionOptions::custom_op_default_path>},
    OptionRow{"dispatch", set_dispatch},
    OptionRow{"overflow", set_overflow},
    OptionRow{"callback_threads", set_positive<&SessionOptions::callback_threads>},
    OptionRow{"output_type", set_output_type},
    OptionRow{"strict_cores", set_boolean<&SessionOptions::strict_cores>},
    OptionRow{"warmup", set_warmup},
    OptionRow{"priority", set_priority},
    OptionRow{"enable_sram", set_boolean<&SessionOptions::enable_sram>},
    OptionRow{"collect_perf", set_boolean<&SessionOptions::collect_perf>},
    OptionRow{"runtime_library", set_path<&SessionOptions::runtime_library>},
    OptionRow{"model_key_file", set_path<&SessionOptions::model_key_file>},
};

[[noreturn]] void reject_unknown(const std::string& key) {
  std::string keys;
  for (const OptionRow& row : kOptions) keys += (keys.empty() ? "" : ", ") + std::string(row.key);
  reject(fmt::format("Unknown provider_options key: {}. Supported keys: {}", key, keys));
}

}  // namespace

OptionValue OptionValue::path(std::string value) {
  OptionValue option(std::move(value));
  option.kind = Kind::Path;
  return option;
}
OptionValue OptionValue::other() {
  OptionValue option;
  option.kind = Kind::Other;
  return option;
}

SessionOptions parse_provider_options(const OptionList& list) {
  SessionOptions options;
  bool has_schedule = false, has_tp_mode = false;
  for (const auto& [key, value] : list) {
    const auto row =
        std::find_if(kOptions.begin(), kOptions.end(), [&name = key](const OptionRow& r) { return r.key == name; });
    if (row == kOptions.end()) reject_unknown(key);
    if (value.kind == Kind::None) continue;  // unset
    row->set(options, key, value);
    has_schedule = has_schedule || key == "schedule";
    has_tp_mode = has_tp_mode || key == "tp_mode";
  }
  if (has_schedule && has_tp_mode) reject("provider_options 'tp_mode' conflicts with 'schedule'; set only one.");
  if (options.callback_threads > 1 && options.sequential_callbacks) {
    reject("callback_threads > 1 needs sequential_callbacks=False: one thread keeps the order");
  }
  if (options.threads_per_core > 64) reject("threads_per_core must be <= 64");
  if (options.callback_threads > 64) reject("callback_threads must be <= 64");
  return options;
}

std::vector<std::string> provider_option_names() {
  std::vector<std::string> names;
  for (const OptionRow& row : kOptions) names.emplace_back(row.key);
  return names;
}

}  // namespace openrknn
