// DarkNet's file of weights: a header, then float32 numbers of all layers in order, with nothing between them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace openrknn::darknet {

class WeightsReader {
 public:
  /// `bytes` must outlive it. Throws Error (ImportBadFile) for less than a header.
  WeightsReader(std::span<const std::byte> bytes, std::string file);

  /// The next numbers; nullopt, without allocating, once the network wants more than the file holds. What is wanted is
  /// counted on, so that check_consumed() can say how much is missing.
  std::optional<std::vector<float>> take(int64_t count);

  /// Matrices are stored [inputs][outputs] (a version above 1000).
  bool is_transposed() const { return major_ > 1000 || minor_ > 1000; }
  /// All numbers taken, and no more asked for than there are. `cfg` is for the message.
  void check_consumed(const std::string& cfg) const;
  bool is_short() const { return asked_ > held_; }

 private:
  std::string file_;
  std::span<const std::byte> bytes_;  // of the numbers
  int32_t major_ = 0, minor_ = 0;
  double asked_ = 0, held_ = 0;  // numbers; a double cannot overflow
  size_t taken_ = 0;
};

}  // namespace openrknn::darknet
