// Layer analysis: the sums of each sample by itself, which are added here in the order of the samples, as without
// shares. Whatever a report counts beside them is whole numbers.
#include <fmt/format.h>

#include "compiler/analysis/analyze.h"
#include "toolkit/share_kinds.h"

namespace openrknn {
namespace {

constexpr std::string_view kAnalysisMagic = "OpenRKNN analysis 1\n";
constexpr std::string_view kReport = "report", kSums = "sums";

std::string bytes_of(const std::vector<SampleSums>& samples, const ReportCollector* collected) {
  StateWriter state;
  state.put(static_cast<int64_t>(samples.size()));
  for (const SampleSums& sample : samples) {
    for (const std::vector<ErrorSums>& candidate : sample) {
      for (const ErrorSums& sums : candidate) sums.write(state);
    }
  }
  if (collected != nullptr) collected->write(state);
  return std::string(kAnalysisMagic) + state.bytes;
}

/// Of a share that has `count` samples, each with sums for `pairs` values of both runs.
void take(std::string_view bytes, int64_t count, size_t pairs, std::vector<SampleSums>& all,
          ReportCollector* collected) {
  if (!bytes.starts_with(kAnalysisMagic)) fail(Code::InvalidArgument, "serialised analysis: it does not begin as one");
  StateReader state(bytes.substr(kAnalysisMagic.size()));
  int64_t given = 0;
  state.get(given);
  if (given != count) {
    fail(Code::InvalidArgument, fmt::format("serialised analysis: got {} samples, expected {}", given, count));
  }
  for (int64_t i = 0; i < count; ++i) {
    SampleSums& sample = all.emplace_back(2, std::vector<ErrorSums>(pairs));
    for (std::vector<ErrorSums>& candidate : sample) {
      for (ErrorSums& sums : candidate) sums.read(state);
    }
  }
  if (collected != nullptr) collected->add(state);
  state.end();
}

}  // namespace

std::string analyze_share(const ShareTask& task, SamplePart part, ThreadPool& pool) {
  if (!task.model.golden) fail(Code::InvalidArgument, "a share of an analysis without its float model");
  const Graph &golden = *task.model.golden, &built = task.model.variants.front();
  require_arrays(golden, part);
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  ReportCollector collected(built, rows);
  const bool collects = task.detail == kReport;
  RowVisitor visit;
  if (collects) {
    visit = [&](size_t row, const LayerValues& wanted, const LayerValues& got) { collected.visit(row, wanted, got); };
  }
  return bytes_of(sums_of_samples(golden, built, task.model.arithmetic, rows, part.samples, pool, {}, visit),
                  collects ? &collected : nullptr);
}

std::vector<SampleSums> sums_in_shares(const ShareOut& share_out, const Graph& golden, const Graph& built,
                                       const Arithmetic& arithmetic, const Samples& samples, ReportCollector* collected,
                                       const Progress& progress) {
  const SharedWork work{.stage = "analyze",
                        .task = task_of("analyze", collected != nullptr ? kReport : kSums, built, arithmetic, &golden),
                        .samples_per_share = 8};
  const size_t pairs = comparable_values(golden, built).size();
  std::vector<SampleSums> all;
  for (const std::string& part : share_out(work, samples, progress)) {
    const int64_t left = samples.count() - static_cast<int64_t>(all.size());
    take(part, std::min(left, work.samples_per_share), pairs, all, collected);
  }
  if (static_cast<int64_t>(all.size()) != samples.count()) {
    fail(Code::InvalidArgument,
         fmt::format("serialised analysis: shares of {} samples, expected {}", all.size(), samples.count()));
  }
  return all;
}

}  // namespace openrknn
