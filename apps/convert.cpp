#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/verbs.h"
#include "toolkit/settings.h"
#include "toolkit/toolkit.h"

namespace openrknn {
namespace {

// A bar on a terminal, one line per stage elsewhere.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}
  void operator()(std::string_view stage, int64_t done, int64_t total) {
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

 private:
  bool quiet_, terminal_;
};

// Sorts a YAML file's keys to the methods they belong to; what a flag says wins.
void merge_yaml(const std::string& path, ConvertArguments& arguments) {
  for (const auto& [key, value] : read_yaml_options(path)) {
    ArgumentValues* target = find_option("config", key) != nullptr      ? &arguments.config
                             : find_option("load_onnx", key) != nullptr ? &arguments.load
                             : find_option("build", key) != nullptr     ? &arguments.build
                                                                        : nullptr;
    if (target == nullptr) {
      fail(Code::ConfigBadValue, Location{.file = path}, fmt::format("unknown option '{}'", key),
           "see openrknn convert --help");
    }
    target->emplace(key, value);
  }
}

double peak_memory_mb() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux gives KiB
}

}  // namespace

int convert(const ConvertArguments& given) {
  ConvertArguments arguments = given;
  if (!arguments.yaml.empty()) merge_yaml(arguments.yaml, arguments);
  if (arguments.output.empty())
    arguments.output = std::filesystem::path(arguments.model).replace_extension(".rknn").string();
  const auto start = std::chrono::steady_clock::now();
  const auto print_line = [&](LogLevel level, std::string_view method, std::string_view text) {
    if (level == LogLevel::Warning && !arguments.quiet)
      fmt::print(stderr, "warning: {}{}{}\n", method, method.empty() ? "" : ": ", text);
  };
  Toolkit toolkit(print_line, ProgressPrinter(arguments.quiet), arguments.threads);
  toolkit.config(arguments.config);
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
  toolkit.export_rknn(arguments.output);

  const CompileReport& report = toolkit.compiled().report;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double megabytes = static_cast<double>(std::filesystem::file_size(arguments.output)) / 1e6;
  const std::string& target = toolkit.compiled().model.target;
  const std::string next = fmt::format("openrknn run {} --against {}", arguments.output, arguments.model);
  if (arguments.json) {
    nlohmann::ordered_json json{{"output", arguments.output},
                                {"target", target},
                                {"source_nodes", report.nodes_imported},
                                {"nodes", report.nodes_compiled},
                                {"int8_nodes", report.quantized_nodes},
                                {"float_nodes", report.float_nodes},
                                {"samples", report.samples},
                                {"megabytes", megabytes},
                                {"seconds", seconds},
                                {"peak_memory_mb", peak_memory_mb()}};
    for (const StageTime& stage : report.times) json["stages"][stage.stage] = stage.seconds;
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("{}  for {}\n", arguments.output, target);
  fmt::print("  operations  {} source layers -> {} ({} int8, {} float16, {} other)\n", report.nodes_imported,
             report.nodes_compiled, report.quantized_nodes, report.float_nodes,
             report.nodes_compiled - report.quantized_nodes - report.float_nodes);
  fmt::print("  size        {:.2f} MB\n  time        {:.2f} s\n  peak memory {:.0f} MB\n  next        {}\n", megabytes,
             seconds, peak_memory_mb(), next);
  return 0;
}

}  // namespace openrknn
