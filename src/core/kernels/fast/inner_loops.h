// What the CPU kinds contribute: inner loops as plain functions on plain data. What to compute (geometry, packing,
// tiles) is decided once, for every CPU, by the .cpp files of this folder; fast/<cpu>/ holds only loops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace openrknn::fast {

/// Functions of one float that inner loops know; parameters as in reference/activation.h.
enum class Function : uint8_t {
  Identity,
  Relu,
  Clip,
  LeakyRelu,
  Elu,
  Selu,
  Celu,
  HardSigmoid,
  HardSwish,
  Sigmoid,
  Tanh,
  Softplus,
  Softsign,
  SiLU,
  Mish,
  GeluErf,
  GeluTanh,
  Erf,
  Exp,
  Log,
  Sqrt,
};
struct Activation {
  Function function = Function::Identity;
  float alpha = 0, beta = 0, gamma = 0, low = 0, high = 0;
};

/// The output stage of integer kernels in floats, where that gives the same codes (floats_fit_stage()). 1.5 * 2^23
/// rounds to integers as 1.5 * 2^52 does in doubles; the bits of the floats around it count whole numbers.
inline constexpr float kFloatRound = 0x1.8p23f;
struct FloatRequantize {
  const float* channel = nullptr;  ///< per column: multiplier / 2^channel_shift; null: only doubles are exact
  float slope = 1, multiplier = 1;
  float start = 0;                            ///< 1.5 * 2^23 and the zero point, if that comes before the rounding
  int32_t low = 0, high = 0, zero_point = 0;  ///< clamps as bits, and what makes codes of bits
};

/// A curved activation as interpolate_table() (fixed_point.h) takes it: 513 entries.
struct CurveTable {
  const int16_t* entries = nullptr;  ///< null: no curve
  int32_t zero_point = 0, low = -128, high = 127;
};

/// The output stage of integer kernels (output_stage.h) in doubles. Every step is exact: the products have at most 46
/// bits, scaling by powers of two costs none, and adding 1.5 * 2^52 rounds half to even like round_shift.
struct Requantize {
  const int32_t* offset = nullptr;                     ///< per column: bias and zero point terms
  const int32_t* sum_factor = nullptr;                 ///< per column: times the sum of the window's codes; null: none
  const double* channel = nullptr;                     ///< per column: multiplier / 2^channel_shift
  double slope = 1;                                    ///< of negative values / 2^14 (LeakyRelu)
  double multiplier = 1;                               ///< multiplier / 2^shift
  double zero_point_before = 0, zero_point_after = 0;  ///< one of them is the zero point, by the law
  double low = -128, high = 127;                       ///< clamp after `multiplier` and the zero points
  const int8_t* lookup = nullptr;  ///< code of pre-activation p at [p]; low … high is then int16's
  CurveTable curve;                ///< the same, where several are computed together
  bool leaky = false;
  bool saturates = true;  ///< an accumulator times its channel factor may leave int32
  FloatRequantize floats;
};

/// What makes sums of codes the Int32 sums of the numbers they stand for: a number is a code and a shift. All of it
/// wraps, as the sums do.
struct IntegerSums {
  const int32_t* row_shift = nullptr;  ///< per row: times `column`
  const int32_t* column = nullptr;     ///< per column, whole vectors: sum of the second operand's numbers
  const int32_t* bias = nullptr;       ///< per column, whole vectors; null: none
  int32_t window_factor = 0;           ///< times the sum of the row's codes
};

