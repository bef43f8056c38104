#include "compiler/quantize/histogram.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/base/byte_string.h"
#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr uint32_t kInfiniteExponent = 255;

[[noreturn]] void refuse_statistics() {
  fail(Code::InvalidArgument, "serialised statistics are damaged", "calibrate again");
}
int64_t take_count(std::string_view& in, int64_t most) {
  const std::optional<int64_t> count = take_number<int64_t>(in);
  if (!count || *count < 0 || *count > most) refuse_statistics();
  return *count;
}

/// The histogram of a tensor lies there since the last sample, far from the cache.
void fetch(const Histogram::Block& block) {
  constexpr size_t kLine = 64;
  const char* const bytes = reinterpret_cast<const char*>(&block);
  for (size_t line = 0; line < sizeof(block); line += kLine) __builtin_prefetch(bytes + line, 1);
}

void add(const std::array<uint32_t, Histogram::kBlockSize>& counts, Histogram::Block& to) {
  for (size_t i = 0; i < counts.size(); ++i) to.counts[i] += counts[i];
}

int64_t sum_of(const Histogram::Block& block) {
  return std::accumulate(block.counts.begin(), block.counts.end(), int64_t{0});
}

}  // namespace

void Histogram::append(const Block& block) {
  if (!blocks_) blocks_ = std::make_shared<std::vector<Block>>();
  blocks_->push_back(block);
}

void Histogram::unshare() {
  if (blocks_ && blocks_.use_count() > 1) blocks_ = std::make_shared<std::vector<Block>>(*blocks_);
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
  append_number(out, zeros_);
  append_number(out, uint64_t{blocks().size()});
  for (const Block& block : blocks()) {
    append_number(out, uint64_t{block.index});
    for (const int64_t count : block.counts) append_number(out, count);
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
    if (i > 0 && block.index <= histogram.blocks_->back().index) refuse_statistics();
    if (block.index % kBlockSize == kInfiniteExponent) refuse_statistics();
    for (int64_t& bucket : block.counts) {
      bucket = take_count(in, kMost - histogram.total_);
      histogram.total_ += bucket;
    }
    if (sum_of(block) == 0) refuse_statistics();
    histogram.append(block);
  }
  return histogram;
}

namespace {

// Not a whole number of pages: equal places of all tables would have to share one set of the cache.
constexpr size_t kTable = Histogram::kBuckets + 288;
/// No count of 16 bits overflows.
constexpr size_t kPiece = 4 * 65532;

}  // namespace

BucketCounter::BucketCounter() : table_(kTable * kLanes) {}

void BucketCounter::count_piece(std::span<const float> values) {
  uint16_t* const table = table_.data();
  constexpr int kHigh = 32 + Histogram::kDroppedBits;  // bucket of the number in the upper half of a word
  const auto low = [](uint64_t word) { return size_t{static_cast<uint32_t>(word) >> Histogram::kDroppedBits}; };
  const float* x = values.data();
  const size_t whole = values.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    // In words, as compilers would take single numbers for vectors and then have to take these apart again.
    std::array<uint64_t, 2> words;
    std::memcpy(words.data(), x + i, sizeof(words));
    ++table[low(words[0])];
    ++table[kTable + (words[0] >> kHigh)];
    ++table[2 * kTable + low(words[1])];
    ++table[3 * kTable + (words[1] >> kHigh)];
  }
  for (size_t i = whole; i < values.size(); ++i) ++table[std::bit_cast<uint32_t>(x[i]) >> Histogram::kDroppedBits];
}

int64_t BucketCounter::take_bucket(uint32_t bucket) {
  int64_t sum = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) sum += std::exchange(table_[lane * kTable + bucket], uint16_t{0});
  return sum;
}

int64_t BucketCounter::take_block(uint32_t index, Counts& counts) {
  // Every loop is one that compilers turn into vectors; most blocks are looked at and found empty.
  constexpr size_t kSize = Histogram::kBlockSize;
  uint16_t* const lanes = table_.data() + size_t{index} * kSize;
  const uint16_t *const a = lanes, *const b = a + kTable, *const c = b + kTable, *const d = c + kTable;
  std::array<uint16_t, kSize> present;
  for (size_t i = 0; i < kSize; ++i) present[i] = static_cast<uint16_t>((a[i] | b[i]) | (c[i] | d[i]));
  uint16_t any = 0;
  for (size_t i = 0; i < kSize; ++i) any |= present[i];
  if (any == 0) return 0;
  for (size_t i = 0; i < kSize; ++i) counts[i] = (uint32_t{a[i]} + b[i]) + (uint32_t{c[i]} + d[i]);
  for (size_t lane = 0; lane < kLanes; ++lane) std::memset(lanes + lane * kTable, 0, kSize * sizeof(uint16_t));
  uint32_t sum = 0;
  for (size_t i = 0; i < kSize; ++i) sum += counts[i];
  return sum;
}

void BucketCounter::move_into(Histogram& all, int64_t numbers, float largest) {
  all.unshare();
  fresh_.clear();
  constexpr uint32_t kNegative = Histogram::kBlocks / 2;
  Counts counts;
  int64_t left = numbers;
  for (const uint32_t sign : {0u, kNegative}) {
    left -= take_block(sign + kInfiniteExponent, counts);
    const int64_t zeros = take_bucket(sign * Histogram::kBlockSize);
    left -= zeros;
    all.zeros_ += zeros;
    all.total_ += zeros;
  }
  all.total_ += left;
  // What other samples had, this one most likely has as well: mostly nothing else is left to be looked for.
  std::array<bool, Histogram::kBlocks> is_known{};
  for (size_t i = all.blocks().size(); i-- > 0 && left > 0;) {
    Histogram::Block& block = (*all.blocks_)[i];
    if (i > 0) fetch((*all.blocks_)[i - 1]);
    is_known[block.index] = true;
    const int64_t sum = take_block(block.index, counts);
    left -= sum;
    if (sum != 0) add(counts, block);
  }
  // From the largest exponent down, no further than there is something to be found.
  const uint32_t top = std::bit_cast<uint32_t>(largest) >> Histogram::kDroppedBits;
  for (int64_t exponent = top / Histogram::kBlockSize; exponent >= 0 && left > 0; --exponent) {
    for (const uint32_t sign : {0u, kNegative}) {
      const uint32_t index = sign + static_cast<uint32_t>(exponent);
      if (is_known[index]) continue;
      const int64_t sum = take_block(index, counts);
      left -= sum;
      if (sum != 0) add(counts, fresh_.emplace_back(Histogram::Block{index, {}}));
    }
  }
  if (left != 0) fail(Code::Internal, "numbers of a tensor are missing in its histogram");
  if (fresh_.empty()) return;
  std::vector<const Histogram::Block*> order;
  for (const Histogram::Block& block : fresh_) order.push_back(&block);
  std::ranges::sort(order, {}, &Histogram::Block::index);
  Histogram more;
  for (const Histogram::Block* block : order) more.append(*block);
  all.merge(more);
}

void BucketCounter::count_into(Histogram& all, std::mutex& mutex, std::span<const float> values, float largest) {
  for (size_t begin = 0; begin < values.size(); begin += kPiece) {
    const std::span<const float> piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    count_piece(piece);
    const std::scoped_lock lock(mutex);
    move_into(all, static_cast<int64_t>(piece.size()), largest);
  }
}

Histogram BucketCounter::count(std::span<const float> values, float largest) {
  Histogram all;
  std::mutex alone;
  count_into(all, alone, values, largest);
  return all;
}

}  // namespace openrknn
