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

Analysis analyze_model(const Model& model, const Graph& golden, const Samples& samples, ThreadPool& pool,
                       const Progress& progress, const CustomCode& custom, const Snapshot* snapshot,
                       const std::filesystem::path& resume) {
  const Graph& built = model.variants.front();
  RowVisitor write;
  if (snapshot != nullptr) {
    write = [snapshot](size_t row, const LayerValues& wanted, const LayerValues& got) {
      snapshot->write(row, wanted, got);
    };
  }
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  Checkpoint checkpoint(resume,
                        analysis_key(golden, model, snapshot == nullptr ? "" : snapshot->table_path().string()));
  const Resumption resumption{checkpoint, [](StateWriter&) {}, [](StateReader&) {}};
  Analysis analysis = analyze(golden, built, model.arithmetic, rows, samples, pool, progress, write, custom,
                              resume.empty() ? nullptr : &resumption);
  if (snapshot != nullptr) snapshot->finish(error_table(analysis));
  if (!resume.empty()) checkpoint.finish();
  return analysis;
}

uint64_t analysis_key(const Graph& golden, const Model& model, std::string_view collects) {
  std::string all(version());
  const auto add = [&](const Graph& graph) {
    std::vector<Tensor> data;
    all += to_text(graph, {}, &data);
    for (const Tensor& tensor : data) all += to_hex(hash64(tensor.bytes()));
  };
  add(golden);
  add(model.variants.front());
  all += fmt::format("{} {} {}", model.arithmetic.family, model.arithmetic.version, collects);
  return hash64(std::as_bytes(std::span(all)));
}

std::vector<std::string> analysis_warnings(const Analysis& analysis) {
  std::vector<std::string> warnings;
  if (analysis.golden_not_finite) warnings.push_back(to_string(*analysis.golden_not_finite, "the float model"));
  if (analysis.built_not_finite) warnings.push_back(to_string(*analysis.built_not_finite, "the built model"));
  if (!analysis.not_resumed.empty()) warnings.push_back(analysis.not_resumed);
  return warnings;
}

}  // namespace openrknn
