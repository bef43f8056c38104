#include "compiler/importers/darknet/weights.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace openrknn::darknet {

static_assert(std::endian::native == std::endian::little, "numbers are copied as the file has them");

namespace {

constexpr size_t kVersions = 3 * sizeof(int32_t);

}  // namespace

// major, minor, revision as int32; then the number of images seen in training: int64 from version 0.2 on, else int32.
WeightsReader::WeightsReader(std::span<const std::byte> bytes, std::string file) : file_(std::move(file)) {
  const auto refuse = [&](std::string problem) {
    fail(Code::ImportBadFile, Location{.file = file_}, std::move(problem), "give the .weights file of the network");
  };
  if (bytes.size() < kVersions) refuse("the file is too short for a header");
  std::memcpy(&major_, bytes.data(), sizeof(major_));
  std::memcpy(&minor_, bytes.data() + sizeof(major_), sizeof(minor_));
  if (major_ < 0 || minor_ < 0)
    refuse(fmt::format("the file has version {}.{}, expected 0.1 or later", major_, minor_));
  const bool is_wide = int64_t{major_} * 10 + minor_ >= 2;
  const size_t header = kVersions + (is_wide ? sizeof(int64_t) : sizeof(int32_t));
  if (bytes.size() < header) refuse("the file is too short for a header");
  bytes_ = bytes.subspan(header);
  if (bytes_.size() % sizeof(float) != 0) {
    refuse(fmt::format("{} bytes follow the header, which is no whole number of float32", bytes_.size()));
  }
  held_ = static_cast<double>(bytes_.size() / sizeof(float));
}

std::optional<std::vector<float>> WeightsReader::take(int64_t count) {
  asked_ += static_cast<double>(count);
  if (is_short()) return std::nullopt;
  std::vector<float> numbers(static_cast<size_t>(count));
  std::memcpy(numbers.data(), bytes_.data() + taken_, numbers.size() * sizeof(float));
  taken_ += numbers.size() * sizeof(float);
  return numbers;
}

void WeightsReader::check_consumed(const std::string& cfg) const {
  if (asked_ == held_) return;
  fail(Code::ImportBadFile, Location{.file = file_},
       fmt::format("the network of {} has {:.0f} weights, the file holds {:.0f}: {:.0f} too {}", cfg, asked_, held_,
                   std::abs(asked_ - held_), asked_ > held_ ? "few" : "many"),
       "give the .cfg and .weights that belong together; weights of a part of a network (.conv.74) are no model");
}

}  // namespace openrknn::darknet
