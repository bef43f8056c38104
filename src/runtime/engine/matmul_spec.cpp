#include "runtime/engine/matmul_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr DType kHalf = DType::Float16, kFloat = DType::Float32;
constexpr std::array kKinds = {
    MatmulKind{1, "FLOAT16_MM_FLOAT16_TO_FLOAT32", kHalf, kHalf, kFloat, false},
    MatmulKind{2, "INT8_MM_INT8_TO_INT32", DType::Int8, DType::Int8, DType::Int32, false},
    MatmulKind{3, "INT8_MM_INT8_TO_INT8", DType::Int8, DType::Int8, DType::Int8, true},
    MatmulKind{4, "FLOAT16_MM_FLOAT16_TO_FLOAT16", kHalf, kHalf, kHalf, false},
    MatmulKind{5, "FLOAT16_MM_INT8_TO_FLOAT32", kHalf, DType::Int8, kFloat, true},
    MatmulKind{6, "FLOAT16_MM_INT8_TO_FLOAT16", kHalf, DType::Int8, kHalf, true},
    MatmulKind{7, "FLOAT16_MM_INT4_TO_FLOAT32", kHalf, DType::Int4, kFloat, true},
    MatmulKind{8, "FLOAT16_MM_INT4_TO_FLOAT16", kHalf, DType::Int4, kHalf, true},
    MatmulKind{9, "INT8_MM_INT8_TO_FLOAT32", DType::Int8, DType::Int8, kFloat, true},
    MatmulKind{10, "INT4_MM_INT4_TO_INT16", DType::Int4, DType::Int4, DType::Int16, false},
    MatmulKind{11, "INT8_MM_INT4_TO_INT32", DType::Int8, DType::Int4, DType::Int32, false},
    MatmulKind{12, "FLOAT16_MM_INT4_TO_BFLOAT16", kHalf, DType::Int4, DType::BFloat16, true},
    MatmulKind{15, "INT8_MM_INT4_TO_FLOAT16", DType::Int8, DType::Int4, kHalf, true},
};

constexpr int64_t kMostK = 10240;

/// A's and B's blocks and alignments by element type; 0: the SoC has no such products.
struct TypeRow {
  int64_t a_k, b_n, b_k, k_alignment, n_alignment;
};
struct SocRow {
  std::string_view target;
  int64_t segment;
  TypeRow int4, int8, float16;
};
constexpr TypeRow kNone{0, 0, 0, 0, 0};
constexpr std::array kSocs = {
    SocRow{"rk3562", 0, kNone, {16, 16, 32, 32, 16}, {8, 8, 32, 32, 8}},
    SocRow{"rk3566", 0, kNone, {8, 16, 32, 32, 16}, {4, 8, 16, 16, 8}},
    SocRow{"rk3568", 0, kNone, {8, 16, 32, 32, 16}, {4, 8, 16, 16, 8}},
    SocRow{"rk3576", 4096, {32, 64, 32, 32, 64}, {16, 32, 32, 32, 32}, {8, 16, 32, 32, 16}},
    SocRow{"rk3588", 8192, {32, 64, 32, 32, 64}, {16, 32, 32, 32, 32}, {8, 16, 32, 32, 16}},
};

const TypeRow& type_row(const SocRow& soc, DType dtype) {
  return dtype == DType::Int4 ? soc.int4 : dtype == DType::Int8 ? soc.int8 : soc.float16;
}

}  // namespace

const MatmulKind* find_matmul_kind(int number) {
  const auto* row = std::find_if(kKinds.begin(), kKinds.end(), [&](const MatmulKind& k) { return k.number == number; });
  return row == kKinds.end() ? nullptr : row;
}

