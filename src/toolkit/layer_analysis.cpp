#include "toolkit/layer_analysis.h"

#include <fmt/format.h>

#include "compiler/analysis/error_table.h"
#include "core/base/hash.h"
#include "core/base/version.h"
#include "core/graph/text.h"

namespace openrknn {

const Graph& golden_for_analysis(const Model& model, const Graph* compiled) {
  if (compiled != nullptr) return *compiled;
  if (model.golden) return *model.golden;
  fail(Code::ConfigWrongState, "this file holds no golden model, so there is nothing to compare its layers with",
       "load the source model and build it, or convert it again with --keep-golden");
}

std::vector<SampleSpec> analysis_specs(const Model& model, const Graph& golden, const std::vector<bool>& rgb_to_bgr) {
  std::vector<SampleSpec> specs;
  for (size_t i = 0; i < golden.inputs.size(); ++i) {
    const Value& value = golden[golden.inputs[i]];
    specs.push_back({.port = model.inputs[i],
                     .shape = value.shape,
                     .dtype = value.dtype,
                     .rgb_to_bgr = rgb_to_bgr.size() == 1 ? rgb_to_bgr[0] : i < rgb_to_bgr.size() && rgb_to_bgr[i]});
  }
  return specs;
}

namespace {

/// Of everything the sums of an analysis depend on but its samples. `collects`: what is written or counted beside them.
uint64_t analysis_key(const AnalysisRequest& request, std::string_view collects) {
  std::string all(version());
  const auto add = [&](const Graph& graph) {
    std::vector<Tensor> data;
    all += to_text(graph, {}, &data);
    for (const Tensor& tensor : data) all += to_hex(hash64(tensor.bytes()));
  };
  add(request.golden);
  add(request.model.variants.front());
  all += fmt::format("{} {} {}", request.model.arithmetic.family, request.model.arithmetic.version, collects);
  if (request.snapshot != nullptr) all += request.snapshot->table_path().string();
  return hash64(std::as_bytes(std::span(all)));
}

/// Others compute all samples but those whose numbers are wanted here.
Analysis compare_elsewhere(const AnalysisRequest& request, const std::vector<LayerRow>& rows,
                           ReportCollector* collected, const RowVisitor& visit, ThreadPool& pool,
                           const Progress& progress) {
  if (!request.resume.empty()) {
    fail(Code::ConfigUnsupported, "an analysis by other processes keeps nothing that it could go on from",
         "leave 'resume' out, or the executor");
  }
  const Graph &golden = request.golden, &built = request.model.variants.front();
  const int64_t count = request.samples.count(), here = request.snapshot != nullptr ? 1 : 0;
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to analyze", "give at least one sample");
  std::vector<SampleSums> sums = sums_in_shares(request.share_out, golden, built, request.model.arithmetic,
                                                first_samples(request.samples, count - here), collected, progress);
  if (here > 0) {
    const ChosenSamples last(request.samples, {count - 1});
    for (SampleSums& sample :
         sums_of_samples(golden, built, request.model.arithmetic, rows, last, pool, progress, visit, request.custom)) {
      sums.push_back(std::move(sample));
    }
  }
  return analysis_of(golden, built, rows, request.samples, sums);
}

}  // namespace

Analysis compare_layers(const AnalysisRequest& request, const std::vector<LayerRow>& rows, ReportCollector* collected,
                        ThreadPool& pool, const Progress& progress) {
  RowVisitor visit;
  if (collected != nullptr || request.snapshot != nullptr) {
    visit = [&](size_t row, const LayerValues& wanted, const LayerValues& got) {
      if (collected != nullptr) collected->visit(row, wanted, got);
      if (request.snapshot != nullptr) request.snapshot->write(row, wanted, got);
    };
  }
  if (request.share_out) return compare_elsewhere(request, rows, collected, visit, pool, progress);
  Checkpoint checkpoint(request.resume, analysis_key(request, collected != nullptr ? "report " : ""));
  const Resumption resumption{checkpoint,
                              [&](StateWriter& state) {
                                if (collected != nullptr) collected->write(state);
                              },
                              [&](StateReader& state) {
                                if (collected != nullptr) collected->add(state);
                              }};
  const Graph& built = request.model.variants.front();
  Analysis analysis = analyze(request.golden, built, request.model.arithmetic, rows, request.samples, pool, progress,
                              visit, request.custom, request.resume.empty() ? nullptr : &resumption);
  if (request.device != nullptr) {
    RowVisitor keep;
    if (request.snapshot != nullptr) {
      keep = [&](size_t row, const LayerValues&, const LayerValues& runtime) {
        request.snapshot->write_runtime(row, runtime);
      };
    }
    add_runtime(analysis, request.golden, built, request.model.arithmetic, *request.device, request.samples, pool,
                progress, keep, request.custom);
  }
  return analysis;
}

void finish_files(const AnalysisRequest& request, const Analysis& analysis) {
  if (request.snapshot != nullptr) request.snapshot->finish(error_table(analysis));
  std::error_code error;
  if (!request.resume.empty()) std::filesystem::remove(request.resume, error);
}

Analysis analyze_model(const AnalysisRequest& request, ThreadPool& pool, const Progress& progress) {
  const std::vector<LayerRow> rows = layer_rows(request.golden, request.model.variants.front());
  Analysis analysis = compare_layers(request, rows, nullptr, pool, progress);
  finish_files(request, analysis);
  return analysis;
}

std::vector<std::string> analysis_warnings(const Analysis& analysis) {
  std::vector<std::string> warnings;
  if (analysis.golden_not_finite) warnings.push_back(to_string(*analysis.golden_not_finite, "the float model"));
  if (analysis.built_not_finite) warnings.push_back(to_string(*analysis.built_not_finite, "the built model"));
  if (!analysis.not_resumed.empty()) warnings.push_back(analysis.not_resumed);
  return warnings;
}

}  // namespace openrknn
