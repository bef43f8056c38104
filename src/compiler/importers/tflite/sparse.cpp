// Sparse constants: a tree whose levels are dimensions (whole or cut into blocks), dense or compressed (CSR).
// The format: "sparsity" of schema.fbs; dimensions past the tensor's are those inside of blocks.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "compiler/importers/tflite/model.h"

namespace openrknn::tflite {
namespace {

[[noreturn]] void refuse(std::string problem) { fail(Code::ImportBadFile, "sparse content: " + std::move(problem)); }

/// Unsigned numbers of one of the three kinds of vector, copied: they are few.
std::vector<int64_t> numbers_of(uint8_t type, const file::Options* table, flatbuffers::Verifier& verifier) {
  std::vector<int64_t> result;
  const auto take = [&](const auto* vector) {
    if (!verifier.VerifyTable(vector)) refuse("its indices are damaged");
    if (vector->values() != nullptr)
      for (const auto value : *vector->values()) result.push_back(value);
  };
  if (table == nullptr) return result;
  switch (type) {
    case 1:
      take(reinterpret_cast<const file::Int32Vector*>(table));
      break;
    case 2:
      take(reinterpret_cast<const file::UInt16Vector*>(table));
      break;
    case 3:
      take(reinterpret_cast<const file::UInt8Vector*>(table));
      break;
    default:
      refuse(fmt::format("its indices are of the unknown kind {}", type));
  }
  return result;
}

struct Level {
  int64_t dimension = 0;  // of the tensor
  bool is_block = false;
  int64_t extent = 0;                      // of a dense level
  std::vector<int64_t> segments, indices;  // of a compressed one
};

struct Walk {
  const std::vector<Level>& levels;
  const Shape& shape;
  const std::vector<int64_t>& block;  // extent of the block in each dimension of the tensor, 1 where none
  int64_t next = 0, count = 0;        // values taken, and how many there are
  std::vector<int64_t> at = {};       // the place, by dimension
  std::vector<std::pair<int64_t, int64_t>> moves = {};

  void descend(size_t depth, int64_t position) {
    if (depth == levels.size()) return place();
    const Level& level = levels[depth];
    const auto step = [&](int64_t index, int64_t child) {
      int64_t& here = at[static_cast<size_t>(level.dimension)];
      const int64_t before = here, factor = level.is_block ? 1 : block[static_cast<size_t>(level.dimension)];
      here += index * factor;
      descend(depth + 1, child);
      here = before;
    };
    if (level.extent > 0) {
      for (int64_t i = 0; i < level.extent; ++i) step(i, position * level.extent + i);
      return;
    }
    const auto size = static_cast<int64_t>(level.segments.size());
    if (position + 1 >= size) refuse("a level has too few segments");
    const int64_t begin = level.segments[static_cast<size_t>(position)],
                  end = level.segments[static_cast<size_t>(position + 1)];
    if (begin < 0 || begin > end || end > static_cast<int64_t>(level.indices.size()))
      refuse("a segment is out of its indices");
    for (int64_t i = begin; i < end; ++i) step(level.indices[static_cast<size_t>(i)], i);
  }

  void place() {
    if (next >= count) refuse(fmt::format("it has {} values, and places for more", count));
    int64_t flat = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (at[d] < 0 || at[d] >= shape[d]) refuse("an index is outside of the tensor");
      flat = flat * shape[d] + at[d];
    }
    moves.emplace_back(flat, next++);
  }
};

}  // namespace

Tensor densify(const file::SparsityParameters& table, DType dtype, const Shape& shape,
               std::span<const std::byte> values, std::span<const std::byte> file) {
  const size_t element = static_cast<size_t>(bit_width(dtype)) / 8, rank = shape.size();
  if (element == 0) refuse("of 4-bit numbers is not supported");
  const auto* order = table.traversal_order();
  const auto* metadata = table.dim_metadata();
  const size_t blocks = table.block_map() == nullptr ? 0 : table.block_map()->size();
  if (order == nullptr || metadata == nullptr || order->size() != rank + blocks || metadata->size() != rank + blocks)
    refuse(fmt::format("its levels are not the {} dimensions and {} blocks it declares", rank, blocks));
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  std::vector<int64_t> block(rank, 1);
  std::vector<Level> levels(rank + blocks);
  std::vector<bool> seen(rank + blocks, false);
  for (flatbuffers::uoffset_t i = 0; i < levels.size(); ++i) {
    Level& level = levels[i];
    const int64_t dimension = order->Get(i);
    if (dimension < 0 || dimension >= static_cast<int64_t>(levels.size()) || seen[static_cast<size_t>(dimension)])
      refuse("its levels are in no order");
    seen[static_cast<size_t>(dimension)] = true;
    level.is_block = dimension >= static_cast<int64_t>(rank);
    level.dimension = level.is_block
                          ? table.block_map()->Get(static_cast<flatbuffers::uoffset_t>(dimension - int64_t(rank)))
                          : dimension;
    if (level.dimension < 0 || level.dimension >= static_cast<int64_t>(rank)) refuse("a block is of no dimension");
    const file::DimensionMetadata& about = *metadata->Get(i);
    const bool is_dense = about.format() == 0;
    level.extent = is_dense ? about.dense_size() : 0;
    if (is_dense && level.extent <= 0) refuse(fmt::format("a level has {} places", level.extent));
    if (!is_dense) {
      level.segments = numbers_of(about.array_segments_type(), about.array_segments(), verifier);
      level.indices = numbers_of(about.array_indices_type(), about.array_indices(), verifier);
    }
    if (!level.is_block) continue;
    if (!is_dense || block[static_cast<size_t>(level.dimension)] != 1) refuse("its blocks are not dense");
    block[static_cast<size_t>(level.dimension)] = level.extent;
  }
  for (const Level& level : levels) {
    const auto d = static_cast<size_t>(level.dimension);
    if (!level.is_block && level.extent > 0 && level.extent * block[d] != shape[d])
      refuse(fmt::format("{} blocks of {} in a dimension of {}", level.extent, block[d], shape[d]));
  }
  Walk walk{.levels = levels,
            .shape = shape,
            .block = block,
            .count = static_cast<int64_t>(values.size() / element),
            .at = std::vector<int64_t>(rank, 0)};
  walk.descend(0, 0);
  Tensor dense = Tensor::zeros(dtype, shape);
  std::byte* out = dense.mutable_bytes().data();
  for (const auto& [to, from] : walk.moves)
    std::memcpy(out + static_cast<size_t>(to) * element, values.data() + static_cast<size_t>(from) * element, element);
  return dense;
}

}  // namespace openrknn::tflite
