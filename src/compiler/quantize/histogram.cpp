#include "compiler/quantize/histogram.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr uint32_t kInfiniteExponent = 255;

void put(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}
[[noreturn]] void refuse() { fail(Code::InvalidArgument, "serialised statistics are damaged", "calibrate again"); }
uint64_t take(std::string_view& in) {
  if (in.size() < 8) refuse();
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value |= uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  in.remove_prefix(8);
  return value;
}
int64_t take_count(std::string_view& in, int64_t most) {
  const uint64_t value = take(in);
  if (value > static_cast<uint64_t>(most)) refuse();
  return static_cast<int64_t>(value);
}

int64_t sum_of(const Histogram::Block& block) {
  return std::accumulate(block.counts.begin(), block.counts.end(), int64_t{0});
}

}  // namespace

void Histogram::append(const Block& block) {
  if (!blocks_) blocks_ = std::make_shared<std::vector<Block>>();
  blocks_->push_back(block);
}

void Histogram::merge(const Histogram& other) {
  zeros_ += other.zeros_;
  total_ += other.total_;
  if (!other.blocks_) return;
  if (!blocks_) {
    blocks_ = other.blocks_;
    return;
  }
  const std::vector<Block>&mine = *blocks_, &theirs = *other.blocks_;
  const bool covered = std::includes(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                                     [](const Block& a, const Block& b) { return a.index < b.index; });
  if (!covered || blocks_.use_count() > 1) {
    auto merged = std::make_shared<std::vector<Block>>();
    merged->reserve(mine.size() + (covered ? 0 : theirs.size()));
    for (size_t i = 0, j = 0; i < mine.size() || j < theirs.size();) {
      if (j == theirs.size() || (i < mine.size() && mine[i].index <= theirs[j].index)) {
        if (j < theirs.size() && mine[i].index == theirs[j].index) ++j;
        merged->push_back(mine[i++]);
      } else {
        merged->push_back({theirs[j++].index, {}});
      }
    }
    blocks_ = std::move(merged);
  }
  size_t at = 0;
  for (const Block& block : *other.blocks_) {
    while ((*blocks_)[at].index != block.index) ++at;
    std::array<int64_t, kBlockSize>& counts = (*blocks_)[at].counts;
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += block.counts[i];
  }
}

bool Histogram::operator==(const Histogram& other) const {
  return zeros_ == other.zeros_ && total_ == other.total_ && std::ranges::equal(blocks(), other.blocks());
}

void Histogram::append_bytes(std::string& out) const {
  put(out, static_cast<uint64_t>(zeros_));
  put(out, blocks().size());
  for (const Block& block : blocks()) {
    put(out, block.index);
    for (const int64_t count : block.counts) put(out, static_cast<uint64_t>(count));
  }
}

Histogram Histogram::take_bytes(std::string_view& in) {
  constexpr int64_t kMost = int64_t{1} << 62;
  Histogram histogram;
  histogram.zeros_ = histogram.total_ = take_count(in, kMost);
  const int64_t count = take_count(in, kBlocks);
  for (int64_t i = 0; i < count; ++i) {
    Block block;
    block.index = static_cast<uint32_t>(take_count(in, kBlocks - 1));
    if (i > 0 && block.index <= histogram.blocks_->back().index) refuse();
    if (block.index % kBlockSize == kInfiniteExponent) refuse();
    for (int64_t& bucket : block.counts) {
      bucket = take_count(in, kMost - histogram.total_);
      histogram.total_ += bucket;
    }
    if (sum_of(block) == 0) refuse();
    histogram.append(block);
  }
  return histogram;
}

BucketCounter::BucketCounter() : table_(Histogram::kBuckets * kLanes) {}

void BucketCounter::count_piece(std::span<const float> values) {
  uint32_t* const table = table_.data();
  const float* x = values.data();
  const size_t whole = values.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    std::array<uint32_t, kLanes> bits;
    std::memcpy(bits.data(), x + i, sizeof(bits));
    for (size_t lane = 0; lane < kLanes; ++lane) ++table[(bits[lane] >> Histogram::kDroppedBits) * kLanes + lane];
  }
  for (size_t i = whole; i < values.size(); ++i) {
    ++table[(std::bit_cast<uint32_t>(x[i]) >> Histogram::kDroppedBits) * kLanes];
  }
}

int64_t BucketCounter::drain(uint32_t block, Histogram::Block& into) {
  uint32_t* const counts = table_.data() + size_t{block} * Histogram::kBlockSize * kLanes;
  int64_t sum = 0;
  into.index = block;
  for (size_t i = 0; i < into.counts.size(); ++i) {
    const uint32_t* const lanes = counts + i * kLanes;  // of all four together at most one piece
    const uint32_t count = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    into.counts[i] = count;
    sum += count;
  }
  std::fill_n(counts, Histogram::kBlockSize * kLanes, 0u);
  return sum;
}

Histogram BucketCounter::count(std::span<const float> values, float largest) {
  constexpr size_t kPiece = size_t{1} << 31;  // no count of 32 bits overflows
  Histogram all;
  for (size_t begin = 0; begin < values.size(); begin += kPiece) {
    const std::span<const float> piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    count_piece(piece);
    Histogram found;
    int64_t left = static_cast<int64_t>(piece.size());
    std::vector<Histogram::Block> blocks;
    Histogram::Block block;
    const auto take = [&](uint32_t exponent) {
      for (const uint32_t sign : {0u, Histogram::kBlocks / 2}) {
        const int64_t sum = drain(sign + exponent, block);
        left -= sum;
        if (exponent == kInfiniteExponent || sum == 0) continue;
        found.total_ += sum;
        const int64_t zeros = exponent == 0 ? std::exchange(block.counts[0], 0) : 0;
        found.zeros_ += zeros;
        if (sum > zeros) blocks.push_back(block);
      }
    };
    // Zeros are frequent; then from the largest exponent down, no further than there is something to be found.
    take(kInfiniteExponent);
    take(0);
    const uint32_t top = std::bit_cast<uint32_t>(largest) >> Histogram::kDroppedBits;
    for (uint32_t exponent = top / Histogram::kBlockSize; exponent > 0 && left > 0; --exponent) take(exponent);
    if (left != 0) fail(Code::Internal, "numbers of a tensor are missing in its histogram");
    std::ranges::sort(blocks, {}, &Histogram::Block::index);
    if (!blocks.empty()) found.blocks_ = std::make_shared<std::vector<Histogram::Block>>(std::move(blocks));
    all.merge(found);
  }
  return all;
}

}  // namespace openrknn
