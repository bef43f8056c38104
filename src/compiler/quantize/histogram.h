// How many numbers of which size a tensor held, without knowing its range beforehand: the buckets are the float's own
// upper bits. Counts are integers, so merging is addition and no order of samples, workers or CPUs can show.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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

  int64_t zeros_ = 0, total_ = 0;
  std::shared_ptr<std::vector<Block>> blocks_;  // by index; none is empty
};

/// Counts one tensor after another; a worker keeps one.
class BucketCounter {
 public:
  BucketCounter();
  /// `largest`: the largest finite magnitude among the numbers. What is not finite is left out.
  Histogram count(std::span<const float>, float largest);

 private:
  void count_piece(std::span<const float>);
  int64_t drain(uint32_t block, Histogram::Block& into);  // their sum; the table is left empty

  // Neighbouring elements are often equal (zeros above all), and an addition must wait for the one before it to the
  // same address. So each bucket has four counts, side by side, that take turns.
  static constexpr size_t kLanes = 4;
  std::vector<uint32_t> table_;
};

}  // namespace openrknn
