#include "apps/build_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "toolkit/presets.h"
#include "toolkit/settings.h"

namespace openrknn {
ProgressPrinter::ProgressPrinter(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressPrinter::operator()(std::string_view stage, int64_t done, int64_t total) {
  if (quiet_ || total == 0) return;
  if (!terminal_) {
    if (done == total) fmt::print(stderr, "{}: {} of {}\n", stage, done, total);
    return;
  }
  constexpr int64_t kWidth = 30;
  const int64_t filled = done * kWidth / total;
  fmt::print(stderr, "\r{:<12} [{}{}] {}/{}{}", stage, std::string(static_cast<size_t>(filled), '#'),
             std::string(static_cast<size_t>(kWidth - filled), ' '), done, total, done == total ? "\n" : "");
  std::fflush(stderr);
}

MessageSink warnings_to_stderr(bool quiet) {
  return [quiet](LogLevel level, std::string_view method, std::string_view text) {
    if (level == LogLevel::Warning && !quiet)
      fmt::print(stderr, "warning: {}{}{}\n", method, method.empty() ? "" : ": ", text);
  };
}

BuildArguments with_yaml(BuildArguments arguments) {
  if (arguments.yaml.empty()) return arguments;
  for (const auto& [key, value] : read_yaml_options(arguments.yaml)) {
    ArgumentValues* target = find_option("config", key) != nullptr      ? &arguments.config
                             : find_option("load_onnx", key) != nullptr ? &arguments.load
                             : find_option("build", key) != nullptr     ? &arguments.build
                                                                        : nullptr;
    if (target == nullptr) {
      fail(Code::ConfigBadValue, Location{.file = arguments.yaml}, fmt::format("unknown option '{}'", key),
           "see openrknn convert --help");
    }
    target->emplace(key, value);
  }
  return arguments;
}

void build_model(Toolkit& toolkit, const BuildArguments& arguments) {
  toolkit.config(with_preset(arguments.preset, arguments.config));
  CompileOptions& options = toolkit.compile_options();
  options.keep_golden = arguments.keep_golden;
  options.check = arguments.check;
  options.symmetric_weights = arguments.symmetric_weights;
  options.dump_after = arguments.dump_after;
  if (!arguments.dump_after.empty()) {
    options.dump = [](std::string_view stage, const std::string& text) { fmt::print("# after {}\n{}\n", stage, text); };
  }
  std::vector<std::string> warnings;
  ImportOptions import_options = make_import_options(arguments.load, {}, warnings);
  import_options.dimensions = arguments.dimensions;
  toolkit.load_model(arguments.model, import_options);
  toolkit.build(arguments.build);
}

}  // namespace openrknn
