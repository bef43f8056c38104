#include "apps/build_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "toolkit/presets.h"
#include "toolkit/settings.h"
#include "toolkit/share_process.h"

namespace openrknn {
ProgressPrinter::ProgressPrinter(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressPrinter::operator()(std::string_view stage, int64_t done, int64_t total) {
  if (quiet_ || total == 0) return;
  if (!terminal_) {
    if (done == total) fmt::print(stderr, "{}: {} of {}\n", stage, done, total);
    return;
  }
  const Clock::time_point now = Clock::now();
  if (stage != stage_) {
    stage_ = stage;
    start_ = now;
    drawn_ = {};
  }
  constexpr std::chrono::milliseconds kBetween(100);  // layers go by faster than a terminal draws
  if (done < total && now - drawn_ < kBetween) return;
  drawn_ = now;
  constexpr int64_t kWidth = 30;
  const int64_t filled = done * kWidth / total;
  const double passed = std::chrono::duration<double>(now - start_).count();
  const auto seconds = static_cast<int64_t>(std::ceil(
      done == total ? passed
                    : passed / static_cast<double>(std::max<int64_t>(done, 1)) * static_cast<double>(total - done)));
  const std::string bar =
      std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), ' ');
  fmt::print(stderr, "\r{:<12} [{}] {}/{}  {} {}:{:02}\x1b[K{}", stage, bar, done, total,
             done == total ? "took" : "left", seconds / 60, seconds % 60, done == total ? "\n" : "");
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

ShareOut share_out_of(const BuildArguments& arguments) {
  return arguments.dask.empty() ? ShareOut{} : dask_share_out(arguments.dask);
}

void load_model(Toolkit& toolkit, const BuildArguments& arguments, const ShareOut& share_out) {
  toolkit.config(with_preset(arguments.preset, arguments.config));
  CompileOptions& options = toolkit.compile_options();
  options.keep_golden = arguments.keep_golden;
  options.check = arguments.check;
  options.symmetric_weights = arguments.symmetric_weights;
  options.dump_after = arguments.dump_after;
  if (!arguments.dump_after.empty()) {
    options.dump = [](std::string_view stage, const std::string& text) { fmt::print("# after {}\n{}\n", stage, text); };
  }
  options.calibrator = calibrator_of(share_out);
  std::vector<std::string> warnings;
  ImportOptions import_options = make_import_options("load_onnx", arguments.load, {}, warnings);
  import_options.dimensions = arguments.source.dimensions;
  import_options.constants = arguments.source.constants;
  import_options.weights = arguments.source.weights;
  toolkit.load_model(arguments.model, import_options);
}

void build_model(Toolkit& toolkit, const BuildArguments& arguments, const ShareOut& share_out) {
  load_model(toolkit, arguments, share_out);
  toolkit.build(arguments.build);
}

std::unique_ptr<Samples> samples_for(const std::string& list, const Model& model, const Graph& golden,
                                     Toolkit& toolkit) {
  const std::vector<bool> swapped = toolkit.is_built() ? toolkit.compile_options().rgb_to_bgr : std::vector<bool>();
  return open_dataset(list, analysis_specs(model, golden, swapped));
}

BuildFacts facts_of(const Toolkit& toolkit, const BuildArguments& arguments) {
  return build_facts(std::filesystem::path(arguments.model).filename().string(),
                     toolkit.is_built() ? &toolkit.compiled() : nullptr);
}

}  // namespace openrknn
