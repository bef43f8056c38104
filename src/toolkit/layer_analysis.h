// Layer analysis of a model, as the RKNN class, the native API and the command line ask for it.
#pragma once

#include "compiler/analysis/report/report.h"
#include "compiler/analysis/snapshot.h"
#include "compiler/compile.h"
#include "core/model/model.h"

namespace openrknn {

/// Golden of a model that was compiled here (`compiled`), or kept in its file. Throws Error (ConfigWrongState) where
/// there is none.
const Graph& golden_for_analysis(const Model&, const Graph* compiled);

/// What a sample must hold. rgb_to_bgr as in CompileOptions.
std::vector<SampleSpec> analysis_specs(const Model&, const Graph& golden, const std::vector<bool>& rgb_to_bgr = {});

/// The largest shapes of the model, one item. With a snapshot (of layer_rows(golden, the first variant)) every layer's
/// numbers, of the last sample, and the table become files. With `resume`, a file that is kept while it runs, an
/// analysis that was interrupted goes on after the last sample it had finished.
Analysis analyze_model(const Model&, const Graph& golden, const Samples&, ThreadPool&, const Progress& = {},
                       const CustomCode& = {}, const Snapshot* = nullptr, const std::filesystem::path& resume = {});
/// Of everything the sums of an analysis depend on but its samples. `collects`: what is written or counted beside them.
uint64_t analysis_key(const Graph& golden, const Model&, std::string_view collects);

/// What is diagnosed. `compiled` is null for a model from a file: its layers are shown and no reasons are looked for.
struct DiagnosisRequest {
  const Model& model;
  const Graph& golden;
  const QuantizeRecipe* recipe = nullptr;
  const CompileReport* build = nullptr;
  const Samples& samples;
  std::string title;  ///< what the report calls the model
  CustomCode custom = {};
  const Snapshot* snapshot = nullptr;
  std::filesystem::path resume = {};  ///< as in analyze_model
};
struct DiagnosedModel {
  Analysis analysis;
  std::vector<LayerFinding> findings;
  std::vector<SetFinding> calibration_set;
  std::vector<std::string> warnings;
  std::string html;  ///< the report
};
/// analyze_model(), why its worst layers are bad, what is wrong with the calibration set, and the report of it all.
DiagnosedModel diagnose_model(const DiagnosisRequest&, ThreadPool&, const Progress& = {});

/// What users should be told beside the table: where NaN or infinity came up first, and that nothing was resumed.
std::vector<std::string> analysis_warnings(const Analysis&);

}  // namespace openrknn
