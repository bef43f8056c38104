// Layer analysis of a model, as the RKNN class, the native API and the command line ask for it.
#pragma once

#include "compiler/analysis/snapshot.h"
#include "core/model/model.h"

namespace openrknn {

/// Golden of a model that was compiled here (`compiled`), or kept in its file. Throws Error (ConfigWrongState) where
/// there is none.
const Graph& golden_for_analysis(const Model&, const Graph* compiled);

/// What a sample must hold. rgb_to_bgr as in CompileOptions.
std::vector<SampleSpec> analysis_specs(const Model&, const Graph& golden, const std::vector<bool>& rgb_to_bgr = {});

/// The largest shapes of the model, one item. With a snapshot (of layer_rows(golden, the first variant)) every layer's
/// numbers, of the last sample, and the table become files.
Analysis analyze_model(const Model&, const Graph& golden, const Samples&, ThreadPool&, const Progress& = {},
                       const CustomCode& = {}, const Snapshot* = nullptr);

/// What users should be told beside the table: where NaN or infinity came up first.
std::vector<std::string> analysis_warnings(const Analysis&);

}  // namespace openrknn