/// One tile of an implicit matrix product: outputs[row][column] = sum over k of input[row][k] * weight[k][column].
/// k runs over `runs` stretches of `run_length` contiguous activations; where a stretch starts differs by row.
/// Rows come in blocks of `block_rows`: the start of stretch `run` of row `i` in block `b` is
/// inputs[(b * runs + run) * block_rows + i].
struct GemmTile {
  const void* const* inputs = nullptr;
  int64_t rows = 0, block_rows = 1;
  int64_t runs = 0, run_length = 0;
  const std::byte* weights = nullptr;  ///< the tile's first panel (packing.h)
  int64_t columns = 0;
  void* const* outputs = nullptr;  ///< per row, where its first column goes
  std::byte* partial = nullptr;    ///< room for a panel of accumulators per row
  // Floats:
  const float* bias = nullptr;  ///< per column, whole panels; null: none
  Activation activation;
  bool half = false;  ///< outputs are Float16: rounded once, after the activation
  // Integers:
  Requantize requantize;
  int32_t* sums = nullptr;                ///< room for one sum per row
  const IntegerSums* integers = nullptr;  ///< outputs are Int32: no output stage
};

/// One output line of a channel by channel convolution: out[x][c] = sum over taps of in[line][x * stride - pad +
/// tap * dilation][c] * weight[line][tap][c]. Taps beyond the line are skipped; so are lines, by not being listed.
struct DepthwiseLine {
  const void* const* lines = nullptr;     ///< input lines, one a kernel row that lies inside the input
  const float* const* weights = nullptr;  ///< [taps][padded_channels] for each of them
  int64_t line_count = 0;
  int64_t taps = 1, stride = 1, dilation = 1, pad = 0;
  int64_t in_width = 0, out_width = 0;
  int64_t channels = 0, padded_channels = 0;  ///< the latter: whole vectors
  void* out = nullptr;
  const float* bias = nullptr;  ///< floats: null or padded_channels
  Activation activation;
  float input_zero_point = 0;  ///< codes
  Requantize requantize;       ///< codes
  /// Codes: requantize.offset less the input's zero point times the weights of a window that lies inside the input;
  /// null: lines are missing.
  const int32_t* whole_offset = nullptr;
};

/// One output line of a channel by channel convolution of codes whose products come in groups of four kernel rows
/// (depthwise_dot_loops.h).
struct DepthwiseDot {
  const int8_t* const* lines = nullptr;  ///< input lines, four a group; those outside are lines of padding
  int64_t groups = 1;                    ///< of four kernel rows
  int64_t taps = 1, stride = 1, dilation = 1, pad = 0;
  int64_t in_width = 0, out_width = 0;
  int64_t channels = 0, padded_channels = 0;  ///< the latter: whole vectors
  int64_t pitch = 0;                          ///< channels that are staged together: all, or kDepthwiseBlock
  int64_t segment = 0;                        ///< outputs that are staged together
  bool wide = false;                          ///< weights of nine bits, in two parts: w & 1, then w >> 1
  const std::byte* weights = nullptr;         ///< [groups][taps][parts][padded_channels] of four int8
  int32_t padding = 0;                        ///< four codes as they are staged
  std::byte* staging = nullptr;               ///< `group_bytes` a group, and kDepthwiseSlack
  int64_t group_bytes = 0;
  int8_t* out = nullptr;
  Requantize requantize;
};
inline constexpr int64_t kDepthwiseBlock = 64, kDepthwiseSlack = 1024;

/// How one CPU kind wants a matrix product's operands, and its loop.
struct Gemm {
  int rows = 1;             ///< output rows a register tile holds at most
  int lanes = 1;            ///< columns in a vector; a panel is two vectors
  int group = 1;            ///< consecutive k that one multiply-add takes
  bool interleaved = true;  ///< a group's k are neighbours within the vector; false: the vector holds k after k
  int activation_bytes = 4, weight_bytes = 4;
  int code_offset = 0;  ///< added to activations when they are converted
  void (*run)(const GemmTile&) = nullptr;
  /// Codes: to activations as the loops read them; null: they are read as they are.
  void (*convert_codes)(const int8_t* in, void* out, int64_t count) = nullptr;
  /// Codes: packs one panel of `vectors` vectors of columns of a matrix with `depth` rows, `row_bytes` apart; `sums`
  /// get the sum of each column. Reads whole vectors, up to 64 bytes past the matrix.
  void (*pack_codes)(const int8_t* from, int64_t row_bytes, int64_t depth, int64_t vectors, std::byte* to,
                     int32_t* sums) = nullptr;
  /// Codes: Int32 numbers as codes (integer_loops.h).
  void (*range_of)(const int32_t* in, int64_t count, int32_t* low, int32_t* high) = nullptr;
  void (*narrow_integers)(const int32_t* in, int8_t* out, int64_t count, int32_t shift) = nullptr;
};

