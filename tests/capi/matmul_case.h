// One matrix product with random operands, its layouts and its result written down a second time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "rknn_matmul_api.h"

namespace openrknn::test {

using Bytes = std::vector<uint8_t>;
/// Numbers of a matrix in row-major order, whatever they are stored as.
using Matrix = std::vector<double>;

struct TypeFacts {
  int type;
  DType a, b, c;
  int64_t a_k, b_n, b_k, c_n;  ///< blocks on RK3588
  bool scaled;
};
inline const TypeFacts& facts(int type) {
  constexpr DType h = DType::Float16, f = DType::Float32, i8 = DType::Int8, i4 = DType::Int4;
  static const TypeFacts kRows[] = {{1, h, h, f, 8, 16, 32, 4, false},
                                    {2, i8, i8, DType::Int32, 16, 32, 32, 4, false},
                                    {3, i8, i8, i8, 16, 32, 32, 4, true},
                                    {4, h, h, h, 8, 16, 32, 4, false},
                                    {5, h, i8, f, 8, 32, 32, 4, true},
                                    {6, h, i8, h, 8, 32, 32, 4, true},
                                    {7, h, i4, f, 8, 64, 32, 4, true},
                                    {8, h, i4, h, 8, 64, 32, 4, true},
                                    {9, i8, i8, f, 16, 32, 32, 4, true},
                                    {10, i4, i4, DType::Int16, 32, 64, 32, 8, false},
                                    {11, i8, i4, DType::Int32, 16, 64, 32, 4, false},
                                    {12, h, i4, DType::BFloat16, 8, 64, 32, 4, true},
                                    {15, i8, i4, h, 16, 64, 32, 4, true}};
  return *std::find_if(std::begin(kRows), std::end(kRows), [&](const TypeFacts& row) { return row.type == type; });
}

inline Bytes encode(const Matrix& numbers, DType dtype) {
  Bytes bytes;
  const auto put = [&](auto value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), p, p + sizeof value);
  };
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double v = numbers[i];
    switch (dtype) {
      case DType::Float32:
        put(static_cast<float>(v));
        break;
      case DType::Float16:
        put(Float16(static_cast<float>(v)));
        break;
      case DType::BFloat16:
        put(BFloat16(static_cast<float>(v)));
        break;
      case DType::Int8:
        put(static_cast<int8_t>(v));
        break;
      case DType::Int16:
        put(static_cast<int16_t>(v));
        break;
      case DType::Int32:
        put(static_cast<int32_t>(v));
        break;
      default: {  // two codes a byte, the first in the low nibble
        const auto nibble = static_cast<uint8_t>(static_cast<int>(v) & 15);
        if (i % 2 == 0)
          bytes.push_back(nibble);
        else
          bytes.back() = static_cast<uint8_t>(bytes.back() | nibble << 4);
      }
    }
  }
  return bytes;
}

/// [rows, columns] as [columns / block, rows, block], padded with 0: native A and C.
inline Matrix in_column_blocks(const Matrix& x, int64_t rows, int64_t columns, int64_t block) {
  Matrix out;
  for (int64_t first = 0; first < columns; first += block) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = first; c < first + block; ++c) out.push_back(c < columns ? x[row * columns + c] : 0);
    }
  }
  return out;
}
/// B [K,N] as [N / b_n, K / b_k, b_n, b_k], padded with 0, for each `segment` of k.
inline Matrix native_b(const Matrix& b, int64_t k, int64_t n, int64_t b_n, int64_t b_k, int64_t segment = 8192) {
  Matrix out;
  for (int64_t begin = 0; begin < k; begin += segment) {
    const int64_t end = std::min(k, begin + segment);
    for (int64_t n1 = 0; n1 < n; n1 += b_n) {
      for (int64_t k1 = begin; k1 < end; k1 += b_k) {
        for (int64_t column = n1; column < n1 + b_n; ++column) {
          for (int64_t row = k1; row < k1 + b_k; ++row) out.push_back(column < n && row < k ? b[row * n + column] : 0);
        }
      }
    }
  }
  return out;
}
inline Matrix transposed(const Matrix& x, int64_t rows, int64_t columns) {
  Matrix out;
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) out.push_back(x[r * columns + c]);
  }
  return out;
}

