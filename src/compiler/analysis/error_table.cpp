#include "compiler/analysis/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace openrknn {
namespace {

constexpr std::string_view kHead =
    "# simulator_error: calculate the output error of each layer of the simulator (compared to the 'golden' value).\n"
    "#              entire: output error of each layer between 'golden' and 'simulator', these errors will accumulate "
    "layer by layer.\n"
    "#              single: single-layer output error between 'golden' and 'simulator', can better reflect the "
    "single-layer accuracy of the simulator.\n\n";

constexpr std::string_view kRuntimeHead =
    "# runtime_error: calculate the output error of each layer of the runtime.\n"
    "#              entire: output error of each layer between 'golden' and 'runtime', these errors will accumulate "
    "layer by layer.\n"
    "#              single_sim: single-layer output error between 'simulator' and 'runtime', can better reflect the "
    "single-layer accuracy of runtime.\n\n";

// What users of the toolkit go by: from 0.99 a layer is fine, below 0.98 it is bad.
constexpr double kFine = 0.99, kBad = 0.98;

constexpr size_t kCosineWidth = 7, kDistanceWidth = 6, kCellWidth = kCosineWidth + 3 + kDistanceWidth, kGap = 4;

std::string label_of(const LayerRow& row) { return fmt::format("[{}] {}", row.op, row.tensor); }

/// NaN without its sign, which means nothing.
std::string decimals(double number, int count) {
  return std::isnan(number) ? "nan" : fmt::format("{:.{}f}", number, count);
}

std::string cell(const LayerError& error, bool colour) {
  const std::string text = fmt::format("{:<{}} | {:<{}}", decimals(error.cosine, 5), kCosineWidth,
                                       distance_text(error.euclidean), kDistanceWidth);
  if (!colour || error.cosine >= kFine) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", error.cosine >= kBad ? 33 : 31, text);
}

std::string trimmed_right(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string distance_text(double distance) {
  if (distance == 0) return "0.0";
  std::string text = decimals(distance, 4);
  const size_t point = text.find('.');
  if (point == std::string::npos) return text;  // inf, nan
  text.resize(std::max(point, std::min(text.size(), kDistanceWidth)));
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string error_table(const Analysis& analysis, bool colour) {
  size_t width = std::string_view("layer_name").size();
  for (const AnalyzedLayer& layer : analysis.layers) width = std::max(width, label_of(layer.row).size());
  width += 2;
  const auto line = [&](std::string_view name, std::initializer_list<std::string> cells) {
    std::string text = fmt::format("{:<{}}", name, width);
    for (const std::string& one : cells) text += one + std::string(kGap, ' ');
    return trimmed_right(std::move(text)) + '\n';
  };
  const auto centred = [](std::string_view word) { return fmt::format("{:^{}}", word, kCellWidth); };
  const std::string columns = fmt::format("{:^{}}   {:^{}}", "cos", kCosineWidth, "euc", kDistanceWidth);
  constexpr size_t kBoth = 2 * kCellWidth + kGap;
  const bool runtime = analysis.has_runtime;
  std::string text(kHead);
  if (runtime) {
    text.pop_back();  // one paragraph
    text += kRuntimeHead;
  }
  std::string heading = fmt::format("{:<{}}{:^{}}", "layer_name", width, "simulator_error", kBoth);
  if (runtime) heading += fmt::format("{:{}}{:^{}}", "", kGap, "runtime_error", kBoth);
  text += trimmed_right(std::move(heading)) + '\n';
  text += runtime ? line("", {centred("entire"), centred("single"), centred("entire"), centred("single_sim")})
                  : line("", {centred("entire"), centred("single")});
  text += runtime ? line("", {columns, columns, columns, columns}) : line("", {columns, columns});
  text += std::string(width + kBoth + (runtime ? kGap + kBoth : 0), '-') + '\n';
  for (const AnalyzedLayer& layer : analysis.layers) {
    const std::string label = label_of(layer.row);
    if (layer.row.is_blank()) {
      text += label + '\n';
    } else if (runtime) {
      text += line(label, {cell(layer.entire, colour), cell(layer.single, colour), cell(layer.runtime_entire, colour),
                           cell(layer.single_sim, colour)});
    } else {
      text += line(label, {cell(layer.entire, colour), cell(layer.single, colour)});
    }
  }
  return text;
}

}  // namespace openrknn
