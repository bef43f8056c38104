// Calibrations of several processes: added up, and carried from one to another.
#include <fmt/format.h>

#include "compiler/quantize/quantize.h"
#include "core/base/byte_string.h"

namespace openrknn {
namespace {

// "calibration", version 1: count of tensors; then name and statistics of each, with their lengths in front.
constexpr std::string_view kMagic = "OpenRKNN calibration 1\n";

void append_text(std::string& out, std::string_view text) {
  append_number(out, uint64_t{text.size()});
  out += text;
}

[[noreturn]] void refuse_calibration(std::string_view problem) {
  fail(Code::InvalidArgument, fmt::format("serialised calibration: {}", problem), "calibrate again with this build");
}

uint64_t take_length(std::string_view& in) {
  const std::optional<uint64_t> length = take_number<uint64_t>(in);
  if (!length) refuse_calibration("it is truncated");
  return *length;
}

std::string_view take_text(std::string_view& in) {
  const uint64_t length = take_length(in);
  if (length > in.size()) refuse_calibration("it is truncated");
  const std::string_view text = in.substr(0, length);
  in.remove_prefix(length);
  return text;
}

}  // namespace

void merge(Calibration& into, const Calibration& part) {
  for (const auto& [name, statistics] : part) into[name].merge(statistics);
}

void shift_samples(Calibration& calibration, int64_t by) {
  for (auto& [name, statistics] : calibration) statistics.shift_samples(by);
}

std::string to_bytes(const Calibration& calibration) {
  std::string out(kMagic);
  append_number(out, uint64_t{calibration.size()});
  for (const auto& [name, statistics] : calibration) {
    append_text(out, name);
    append_text(out, statistics.bytes());
  }
  return out;
}

Calibration calibration_from_bytes(std::string_view in) {
  if (!in.starts_with(kMagic)) refuse_calibration("it does not begin as one");
  in.remove_prefix(kMagic.size());
  const uint64_t count = take_length(in);
  Calibration calibration;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string name(take_text(in));
    if (!calibration.emplace(name, Statistics::from_bytes(take_text(in))).second) {
      refuse_calibration(fmt::format("tensor '{}' comes twice", name));
    }
  }
  if (!in.empty()) refuse_calibration("other bytes follow it");
  return calibration;
}

}  // namespace openrknn