struct MatmulCase {
  int type;
  int64_t m, k, n;
  int b_layout = RKNN_MM_LAYOUT_NORM, ac_layout = RKNN_MM_LAYOUT_NORM;
  int b_quant = RKNN_QUANT_TYPE_PER_LAYER_SYM;
  int64_t group = 0;
  uint32_t seed = 1;

  Matrix a = {}, b = {};
  std::vector<float> sa = {1}, sb = {1}, sc = {1};
  std::vector<int32_t> za = {0}, zb = {0}, zc = {0};

  const TypeFacts& type_facts() const { return facts(type); }

  void fill() {
    std::mt19937 engine(seed);
    const auto numbers = [&](int64_t count, DType dtype) {
      Matrix x;
      for (int64_t i = 0; i < count; ++i) {
        const double uniform = static_cast<double>(engine()) / 4294967296.0;
        if (dtype == DType::Float16)
          x.push_back(static_cast<float>(Float16(static_cast<float>(2 * uniform - 1))));
        else
          x.push_back(std::floor(uniform * (dtype == DType::Int8 ? 256 : 16)) - (dtype == DType::Int8 ? 128 : 8));
      }
      return x;
    };
    a = numbers(m * k, type_facts().a);
    b = numbers(k * n, type_facts().b);
  }
  /// Scales and zero points of the kinds that b_quant names, different for each entry.
  void fill_params() {
    sa = {0.5f};
    const bool per_group = b_quant >= RKNN_QUANT_TYPE_PER_GROUP_SYM;
    const int64_t count = per_group ? n * (k / group) : b_quant >= RKNN_QUANT_TYPE_PER_CHANNEL_SYM ? n : 1;
    sb.clear();
    zb.clear();
    for (int64_t i = 0; i < count; ++i) {
      sb.push_back(0.01f * static_cast<float>(1 + i % 7));
      zb.push_back(b_quant % 2 == 1 ? static_cast<int32_t>(i % 5) - 2 : 0);
    }
    if (type_facts().c == DType::Int8) {
      sc = {40.0f};
      zc = {3};
    }
    if (type_facts().scaled && is_integer(type_facts().a)) za = {-4};
  }
  size_t b_index(int64_t at_k, int64_t column) const {
    if (sb.size() == 1) return 0;
    return static_cast<size_t>(group > 0 ? at_k / group * n + column : column);
  }

