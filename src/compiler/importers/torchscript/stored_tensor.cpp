#include "compiler/importers/torchscript/stored_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace openrknn::torchscript {
namespace {

/// Expanded tensors (strides of 0) become whole ones up to here.
constexpr int64_t kMostExpanded = int64_t{1} << 24;

/// How many numbers it has; nothing if some of them lie outside of what is there.
std::optional<int64_t> count_within(const StoredTensor& stored, int64_t held) {
  int64_t last = stored.offset, count = 1;
  if (stored.offset < 0 || stored.offset > held) return std::nullopt;
  for (size_t i = 0; i < stored.dims.size(); ++i) {
    const int64_t dim = stored.dims[i];
    int64_t reach = 0;
    if (dim < 0 || dim > (int64_t{1} << 40) || stored.strides[i] < 0 || __builtin_mul_overflow(count, dim, &count) ||
        __builtin_mul_overflow(std::max<int64_t>(dim - 1, 0), stored.strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return std::nullopt;
  }
  if (count > 0 && (last >= held || (count > held && count > kMostExpanded))) return std::nullopt;
  return count;
}

bool lies_in_order(const StoredTensor& stored) {
  const Shape dense = strides_of(stored.dims);
  for (size_t i = 0; i < stored.dims.size(); ++i)
    if (stored.dims[i] != 1 && dense[i] != stored.strides[i]) return false;  // of extents of 1 strides mean nothing
  return true;
}

Tensor in_order(const StoredTensor& stored, std::span<const std::byte> from, int64_t count) {
  Tensor whole(stored.dtype, stored.dims);
  const int64_t width = byte_size(stored.dtype, 1);
  std::byte* const to = whole.mutable_bytes().data();
  Shape index(stored.dims.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t element = 0;
    for (size_t d = 0; d < index.size(); ++d) element += index[d] * stored.strides[d];
    std::memcpy(to + i * width, from.data() + element * width, static_cast<size_t>(width));
    for (size_t d = index.size(); d-- > 0 && ++index[d] == stored.dims[d];) index[d] = 0;
  }
  return whole;
}

}  // namespace

Tensor read_tensor(const Archive& archive, const StoredTensor& stored,
                   const std::function<void(std::string, Code)>& refuse) {
  if (!archive.has(stored.entry))
    refuse(fmt::format("the archive has no entry '{}'", stored.entry), Code::ImportMissingTensor);
  if (stored.dims.size() != stored.strides.size() || stored.dims.size() > 16)
    refuse("a tensor with other strides than extents", Code::ImportBadFile);
  const std::span<const std::byte> bytes = archive.bytes(stored.entry, false);
  const int64_t width = byte_size(stored.dtype, 1), held = static_cast<int64_t>(bytes.size()) / width;
  const std::optional<int64_t> count = count_within(stored, held);
  if (!count)
    refuse(fmt::format("a tensor {} with strides {} from element {} on; '{}' has {}", to_string(stored.dims),
                       to_string(stored.strides), stored.offset, stored.entry, held),
           Code::ImportShapeMismatch);
  if (*count == 0) return Tensor::zeros(is_floating(stored.dtype) ? DType::Float32 : stored.dtype, stored.dims);
  const std::span<const std::byte> from = bytes.subspan(static_cast<size_t>(stored.offset * width));
  const bool is_view =
      lies_in_order(stored) && reinterpret_cast<uintptr_t>(from.data()) % static_cast<size_t>(width) == 0;
  const bool is_cast = is_floating(stored.dtype) && stored.dtype != DType::Float32;
  // Any number of tensors may look into one entry: what they copy is bounded together.
  if (!is_view) archive.spend(static_cast<size_t>(*count * width));
  if (is_cast) archive.spend(static_cast<size_t>(*count) * sizeof(float));
  const Tensor content =
      is_view ? Tensor::view(stored.dtype, stored.dims, from, archive.owner()) : in_order(stored, from, *count);
  return is_cast ? cast(content, DType::Float32) : content;
}

}  // namespace openrknn::torchscript
