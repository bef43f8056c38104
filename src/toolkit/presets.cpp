#include "toolkit/presets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <set>
#include <string>

#include "toolkit/settings.h"

namespace openrknn {
namespace {

/// Schemes a row is for.
enum SchemeKind : unsigned { kInt8 = 1, kInt16 = 2, kWeightOnly = 4, kAll = 7 };

struct PresetRow {
  std::string_view preset;
  unsigned kinds;
  std::string_view option, value;
  std::string_view unless = {};  ///< an option that leaves no room for it when given
};
// What is proven to help, with numbers in docs/corrections.md.
constexpr PresetRow kPresets[] = {
    {"accurate", kInt8, "quantized_algorithm", "'auto'"},
    {"accurate", kInt8, "rounding", "'adaptive'"},
    {"accurate", kAll, "equalize", "True"},
    {"accurate", kInt8 | kInt16, "split_concat", "True"},
    {"accurate", kInt8 | kInt16, "migrate_scales", "True"},
    {"accurate", kWeightOnly, "rescue_float16", "True"},
    {"accurate", kWeightOnly, "quantized_algorithm", "'gdq'", "rounding"},
    {"accurate", kAll, "bias_correction", "True"},
};

unsigned kind_of(Scheme scheme) {
  if (is_weight_only(scheme)) return kWeightOnly;
  return scheme == Scheme::W8A8 ? kInt8 : kInt16;
}

}  // namespace

ArgumentValues with_preset(std::string_view preset, ArgumentValues config) {
  if (preset.empty()) return config;
  const auto given = config.find("quantized_dtype");
  const std::string* text = given == config.end() ? nullptr : std::get_if<std::string>(&given->second.data);
  const unsigned kind = kind_of(text == nullptr ? Scheme::W8A8 : scheme_named(*text).value_or(Scheme::W8A8));
  std::set<std::string, std::less<>> names, given_names;
  for (const auto& [name, value] : config) given_names.insert(name);
  for (const PresetRow& row : kPresets) {
    names.emplace(row.preset);
    if (row.preset == preset && (row.kinds & kind) != 0 && !given_names.contains(row.unless)) {
      config.emplace(row.option, parse_argument_value(row.value));
    }
  }
  if (!names.contains(preset)) {
    fail(Code::ConfigBadValue, fmt::format("--preset: got '{}', expected one of: {}", preset, fmt::join(names, ", ")));
  }
  return config;
}

}  // namespace openrknn
