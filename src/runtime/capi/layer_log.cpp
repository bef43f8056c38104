#include "runtime/capi/layer_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/npy.h"
#include "runtime/capi/perf_detail.h"

namespace openrknn::capi {
namespace {

/// A name as part of a file name: letters, digits, dots and dashes stay.
std::string file_word(const std::string& name) {
  std::string word;
  for (const char c : name.substr(0, 100)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    word += plain ? c : '_';
  }
  return word;
}

std::string text_of(const Tensor& tensor) {
  std::string text;
  for (const double value : to_doubles(tensor)) text += fmt::format("{:.9g}\n", value);
  return text;
}

void dump_value(const ContextState& state, size_t step, const Node& node, size_t output) {
  const Value& value = state.context->graph()[node.outputs[output]];
  if (!is_static(value.shape)) return;
  const Tensor content =
      state.environment.dump_native ? state.context->value(value.name) : state.context->real_value(value.name);
  const std::string stem = fmt::format("{}/{:04}_{}_{}_{}", state.environment.dump_folder, step + 1, file_word(node.op),
                                       file_word(value.name), fmt::join(value.shape, "x"));
  write_file(stem + ".npy", to_npy(content));
  if (state.environment.log_level >= 6) write_file(stem + ".txt", text_of(content));
}

void dump_layers(const ContextState& state) {
  std::filesystem::create_directories(state.environment.dump_folder);
  const std::vector<ProfileRow>& steps = state.context->profile();
  for (size_t step = 0; step < steps.size(); ++step) {
    const Node& node = state.context->graph()[steps[step].node];
    for (size_t output = 0; output < node.outputs.size(); ++output) {
      if (node.outputs[output] != ValueId::None) dump_value(state, step, node, output);
    }
  }
}

}  // namespace

void log_plan(const ContextState& state) {
  if (state.environment.log_level < 3) return;
  const Context& context = *state.context;
  log(LogLevel::Debug, "",
      fmt::format("memory: weights {} bytes, internal {} bytes{}", context.loaded()->weight_bytes(),
                  context.internal_bytes(),
                  context.model().batch > 1 ? fmt::format(", batch {}", context.model().batch) : ""));
  for (size_t variant = 0; variant < context.model().variants.size(); ++variant) {
    log(LogLevel::Debug, "", to_text(*context.loaded()->plan(variant, Watch::Nothing)));
  }
}

void log_layers(const ContextState& state) {
  if (state.environment.log_level < 4) return;
  log(LogLevel::Debug, "", perf_detail(*state.context));
  if (state.environment.log_level < 5) return;
  try {
    dump_layers(state);
  } catch (const std::exception& error) {
    log(LogLevel::Warning, "", fmt::format("layers were not dumped: {}", error.what()));
  }
}

}  // namespace openrknn::capi
