#include "toolkit/layer_analysis.h"

#include "compiler/analysis/error_table.h"

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
                       const Progress& progress, const CustomCode& custom, const Snapshot* snapshot) {
  const Graph& built = model.variants.front();
  RowVisitor write;
  if (snapshot != nullptr) {
    write = [snapshot](size_t row, const LayerValues& wanted, const LayerValues& got) {
      snapshot->write(row, wanted, got);
    };
  }
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  Analysis analysis = analyze(golden, built, model.arithmetic, rows, samples, pool, progress, write, custom);
  if (snapshot != nullptr) snapshot->finish(error_table(analysis));
  return analysis;
}

std::vector<std::string> analysis_warnings(const Analysis& analysis) {
  std::vector<std::string> warnings;
  if (analysis.golden_not_finite) warnings.push_back(to_string(*analysis.golden_not_finite, "the float model"));
  if (analysis.built_not_finite) warnings.push_back(to_string(*analysis.built_not_finite, "the built model"));
  return warnings;
}

}  // namespace openrknn
