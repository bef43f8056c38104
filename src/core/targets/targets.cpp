#include "core/targets/targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "core/base/text.h"

namespace openrknn {
namespace {

// Rows are kept for ever: a file names the row it was lowered with. Rounding is half to even everywhere; what differs
// is where the zero point enters (docs/targets.md).
constexpr std::array<Law, 2> kLaws = {{
    {.family = "rk3588",
     .version = 1,
     .zero_point_before_shift = false},  // measured on RK3588 and RK3576, assumed for RK356x, RK3562, RV1126B
    {.family = "rv1106", .version = 1, .zero_point_before_shift = true},  // measured on RV1103/RV1106
}};

constexpr Scheme kW8A8[] = {Scheme::W8A8};
constexpr Scheme kRk3562[] = {Scheme::W8A8, Scheme::W8A16};
constexpr Scheme kRk3576[] = {Scheme::W8A8, Scheme::W4A16};
constexpr Scheme kRv1106[] = {Scheme::W8A8, Scheme::W16A16I, Scheme::W16A16I_DFP};

// cube_channels_int8 and width alignments: docs/targets.md.
const std::array<Target, 11> kTargets = {{
    {.name = "rk2118",
     .display_name = "RK2118",
     .cores = 1,
     .schemes = {},
     .float16 = true,
     .simulator_only_convert = true,
     .law_family = "rk3588",
     .macs_per_cycle = 64,
     .clock_mhz = 400,
     .cube_channels_int8 = 8,
     .width_align_int8 = 8,
     .width_align_float16 = 4},
    {.name = "rk3562",
     .display_name = "RK3562",
     .cores = 1,
     .schemes = kRk3562,
     .law_family = "rk3588",
     .macs_per_cycle = 512,
     .clock_mhz = 1000},
    {.name = "rk3566",
     .display_name = "RK3566",
     .cores = 1,
     .schemes = kW8A8,
     .law_family = "rk3588",
     .macs_per_cycle = 512,
     .clock_mhz = 900,
     .cube_channels_int8 = 8,
     .width_align_int8 = 8,
     .width_align_float16 = 4},
    {.name = "rk3568",
     .display_name = "RK3568",
     .cores = 1,
     .schemes = kW8A8,
     .law_family = "rk3588",
     .macs_per_cycle = 512,
     .clock_mhz = 1000,
     .cube_channels_int8 = 8,
     .width_align_int8 = 8,
     .width_align_float16 = 4},
    {.name = "rk3576",
     .display_name = "RK3576",
     .cores = 2,
     .schemes = kRk3576,
     .core_mask = true,
     .law_family = "rk3588",
     .macs_per_cycle = 1024,
     .clock_mhz = 1000,
     .buffer_bytes = 16 * 32768},
    {.name = "rk3588",
     .display_name = "RK3588",
     .cores = 3,
     .schemes = kW8A8,
     .core_mask = true,
     .law_family = "rk3588",
     .macs_per_cycle = 1024,
     .clock_mhz = 1000,
     .buffer_bytes = 12 * 32768},
    {.name = "rv1103",
     .display_name = "RV1103",
     .cores = 1,
     .schemes = kRv1106,
     .float16 = false,
     .law_family = "rv1106",
     .macs_per_cycle = 512,
     .clock_mhz = 420},
    {.name = "rv1103b",
     .display_name = "RV1103B",
     .cores = 1,
     .schemes = kW8A8,
     .float16 = false,
     .law_family = "rv1106",
     .macs_per_cycle = 512,
     .clock_mhz = 500,
     .cube_channels_int8 = 8,
     .width_align_int8 = 8},
    {.name = "rv1106",
     .display_name = "RV1106",
     .cores = 1,
     .schemes = kRv1106,
     .float16 = false,
     .law_family = "rv1106",
     .macs_per_cycle = 512,
     .clock_mhz = 500},
    {.name = "rv1106b",
     .display_name = "RV1106B",
     .cores = 1,
     .schemes = kW8A8,
     .float16 = false,
     .law_family = "rv1106",
     .macs_per_cycle = 512,
     .clock_mhz = 500,
     .cube_channels_int8 = 8,
     .width_align_int8 = 8},
    {.name = "rv1126b",
     .display_name = "RV1126B",
     .cores = 1,
     .schemes = kRk3576,
     .law_family = "rk3588",
     .macs_per_cycle = 1536,
     .clock_mhz = 1000},
}};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {{"rk3588s", "rk3588"}};
constexpr std::array<std::string_view, 5> kSchemeNames = {"w8a8", "w8a16", "w4a16", "w16a16i", "w16a16i_dfp"};

}  // namespace

std::span<const Target> all_targets() { return kTargets; }
std::span<const Law> all_laws() { return kLaws; }

const Target* find_target(std::string_view wanted) {
  std::string key = lower_case(std::string(wanted));
  for (const auto& [alias, target] : kAliases) {
    if (key == alias) key = target;
  }
  const auto row = std::find_if(kTargets.begin(), kTargets.end(), [&](const Target& t) { return t.name == key; });
  return row == kTargets.end() ? nullptr : &*row;
}

const Law& find_law(const Arithmetic& arithmetic) {
  for (const Law& law : kLaws) {
    if (law.family == arithmetic.family && law.version == arithmetic.version) return law;
  }
  fail(Code::RknnNewerVersion,
       fmt::format("the model was lowered with the integer law '{}' version {}, which this build does not know",
                   arithmetic.family, arithmetic.version),
       "use a newer OpenRKNN, or convert the model again with this one");
}

Arithmetic arithmetic_of(const Target& target) {
  int version = 0;
  for (const Law& law : kLaws) {
    if (law.family == target.law_family) version = std::max(version, law.version);
  }
  return {std::string(target.law_family), version};
}

std::string_view name(Scheme scheme) { return kSchemeNames[static_cast<size_t>(scheme)]; }

bool supports(const Target& target, Scheme scheme) {
  return std::find(target.schemes.begin(), target.schemes.end(), scheme) != target.schemes.end();
}

}  // namespace openrknn
