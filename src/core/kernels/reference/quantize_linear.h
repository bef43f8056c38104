// Which scale and zero point an element of QuantizeLinear and DequantizeLinear has.
#pragma once

#include "core/kernels/reference/packed4.h"
#include "core/kernels/reference/prepared.h"

namespace openrknn::reference {

using LinearCodes = Types<int8_t, uint8_t, int16_t, uint16_t, int32_t>;

/// The tensor as [outer, extent, inner]. One scale, or one an index of `extent`, or one for every `block` of them.
struct Linear {
  enum class Scales : uint8_t { One, Axis, Blocks } scales = Scales::One;
  int64_t extent = 1, inner = 1, block = 1, blocks = 1;
  DType code_type = DType::Int8;
  DType zero_point_type = DType::Int8;
  bool has_zero_point = false;
  float low = 0, high = 0;  // codes the output holds
  FloatVector scale;
  Tiles tiles;

  int64_t parameter(int64_t outer, int64_t at, int64_t column) const {
    if (scales == Scales::One) return 0;
    return scales == Scales::Axis ? at : (outer * blocks + at / block) * inner + column;
  }
  int64_t zero_point(std::span<const Buffer> buffers, int64_t index) const {
    if (!has_zero_point) return 0;
    if (is_packed4(zero_point_type)) return load_packed4(buffers[2].data, index, is_signed(zero_point_type));
    int64_t code = 0;
    visit(LinearCodes{}, zero_point_type, [&]<class T>(Tag<T>) { code = input<T>(buffers, 2)[index]; });
    return code;
  }
};

/// Calls work(position, count, parameter index, whether it advances) for stretches of neighbours that share an index of
/// the axis.
template <class Work>
void for_stretches(const Linear& s, int64_t tile, Work work) {
  const int64_t end = s.tiles.end(tile);
  for (int64_t i = s.tiles.begin(tile); i < end;) {
    const int64_t column = i % s.inner, at = i / s.inner % s.extent, outer = i / s.inner / s.extent;
    // Neighbours along the axis itself: their scales are neighbours too.
    const bool along = s.scales == Linear::Scales::Axis && s.inner == 1;
    const int64_t count = std::min(along ? s.extent - at : s.inner - column, end - i);
    work(i, count, s.parameter(outer, at, column), along || s.scales == Linear::Scales::Blocks);
    i += count;
  }
}

/// The call's parameters; `codes` is the operand that holds codes.
inline Linear linear_of(const Call& call, const Operand& codes, ScratchLayout& scratch) {
  const Shape &x = call.inputs[0].shape, &scale = call.inputs[1].shape;
  Linear s;
  s.scale = FloatVector(call, 1, scratch);
  s.code_type = codes.dtype;
  s.low = static_cast<float>(lowest_code(codes.dtype));
  s.high = static_cast<float>(highest_code(codes.dtype));
  s.has_zero_point = present(call.inputs, 2);
  if (s.has_zero_point) s.zero_point_type = call.inputs[2].dtype;
  s.tiles = {element_count(x)};
  if (scale.empty()) {
    s.inner = std::max<int64_t>(1, s.tiles.total);
    return s;
  }
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  const int64_t block = int_attribute(call.node.attributes, "block_size", 0);
  s.scales = block == 0 ? Linear::Scales::Axis : Linear::Scales::Blocks;
  s.block = std::max<int64_t>(1, block);
  s.extent = std::max<int64_t>(1, x[axis]);
  for (size_t d = axis + 1; d < x.size(); ++d) s.inner *= std::max<int64_t>(1, x[d]);
  s.blocks = (s.extent + s.block - 1) / s.block;
  return s;
}

}  // namespace openrknn::reference