MatmulBlocks matmul_blocks(const Target& target, const MatmulKind& kind) {
  const auto* soc = std::find_if(kSocs.begin(), kSocs.end(), [&](const SocRow& s) { return s.target == target.name; });
  const bool known = soc != kSocs.end();
  if (!known || type_row(*soc, kind.a).a_k == 0 || type_row(*soc, kind.b).b_n == 0) {
    fail(Code::ConfigUnsupported,
         fmt::format("{} has no matrix products{}", target.display_name, known ? fmt::format(" {}", kind.name) : ""),
         known ? "int4 needs RK3588 or RK3576" : "matrix products need RK3562, RK3566, RK3568, RK3576 or RK3588");
  }
  const TypeRow &a = type_row(*soc, kind.a), &b = type_row(*soc, kind.b);
  return {.a_k = a.a_k,
          .b_n = b.b_n,
          .b_k = b.b_k,
          .c_n = kind.c == DType::Int16 ? 8 : 4,
          .k_alignment = std::max(a.k_alignment, b.k_alignment),
          .n_alignment = b.n_alignment,
          .segment = soc->segment};
}

void require_matmul_shape(const MatmulSpec& spec, const MatmulShape& shape) {
  Diagnostics problems;
  const auto wrong = [&](std::string problem) { problems.add(Code::RuntimeBadArgument, {}, std::move(problem)); };
  const auto aligned = [&](std::string_view name, int64_t v, int64_t alignment) {
    if (v < 1 || v % alignment != 0) {
      wrong(fmt::format("{} is {}, {} on {} needs a multiple of {}", name, v, spec.kind->name,
                        spec.target->display_name, alignment));
    }
  };
  if (shape.m < 1) wrong(fmt::format("M is {}, expected at least 1", shape.m));
  aligned("K", shape.k, spec.blocks.k_alignment);
  aligned("N", shape.n, spec.blocks.n_alignment);
  if (shape.k > kMostK) wrong(fmt::format("K is {}, at most {} is possible", shape.k, kMostK));
  if (is_per_group(spec.b_quant) && (spec.group < 1 || shape.k % spec.group != 0)) {
    wrong(fmt::format("group_size is {}, expected a divisor of K = {}", spec.group, shape.k));
  }
  problems.throw_if_any();
  for (const MatmulSide side : {MatmulSide::A, MatmulSide::B, MatmulSide::C}) {
    if (matmul_bytes(spec, shape, side) > UINT32_MAX) {
      wrong(fmt::format("M = {}, K = {}, N = {} make a matrix of more than 4 GB", shape.m, shape.k, shape.n));
      break;
    }
  }
  problems.throw_if_any();
}

std::vector<int64_t> matmul_dims(const MatmulSpec& spec, const MatmulShape& shape, MatmulSide side) {
  const MatmulBlocks& blocks = spec.blocks;
  const bool native = spec.ac_layout == MatmulLayout::Native;
  const auto count = [](int64_t v, int64_t block) { return (v + block - 1) / block; };
  switch (side) {
    case MatmulSide::A:
      if (native) return {count(shape.k, blocks.a_k), shape.m, blocks.a_k};
      return {shape.m, shape.k};
    case MatmulSide::B:
      if (spec.b_layout == MatmulLayout::Native) {
        return {count(shape.n, blocks.b_n), count(shape.k, blocks.b_k), blocks.b_n, blocks.b_k};
      }
      if (spec.b_layout == MatmulLayout::Transposed) return {shape.n, shape.k};
      return {shape.k, shape.n};
    case MatmulSide::C:
      break;
  }
  if (native) return {count(shape.n, blocks.c_n), shape.m, blocks.c_n};
  return {shape.m, shape.n};
}

DType matmul_dtype(const MatmulSpec& spec, MatmulSide side) {
  return side == MatmulSide::A ? spec.kind->a : side == MatmulSide::B ? spec.kind->b : spec.kind->c;
}

int64_t matmul_bytes(const MatmulSpec& spec, const MatmulShape& shape, MatmulSide side) {
  int64_t elements = 1;
  for (const int64_t extent : matmul_dims(spec, shape, side)) elements *= extent;
  return byte_size(matmul_dtype(spec, side), elements);
}

int64_t matmul_b_scales(const MatmulSpec& spec, const MatmulShape& shape) {
  if (is_per_group(spec.b_quant)) return shape.n * (shape.k / spec.group);
  return is_per_channel(spec.b_quant) ? shape.n : 1;
}

}  // namespace openrknn
