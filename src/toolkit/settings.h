// From checked option values to what the compiler takes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "compiler/shape_sets.h"
#include "toolkit/options.h"
#include "toolkit/setting_values.h"

namespace openrknn {

/// Everything `config` says. Input-dependent checks (channel counts) wait until a model is loaded.
struct Settings {
  CompileOptions compile;
  bool platform_given = false;
  std::vector<ShapeSet> dynamic_input;  ///< as given; empty: the shapes of the import
};

/// Checks every argument of `config` and reports all problems together (ConfigUnknownPlatform, ConfigBadValue,
/// ConfigUnsupported).
Settings make_settings(const ArgumentValues& given, std::vector<std::string>& warnings);

/// Of quantized_dtype.
std::optional<Scheme> scheme_named(std::string_view text);

/// The arguments of load_onnx and load_tensorflow. `initial_values` are aligned with the inputs; arrays travel beside
/// the option values.
ImportOptions make_import_options(std::string_view method, const ArgumentValues& given,
                                  std::vector<std::optional<Tensor>> initial_values,
                                  std::vector<std::string>& warnings);

}  // namespace openrknn
