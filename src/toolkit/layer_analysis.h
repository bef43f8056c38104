// Layer analysis of a model, as the RKNN class, the native API and the command line ask for it.
#pragma once

#include "compiler/analysis/report/report.h"
#include "compiler/analysis/snapshot.h"
#include "compiler/compile.h"
#include "core/base/file.h"
#include "core/model/model.h"
#include "toolkit/shares.h"

namespace openrknn {

/// Golden of a model that was compiled here (`compiled`), or kept in its file. Throws Error (ConfigWrongState) where
/// there is none.
const Graph& golden_for_analysis(const Model&, const Graph* compiled);

/// What a sample must hold. rgb_to_bgr as in CompileOptions.
std::vector<SampleSpec> analysis_specs(const Model&, const Graph& golden, const std::vector<bool>& rgb_to_bgr = {});

/// What is analyzed: the largest shapes of the model, one item.
struct AnalysisRequest {
  const Model& model;
  const Graph& golden;
  const Samples& samples;
  CustomCode custom = {};
  /// Of layer_rows(golden, the first variant): every layer's numbers, of the last sample, and the table become files.
  const Snapshot* snapshot = nullptr;
  /// A file that is kept while it runs: an analysis that was interrupted goes on after the last sample it had finished.
  std::filesystem::path resume = {};
  /// Computes the (one) sample too: a device's layers beside golden's and the simulator's. Null: there is none.
  LayerStream* device = nullptr;
  ShareOut share_out = {};  ///< who computes the samples; empty: this process
};
Analysis analyze_model(const AnalysisRequest&, ThreadPool&, const Progress& = {});

/// What the layers are compared by, for analyze_model() and diagnose_model(); `collected` sees all, if there is one.
Analysis compare_layers(const AnalysisRequest&, const std::vector<LayerRow>&, ReportCollector* collected, ThreadPool&,
                        const Progress&);
/// The files of a complete analysis.
void finish_files(const AnalysisRequest&, const Analysis&);

/// What is known of a model beside its layers. A model from a file has neither recipe nor build: its layers are shown
/// and no reasons are looked for.
struct BuildFacts {
  std::string title;  ///< what the report calls the model
  const QuantizeRecipe* recipe = nullptr;
  const CompileReport* build = nullptr;
  std::optional<TradeOff> search = {};
};
/// `compiled` is null for a model from a file, and must outlive what is given.
BuildFacts build_facts(std::string title, const Compiled* compiled);
struct DiagnosedModel {
  Analysis analysis;
  std::vector<LayerFinding> findings;
  std::vector<SetFinding> calibration_set;
  std::vector<std::string> warnings;
  std::string html;  ///< the report
};
/// analyze_model(), why its worst layers are bad, what is wrong with the calibration set, and the report of it all.
DiagnosedModel diagnose_model(const AnalysisRequest&, const BuildFacts&, ThreadPool&, const Progress& = {});

/// Whole or not at all.
void write_report(FileSink&, const DiagnosedModel&);

/// A search as reports show it.
TradeOff trade_off_of(const SearchResult&, const SearchOptions&);

/// What users should be told beside the table: where NaN or infinity came up first, and that nothing was resumed.
std::vector<std::string> analysis_warnings(const Analysis&);

}  // namespace openrknn
