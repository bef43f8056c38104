// What a matrix product of the RKNN C API is, before any data: types, layouts, block sizes, limits. Tables of
// docs/c_api.md ("Matmul").
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/targets/targets.h"

namespace openrknn {

/// C = A x B with these element types.
struct MatmulKind {
  int number;  ///< of rknn_matmul_type
  std::string_view name;
  DType a, b, c;
  bool scaled;  ///< C holds real numbers or codes of a scale; else exact sums
};
/// Null for numbers without a type.
const MatmulKind* find_matmul_kind(int number);

enum class MatmulLayout : uint8_t { Normal, Native, Transposed };
enum class MatmulQuant : uint8_t { LayerSym, LayerAsym, ChannelSym, ChannelAsym, GroupSym, GroupAsym };
enum class MatmulSide : uint8_t { A, B, C };

/// Elements of the blocks that native layouts are made of, and how an extent has to be aligned.
struct MatmulBlocks {
  int64_t a_k = 0, b_n = 0, b_k = 0, c_n = 0;
  int64_t k_alignment = 0, n_alignment = 0;
  int64_t segment = 0;  ///< native B: this many k are laid out at a time; 0: all
};

struct MatmulShape {
  int64_t m = 0, k = 0, n = 0;
  bool operator==(const MatmulShape&) const = default;
};

struct MatmulSpec {
  const MatmulKind* kind = nullptr;
  const Target* target = nullptr;
  MatmulLayout b_layout = MatmulLayout::Normal, ac_layout = MatmulLayout::Normal;
  MatmulQuant b_quant = MatmulQuant::LayerSym;
  int64_t group = 0;  ///< k that share a scale of B, with GroupSym and GroupAsym
  MatmulBlocks blocks = {};
};

inline bool is_per_channel(MatmulQuant q) { return q == MatmulQuant::ChannelSym || q == MatmulQuant::ChannelAsym; }
inline bool is_per_group(MatmulQuant q) { return q == MatmulQuant::GroupSym || q == MatmulQuant::GroupAsym; }
inline bool is_asymmetric(MatmulQuant q) { return static_cast<int>(q) % 2 == 1; }

/// Throws Error (ConfigUnsupported) naming what the SoC does not have.
MatmulBlocks matmul_blocks(const Target&, const MatmulKind&);
/// Throws Error (RuntimeBadArgument) naming every number that does not fit.
void require_matmul_shape(const MatmulSpec&, const MatmulShape&);

/// As rknn_matmul_tensor_attr says them.
std::vector<int64_t> matmul_dims(const MatmulSpec&, const MatmulShape&, MatmulSide);
DType matmul_dtype(const MatmulSpec&, MatmulSide);
int64_t matmul_bytes(const MatmulSpec&, const MatmulShape&, MatmulSide);
/// How many scales B has.
int64_t matmul_b_scales(const MatmulSpec&, const MatmulShape&);

}  // namespace openrknn