  /// docs/c_api.md, "Matmul", once more.
  Matrix expected() const {
    const TypeFacts& type_of = type_facts();
    Matrix c;
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t column = 0; column < n; ++column) {
        c.push_back(is_floating(type_of.a) ? float_element(row, column) : integer_element(row, column));
      }
    }
    return c;
  }
  double float_element(int64_t row, int64_t column) const {
    float sum = 0;
    for (int64_t i = 0; i < k; ++i) {
      const size_t at = b_index(i, column);
      float weight = static_cast<float>(b[i * n + column] - zb[zb.size() > 1 ? at : 0]);
      if (group > 0) weight *= sb[at];
      sum = std::fma(static_cast<float>(a[row * k + i]), weight, sum);
    }
    if (!type_facts().scaled) return sum;
    const double factor = static_cast<double>(sa[0]) / sc[0];
    return static_cast<float>(sum * (group > 0 ? factor : factor * sb[b_index(0, column)]));
  }
  double integer_element(int64_t row, int64_t column) const {
    const TypeFacts& type_of = type_facts();
    int64_t sum = 0, part = 0;
    float total = 0;
    for (int64_t i = 0; i < k; ++i) {
      const size_t at = b_index(i, column);
      const auto product =
          static_cast<int64_t>((a[row * k + i] - za[0]) * (b[i * n + column] - zb[zb.size() > 1 ? at : 0]));
      sum += product;
      part += product;
      if (group > 0 && (i + 1) % group == 0) {
        total = std::fma(static_cast<float>(part), sb[at], total);
        part = 0;
      }
    }
    if (!type_of.scaled) {
      if (type == 2 && sb.size() == static_cast<size_t>(n) && group == 0) {
        const float largest = *std::max_element(sb.begin(), sb.end());
        return std::nearbyint(static_cast<double>(sum) * (sb[static_cast<size_t>(column)] / largest));
      }
      return type == 10 ? std::clamp<double>(static_cast<double>(sum), -32768, 32767) : static_cast<double>(sum);
    }
    const double factor = static_cast<double>(sa[0]) / sc[0];
    const double value = group > 0 ? total * factor : static_cast<double>(sum) * (factor * sb[b_index(0, column)]);
    if (type_of.c == DType::Int8) return std::clamp(std::trunc(value) + zc[0], -128.0, 127.0);
    return static_cast<float>(value);
  }

  // What lies in memory.
  Bytes a_bytes() const {
    return encode(ac_layout == RKNN_MM_LAYOUT_NATIVE ? in_column_blocks(a, m, k, type_facts().a_k) : a, type_facts().a);
  }
  Bytes b_bytes() const {
    const TypeFacts& f = type_facts();
    return encode(b_layout == RKNN_MM_LAYOUT_NATIVE    ? native_b(b, k, n, f.b_n, f.b_k)
                  : b_layout == RKNN_MM_LAYOUT_TP_NORM ? transposed(b, k, n)
                                                       : b,
                  f.b);
  }
  Bytes c_bytes() const {
    const Matrix c = expected();
    return encode(ac_layout == RKNN_MM_LAYOUT_NATIVE ? in_column_blocks(c, m, n, type_facts().c_n) : c, type_facts().c);
  }

  rknn_matmul_info info() const {
    rknn_matmul_info info{};
    info.M = static_cast<int32_t>(m);
    info.K = static_cast<int32_t>(k);
    info.N = static_cast<int32_t>(n);
    info.type = static_cast<rknn_matmul_type>(type);
    info.B_layout = static_cast<int16_t>(b_layout);
    info.AC_layout = static_cast<int16_t>(ac_layout);
    info.B_quant_type = static_cast<int16_t>(b_quant);
    info.group_size = static_cast<int16_t>(group);
    return info;
  }
};

/// A context with memory for its matrices, as programs hold it.
struct MatmulProgram {
  rknn_matmul_ctx context = 0;
  rknn_matmul_io_attr io{};
  rknn_tensor_mem* memory[3] = {};

  ~MatmulProgram() {
    for (rknn_tensor_mem* mem : memory) {
      if (mem != nullptr) rknn_destroy_mem(context, mem);
    }
    if (context != 0) rknn_matmul_destroy(context);
  }
  int create(const MatmulCase& c) {
    rknn_matmul_info info = c.info();
    return rknn_matmul_create(&context, &info, &io);
  }
  void allocate() {
    rknn_matmul_tensor_attr* attrs[] = {&io.A, &io.B, &io.C};
    for (int i = 0; i < 3; ++i) {
      memory[i] = rknn_create_mem(context, attrs[i]->size);
      ASSERT_NE(memory[i], nullptr);
      ASSERT_EQ(rknn_matmul_set_io_mem(context, memory[i], attrs[i]), RKNN_SUCC);
    }
  }
  int set_params(const char* name, std::vector<float> scale, std::vector<int32_t> zero) {
    rknn_quant_params params{};
    std::strcpy(params.name, name);
    params.scale = scale.data();
    params.scale_len = static_cast<int32_t>(scale.size());
    params.zp = zero.data();
    params.zp_len = static_cast<int32_t>(zero.size());
    const int code = rknn_matmul_set_quant_params(context, &params);
    std::fill(scale.begin(), scale.end(), -1.0f);  // the runtime has its own copy
    return code;
  }
  void write(int side, const Bytes& bytes) {
    ASSERT_EQ(bytes.size(), memory[side]->size);
    std::memcpy(memory[side]->virt_addr, bytes.data(), bytes.size());
  }
  Bytes result() const {
    const auto* data = static_cast<const uint8_t*>(memory[2]->virt_addr);
    return {data, data + memory[2]->size};
  }
};

}  // namespace openrknn::test
