#include "toolkit/profile.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/build_model.h"
#include "core/base/file.h"

namespace openrknn {
namespace {

void write_text(const std::string& path, const std::string& text) {
  FileSink sink(path);
  sink.write(std::as_bytes(std::span(text.data(), text.size())));
  sink.commit();
}

}  // namespace

int profile(const ProfileArguments& arguments) {
  std::vector<OperationTime> times = profile_file(arguments.model, arguments.source, arguments.threads,
                                                  arguments.rounds, ProgressPrinter(arguments.quiet));
  if (!arguments.csv.empty()) write_text(arguments.csv, profile_csv(times));
  if (!arguments.trace.empty()) write_text(arguments.trace, profile_trace(times));
  double total = 0;
  for (const OperationTime& time : times) total += time.microseconds;
  fmt::print("{} nodes, {:.3f} ms\n", times.size(), total / 1e3);
  std::stable_sort(times.begin(), times.end(),
                   [](const OperationTime& a, const OperationTime& b) { return a.microseconds > b.microseconds; });
  if (times.size() > static_cast<size_t>(arguments.top)) times.resize(static_cast<size_t>(arguments.top));
  fmt::print("{:>10} {:>6} {:>9}  {:<18} {:<28} {:<20} {}\n", "us", "%", "G prod./s", "op", "kernel", "shape", "node");
  for (const OperationTime& time : times) {
    const std::string speed =
        time.products > 0 ? fmt::format("{:.1f}", static_cast<double>(time.products) / time.microseconds / 1e3) : "";
    fmt::print("{:>10.1f} {:>6.1f} {:>9}  {:<18} {:<28} {:<20} {}\n", time.microseconds,
               total > 0 ? time.microseconds / total * 100 : 0.0, speed, time.op, time.kernel, to_string(time.shape),
               time.node);
  }
  return 0;
}

}  // namespace openrknn
