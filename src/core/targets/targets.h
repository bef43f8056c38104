// One row per SoC: what its NPU can do, and by which integer law it computes. Facts: docs/targets.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/dtype.h"
#include "core/graph/graph.h"

namespace openrknn {

/// Integer law: how an accumulator becomes an output code. Rows are versioned data and are kept for ever.
struct Law {
  std::string_view family;
  int version = 1;
  bool zero_point_before_shift = false;  ///< true: sat(rne(v*M + (zp << S) >> S)); false: sat(rne(v*M >> S) + zp)
  bool average_half_even = true;         ///< rounding of average pooling
};

enum class Scheme : uint8_t { W8A8, W8A16, W4A16, W16A16I, W16A16I_DFP };

struct Target {
  std::string_view name;          ///< "rk3588", lower case
  std::string_view display_name;  ///< "RK3588"
  int cores = 1;
  std::span<const Scheme> schemes;      ///< quantized_dtype values the toolkit allows
  bool float16 = true;                  ///< has fp16 convolution
  bool simulator_only_convert = false;  ///< rk2118: never an init_runtime target
  bool core_mask = false;               ///< set_core_mask is meaningful
  std::string_view law_family;          ///< row of all_laws(), newest version
  int macs_per_cycle = 0;               ///< int8, per core
  int clock_mhz = 0;                    ///< highest of the NPU
  int64_t buffer_bytes = 8 * 32768;     ///< on-chip, weights and features of one core together
  int cube_channels_int8 = 16;          ///< C2 of NC1HWC2 for 8-bit data; half of it for 16-bit data
  int width_align_int8 = 16;            ///< native input width alignment for C in {1, 3, 4}; see width_align_float16
  int width_align_float16 = 8;
};

std::span<const Target> all_targets();
std::span<const Law> all_laws();
/// Case-insensitive; "rk3588s" is rk3588, "rk3568" shares rk3566's row content under its own name. Null if unknown.
const Target* find_target(std::string_view name);
/// Throws Error (RknnNewerVersion) for a family or version this build does not know.
const Law& find_law(const Arithmetic&);
Arithmetic arithmetic_of(const Target&);
std::string_view name(Scheme);  ///< "w8a8"
bool supports(const Target&, Scheme);

}  // namespace openrknn
