// A model as SoCs would have it, without building it: the graph after the passes, and the types a build for each SoC
// would give it. `check` and `estimate` look at it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/targets/layer_work.h"

namespace openrknn {

struct TargetRequest {
  std::filesystem::path model;       ///< a model file of a framework, or a .rknn
  ImportOptions source;              ///< of the former
  std::vector<std::string> targets;  ///< names; "all"; empty: of a .rknn its own, else all
  bool quantize = true;              ///< of a model file: the build to be
  std::optional<Scheme> scheme;      ///< none: w8a8 where the SoC has it, else float16
};

/// One SoC's view of the graph.
struct TargetView {
  const Target* target;
  std::string build;  ///< "w8a8", "float16"
  ElementTypes types;
};
struct TargetViews {
  std::shared_ptr<const Graph> graph;  ///< the views' types refer to it
  std::vector<TargetView> views;
};

/// Throws Error: what the importer says, ConfigUnknownPlatform, ConfigUnsupported for a scheme no SoC asked for has.
TargetViews view_targets(const TargetRequest&);

/// What a compiled graph computes in: "int8 and float16".
std::string build_of(const Graph&);

/// Rows of the targets table by name, "all" being all; throws Error naming all unknown ones.
std::vector<const Target*> targets_named(const std::vector<std::string>&);

}  // namespace openrknn