/// sums[row][lane] = sum over k of inputs[row][k] * weight[k][lane] of int16 codes, one panel of columns
/// (wide_loops.h).
struct WideTile {
  const int16_t* inputs = nullptr;
  int64_t row_stride = 0, rows = 0;
  int64_t pairs = 0;  ///< of k; the last one may reach past a row, where its weights are 0
  const std::byte* weights = nullptr;
  int64_t* sums = nullptr;
};
struct WideGemm {
  int lanes = 1;  ///< columns of a panel
  bool interleaved = true;
  void (*run)(const WideTile&) = nullptr;
};

/// The last step of an integer law: clamp(rne(v multiplier) + zero point), exact for the reason Requantize gives.
struct CodeScale {
  double multiplier = 1;                               ///< multiplier / 2^shift
  double zero_point_before = 0, zero_point_after = 0;  ///< one of them is the zero point, by the law
  double low = -128, high = 127;
};

enum class Pair : uint8_t { Add, Sub, Mul, Div, Max, Min };
/// A function of two codes. Add and Sub: out((a - za) ma + (b - zb) mb), multipliers of 16 bits; Mul: out((a - za) (b -
/// zb)); Max and Min: the larger or smaller of a_out(a - za) and out(b - zb).
struct CodePair {
  Pair function = Pair::Add;
  int32_t a_zero_point = 0, b_zero_point = 0;
  int32_t a_multiplier = 1, b_multiplier = 1;  ///< Sub: b's is negative
  CodeScale a_out, out;
};

/// Neighbours between floats and codes (QuantizeLinear, DequantizeLinear); one scale and zero point, or one each.
struct QuantizeStretch {
  float* floats = nullptr;
  void* codes = nullptr;
  int64_t count = 0;
  const float *scale = nullptr, *zero_point = nullptr;
  bool advances = false;
  float low = 0, high = 0;  ///< codes the type holds
};
using QuantizeLoop = void (*)(const QuantizeStretch&);
/// One loop an integer type.
struct QuantizeLoops {
  QuantizeLoop int8 = nullptr, uint8 = nullptr, int16 = nullptr, uint16 = nullptr, int32 = nullptr;
};

/// One output pixel of a pool: the taps inside the input.
struct PoolPixel {
  const void* const* taps = nullptr;
  int64_t count = 0, channels = 0;
  float divisor = 1;  ///< averages
  int32_t start = 0;  ///< averages of codes: the zero points of all taps, taken off
  CodeScale scale;    ///< averages of codes
  void* out = nullptr;
};

/// The state's share of a recurrent layer's gates: sums[row][column] continues with fma over k of
/// inputs[row][k] * weights[k][column]. Weights stand in panels of four vectors of columns, k by k.
struct RecurrentProduct {
  const float* inputs = nullptr;
  int64_t rows = 0, input_stride = 0, depth = 0;
  const float* weights = nullptr;
  float* sums = nullptr;
  int64_t sum_stride = 0, columns = 0;  ///< columns: whole panels
};
/// One step of one sequence, once its gates are summed up. Gates stand one after the other, `hidden` each.
struct LstmStep {
  int64_t hidden = 0;
  float* gates = nullptr;           ///< input, output, forget, cell; overwritten
  const float* peephole = nullptr;  ///< of input, output, forget; null: none
  float *cell = nullptr, *state = nullptr;
  Activation gate, candidate, result;
  float clip = 0;       ///< bound before a gate's function; infinity: none
  float cell_clip = 0;  ///< bound of the cell after the step; infinity: none
  bool input_forget = false;
};
struct GruStep {
  int64_t hidden = 0;
  float *update_reset = nullptr, *candidate = nullptr;  ///< sums; overwritten
  float* state = nullptr;
  float* product = nullptr;      ///< linear_before_reset: the state's share of the candidate
  const float* bias = nullptr;   ///< what is added to it; null: nothing
  float* reset_state = nullptr;  ///< otherwise: where reset times state goes
  Activation gate, result;
  float clip = 0;
};
/// One output row of a linear Resize: columns of up to two input lines, each column of up to two pixels.
struct BlendRow {
  const void* lines[2] = {nullptr, nullptr};  ///< the second is null where the height is copied
  float line_weights[2] = {1, 0};
  const int64_t* index = nullptr;  ///< [out][columns]: pixels of a line
  const float* weight = nullptr;   ///< [out][columns]
  int64_t columns = 1;             ///< 1: the width is copied
  int64_t out = 0, channels = 0;
  void* to = nullptr;
};
inline constexpr int64_t kMostShort = 16;  ///< values of a short row

