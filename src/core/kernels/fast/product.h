// Convolution, transposed convolution and matrix product as one thing: output pixels times output channels, where each
// output pixel names the stretches of input it multiplies. No input is unfolded; loops get pointers into it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/kernel.h"
#include "core/kernels/output_stage.h"

namespace openrknn::fast {

/// One spatial axis: output o, written to position origin + o * spread, reads input o * step + offsets[tap].
struct ProductAxis {
  int64_t in = 1, out = 1;
  int64_t step = 1;
  std::vector<int64_t> offsets = {0};
  int64_t origin = 0, spread = 1;
};

/// Outputs that share their taps: all of them in a convolution, one phase of the strides in a transposed one.
struct ProductPart {
  ProductAxis height, width;
  std::vector<int64_t> taps;    ///< per run of the grid height x width: index of the tap in the weight constant
  Weights::Packed weights;      ///< null: the second operand is computed, packed by each tile
  std::vector<int32_t> offset;  ///< integers: per column, bias and the zero point terms of these taps
  // Tiling, set by plan_tiles().
  int64_t tile_lines = 1, tile_columns = 1, tile_panels = 1;
  int64_t line_tiles = 1, column_tiles = 1, panel_tiles = 1;
  int64_t first_tile = 0;
};

struct Product {
  const InnerLoops* loops = nullptr;  ///< conversions
  const Gemm* gemm = nullptr;
  DType input = DType::Float32, output = DType::Float32;
  int64_t images = 1, in_channels = 1, out_channels = 1, groups = 1;
  int64_t out_height = 1, out_width = 1;  ///< of the whole output, all parts
  std::vector<ProductPart> parts;

  // Matrix products with a computed second operand [K, N] per image: element offsets per image, else empty.
  std::vector<int64_t> a_offsets, b_offsets;
  DType b = DType::Float32;

  // Output stage. Per-column arrays are laid out [group][panel columns].
  std::vector<float> bias;
  Activation activation;
  std::vector<int32_t> sum_factor;
  std::vector<double> channel;
  std::vector<float> float_channel;  ///< instead of `channel` where floats_fit_stage()
  Weights::Packed lookup;
  std::vector<int16_t> curve;
  Requantize requantize;

  // How activations are read, set by plan_tiles().
  bool staged = false;  ///< a tile copies the input it needs to scratch: converted, with the padding written out
  bool merged = false;  ///< staged, and all taps of a kernel row are one stretch
  int32_t padding = 0;  ///< the code that stands for real 0
  std::vector<std::byte> padding_pixel;
  int64_t tiles = 1;
  int64_t inputs_at = 0, outputs_at = 0, sums_at = 0, partial_at = 0, panels_at = 0, offsets_at = 0, scratch = 0;

  int64_t group_channels() const { return in_channels / groups; }
  int64_t group_columns() const { return out_channels / groups; }
  int64_t panel_columns() const { return 2 * gemm->lanes; }
  int64_t panels() const { return (group_columns() + panel_columns() - 1) / panel_columns(); }
  int64_t padded_columns() const { return panels() * panel_columns(); }
  int64_t runs(const ProductPart& part) const {
    return static_cast<int64_t>(part.height.offsets.size() * (merged ? 1 : part.width.offsets.size()));
  }
  int64_t run_length(const ProductPart& part) const {
    return group_channels() * (merged ? static_cast<int64_t>(part.width.offsets.size()) : 1);
  }
  /// Groups of gemm->group activations that one output multiplies.
  int64_t depth(const ProductPart& part) const {
    return runs(part) * ((run_length(part) + gemm->group - 1) / gemm->group);
  }
  int64_t panel_bytes(const ProductPart& part) const { return depth(part) * 2 * gemm->lanes * 4; }
};

/// Decides how inputs are read and how outputs are cut into tiles, and lays out scratch. Everything above "set by
/// plan_tiles()" must be filled in. Depends on shapes alone.
void plan_tiles(Product&);

/// Weight of output column `column` of `group`, tap `tap` of the constant, channel `channel` of the group.
using WeightAt = std::function<float(int64_t group, int64_t column, int64_t tap, int64_t channel)>;
/// Fills ProductPart::weights of every part. `key` names the constant and how it is to be read; what the parts and the
/// CPU kind make of it is added.
void pack_weights(Product&, Weights&, const std::string& key, const WeightAt&);
/// A computed second operand [K, N]: packs columns first_panel … of it to `to`. Codes: also writes the columns'
/// offsets.
void pack_computed(const Product&, const ProductPart&, const std::byte* b, int64_t first_panel, std::byte* to,
                   int32_t* offsets);

/// True if the integer output stage is exact in the loops: no accumulator of `count` products leaves int32, no value
/// the exact range of round_half_even(). The reference does the rest.
bool stage_fits(const OutputStage&, std::span<const int32_t> bias, int64_t count);
/// The codes of all 65536 pre-activations of a curved activation, from -32768 on; null if the stage has no table.
Weights::Packed lookup_of(const OutputStage&, const Call&, Weights&);
/// Where the loops index it; null if there is none.
const int8_t* lookup_at_zero(const Weights::Packed&);
/// The loops' form of it, without the per-column arrays.
Requantize requantize_of(const OutputStage&);
/// True if the stage gives the same codes in floats for all accumulators up to `largest` of a column with factor
/// `channel`.
bool floats_fit_stage(const Requantize&, double channel, int64_t largest);
/// Sum of output column `column`'s weights at the part's taps; 0 if each tile adds them up (computed operands).
using WeightSum = std::function<int64_t(int64_t column, const ProductPart&)>;
/// Sum of the magnitudes of output column `column`'s weights, less `zero_point`, at all taps.
using WeightMagnitude = std::function<int64_t(int64_t column, int64_t zero_point)>;
/// Fills the product's whole integer output stage from the call, which codes_fit(). Without magnitudes (computed
/// operands) the largest possible ones count.
void fill_output_stage(Product&, const Call&, Weights&, const WeightSum&, const WeightMagnitude&);

/// Prepared::unread_inputs of a kernel that packs its constants: weights, bias and table.
inline constexpr uint32_t kPackedInputs = 0b1110;
/// With fewer columns most lanes of a panel would stay empty.
inline constexpr int64_t kLeastPanelColumns = 4;

/// The product as a kernel's plan-time state, once everything is filled in.
Prepared prepare_product(Product, uint32_t unread_inputs);
/// Kernel::run of it: one tile; buffers are the node's: x, second operand, …, y last.
void run_product(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch);

/// The conditions Conv, ConvTranspose and MatMul share: types of data, weights, bias and output; the fused activation;
/// for codes, sums of `count` products that fit the loops. The bias is a constant or absent.
bool floats_fit(const Call&);
bool codes_fit(const Call&, int64_t count);
/// Bias of a node that codes_fit(), or nothing.
std::span<const int32_t> code_bias(const Call&);

/// Bias of a float node, or an empty vector, laid out for `Product::bias`.
std::vector<float> padded_bias(const Product&, const Tensor* bias);

/// The fused activation of a float node in the form inner loops know; nullopt if they do not.
std::optional<Activation> loop_activation(const Node&);
/// The same for a unary operator.
std::optional<Activation> loop_function(const Node&);

}  // namespace openrknn::fast
