// How many numbers of which size a tensor held, without knowing its range beforehand: the buckets are the float's own
// upper bits. Counts are integers, so merging is addition and no order of samples, workers or CPUs can show.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

/// A sparse histogram. A value: copies share their counts until one is written.
class Histogram {
 public:
  /// Sign, exponent and the upper 8 bits of the mantissa: a bucket is 1/256 to 1/512 of its number wide.
  static constexpr int kDroppedBits = 15;
  static constexpr uint32_t kBuckets = uint32_t{1} << (32 - kDroppedBits);
  static constexpr uint32_t kBlockSize = 256;  ///< buckets with one sign and exponent
  static constexpr uint32_t kBlocks = kBuckets / kBlockSize;
  struct Block {
    uint32_t index = 0;  ///< sign and exponent; < 256 holds positive numbers
    std::array<int64_t, kBlockSize> counts{};
    bool operator==(const Block&) const = default;
  };

  /// Exact zeros, of both signs, and what is smaller than 2^-134.
  int64_t zeros() const { return zeros_; }
  int64_t total() const { return total_; }  ///< zeros included
  std::span<const Block> blocks() const {
    return blocks_ ? std::span<const Block>(*blocks_) : std::span<const Block>();
  }

  void merge(const Histogram&);  ///< commutative and associative
  void append_bytes(std::string& out) const;
  static Histogram take_bytes(std::string_view& in);  ///< throws Error (InvalidArgument)
  bool operator==(const Histogram&) const;

 private:
  friend class BucketCounter;
  void append(const Block&);
  void unshare();

  int64_t zeros_ = 0, total_ = 0;
  std::shared_ptr<std::vector<Block>> blocks_;  // by index; none is empty
};

/// Counts one tensor after another; a worker keeps one.
class BucketCounter {
 public:
  BucketCounter();
  /// `largest`: the largest finite magnitude among the numbers. What is not finite is left out.
  Histogram count(std::span<const float>, float largest);
  /// The same, added to what others add to as well: `mutex` is held while counts move, not while numbers are read.
  void count_into(Histogram& all, std::mutex& mutex, std::span<const float>, float largest);

 private:
  void count_piece(std::span<const float>);
  void move_into(Histogram& all, int64_t numbers, float largest);
  using Counts = std::array<uint32_t, Histogram::kBlockSize>;
  int64_t take_block(uint32_t block, Counts&);  // their sum; where it is 0, they are left as they are
  int64_t take_bucket(uint32_t bucket);

  // Neighbouring elements are often equal (zeros above all), and an addition must wait for the one before it to the
  // same address: so there are four tables that take turns. Their counts have 16 bits, for what a tensor touches to
  // stay in the innermost cache.
  static constexpr size_t kLanes = 4;
  std::vector<uint16_t> table_;
  std::vector<Histogram::Block> fresh_;  // blocks the histogram does not have yet
};

}  // namespace openrknn
