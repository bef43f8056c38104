#include "core/rknn_file/weights_section.h"

#include <algorithm>
#include <cstring>

#include "core/base/hash.h"

namespace openrknn {
namespace {

constexpr std::byte kZeros[kReadPastEnd + kSectionAlignment] = {};

bool same_bytes(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.data() == b.data() || a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

uint64_t WeightsSection::add(const Tensor& tensor) {
  const uint64_t hash = hash64(tensor.bytes());
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Stored& stored = stored_[it->second];
    if (same_bytes(stored.tensor.bytes(), tensor.bytes())) return stored.offset;
  }
  by_hash_.emplace(hash, stored_.size());
  const uint64_t offset = end_;
  stored_.push_back({tensor, offset});
  end_ = align_up(offset + tensor.bytes().size(), kSectionAlignment);
  return offset;
}

uint64_t WeightsSection::leave_out(const Tensor& tensor) {
  const uint64_t hash = hash64(tensor.bytes());
  left_out_.insert({hash, tensor.bytes().size()});
  return hash;
}

std::vector<Bytes> WeightsSection::pieces() const {
  std::vector<Bytes> result;
  uint64_t at = 0;
  for (const Stored& stored : stored_) {
    result.push_back(Bytes(kZeros).first(stored.offset - at));
    result.push_back(stored.tensor.bytes());
    at = stored.offset + stored.tensor.bytes().size();
  }
  result.push_back(Bytes(kZeros).first(end_ - at + kReadPastEnd));
  return result;
}

}  // namespace openrknn