struct InnerLoops {
  Gemm gemm_float = {}, gemm_codes = {};
  WideGemm gemm_wide = {};
  int lanes = 1;  ///< floats in a vector
  void (*depthwise_float)(const DepthwiseLine&) = nullptr;
  void (*depthwise_half)(const DepthwiseLine&) = nullptr;
  void (*depthwise_codes)(const DepthwiseLine&) = nullptr;
  void (*depthwise_dot)(const DepthwiseDot&) = nullptr;  ///< null: no products of four bytes
  void (*apply)(const Activation&, const float* in, float* out, int64_t count) = nullptr;
  void (*softmax)(const float* in, float* out, int64_t count) = nullptr;                       ///< in place allowed
  void (*log_softmax)(const float* in, float* out, float* terms, int64_t count) = nullptr;     ///< in place allowed
  void (*softmax_short)(const float* in, float* out, int64_t rows, int64_t length) = nullptr;  ///< up to kMostShort
  void (*softmax_columns)(const float* in, float* out, int64_t extent, int64_t stride, int64_t columns) = nullptr;
  void (*layer_norm)(float* values, int64_t count, const float* scale, const float* bias, float epsilon) = nullptr;
  void (*combine_codes)(const CodePair&, const int8_t* a, const int8_t* b, int8_t* out, int64_t count) = nullptr;
  void (*combine_floats)(Pair, const float* a, const float* b, float* out, int64_t count) = nullptr;
  void (*encode_codes)(const float* in, int8_t* out, int64_t count, double scale, double zero_point) = nullptr;
  void (*map_codes)(const std::array<int8_t, 256>& table, const int8_t* in, int8_t* out,
                    int64_t count) = nullptr;  ///< in place allowed
  void (*max_float)(const PoolPixel&) = nullptr;
  void (*max_half)(const PoolPixel&) = nullptr;
  void (*max_codes)(const PoolPixel&) = nullptr;
  void (*average_float)(const PoolPixel&) = nullptr;
  void (*average_half)(const PoolPixel&) = nullptr;
  void (*average_codes)(const PoolPixel&) = nullptr;
  void (*blend_float)(const BlendRow&) = nullptr;
  void (*blend_half)(const BlendRow&) = nullptr;
  void (*sum_codes)(const int8_t* from, int64_t rows, int64_t row_bytes, int64_t columns, int32_t* sums) = nullptr;
  QuantizeLoops quantize = {}, dequantize = {};
  void (*recurrent_product)(const RecurrentProduct&) = nullptr;
  void (*lstm_step)(const LstmStep&) = nullptr;
  void (*gru_reset)(const GruStep&) = nullptr;   ///< update and reset gates, and what the reset gate acts on
  void (*gru_update)(const GruStep&) = nullptr;  ///< candidate and new state
  void (*bounded)(const Activation&, float clip, float* values, int64_t count) = nullptr;  ///< clip, then function
  void (*half_to_float)(const uint16_t* in, float* out, int64_t count) = nullptr;
  void (*float_to_half)(const float* in, uint16_t* out, int64_t count) = nullptr;
};

}  // namespace openrknn::fast
