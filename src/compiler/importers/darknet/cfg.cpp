#include "compiler/importers/darknet/cfg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "compiler/importers/text_numbers.h"

namespace openrknn::darknet {
namespace {

constexpr size_t kMostSections = 100'000;

/// Short names of sections (parser.c, string_to_layer_type).
constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"network", "net"},
    {"conv", "convolutional"},
    {"max", "maxpool"},
    {"avg", "avgpool"},
    {"local_avg", "local_avgpool"},
    {"conn", "connected"},
    {"lrn", "normalization"},
    {"soft", "softmax"},
    {"empty", "silence"},
};

std::string without_blanks(std::string_view line) {
  std::string out;
  std::ranges::copy_if(line, std::back_inserter(out), [](char c) { return c != ' ' && c != '\t' && c != '\r'; });
  return out;
}

/// DarkNet reads integers with atoi(): "1.0" and "3x" have been seen to work, so a fraction of zero is let pass.
std::optional<int64_t> parse_integer(std::string_view text) {
  if (const auto whole = parse_number<int64_t>(text)) return whole;
  const auto number = parse_number<double>(text);
  constexpr double kMost = 1LL << 53;
  if (!number || *number != std::trunc(*number) || std::abs(*number) > kMost) return std::nullopt;
  return static_cast<int64_t>(*number);
}

/// Calls `line` with each line and its number, blanks taken out, comments and empty ones left out.
template <class Function>
void for_each_line(std::string_view text, const Function& line) {
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string plain = without_blanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (plain.empty() || plain[0] == '#' || plain[0] == ';') continue;
    if (!line(plain, number)) return;
  }
}

}  // namespace

Location Section::where(std::string_view key) const {
  const auto found = options.find(key);
  return {.file = file, .line = found == options.end() ? line : found->second.line};
}

int64_t Section::integer(std::string_view key, int64_t fallback) const {
  const auto found = options.find(key);
  if (found == options.end()) return fallback;
  if (const auto value = parse_integer(found->second.text)) return *value;
  fail(Code::ImportBadFile, where(key), fmt::format("{}: got '{}', expected a whole number", key, found->second.text));
}

int64_t Section::integer(std::string_view key, int64_t fallback, int64_t low, int64_t high) const {
  return require_range(integer(key, fallback), low, high, key, where(key));
}

double Section::number(std::string_view key, double fallback) const {
  const auto found = options.find(key);
  if (found == options.end()) return fallback;
  const auto value = parse_number<double>(found->second.text);
  if (value) return *value;
  fail(Code::ImportBadFile, where(key), fmt::format("{}: got '{}', expected a number", key, found->second.text));
}

std::string Section::text(std::string_view key, std::string_view fallback) const {
  const auto found = options.find(key);
  return found == options.end() ? std::string(fallback) : found->second.text;
}

std::vector<int64_t> Section::integers(std::string_view key) const {
  std::vector<int64_t> values;
  const auto found = options.find(key);
  if (found == options.end()) return values;
  std::string_view rest = found->second.text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    const auto value = parse_integer(rest.substr(0, end));
    if (!value) {
      fail(Code::ImportBadFile, where(key),
           fmt::format("{}: got '{}', expected whole numbers separated by commas", key, found->second.text));
    }
    values.push_back(*value);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return values;
}

std::vector<Section> parse_cfg(std::string_view text, const std::string& file) {
  std::vector<Section> sections;
  Diagnostics problems;
  for_each_line(text, [&](const std::string& line, int64_t number) {
    const Location where{.file = file, .line = number};
    if (line[0] == '[') {
      const size_t end = line.find(']');
      Section section{.type = line.substr(1, std::min(end, line.size()) - 1), .line = number, .file = file};
      if (end == std::string::npos) {
        problems.add(Code::ImportBadFile, where, fmt::format("'{}': a section ends with ]", line));
      }
      for (const auto& [alias, name] : kAliases) {
        if (section.type == alias) section.type = name;
      }
      sections.push_back(std::move(section));
      if (sections.size() <= kMostSections) return true;
      problems.add(Code::ImportBadFile, where, fmt::format("more than {} sections", kMostSections));
      return false;
    }
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems.add(Code::ImportBadFile, where, fmt::format("'{}' is neither [section] nor option=value", line));
    } else if (sections.empty()) {
      problems.add(Code::ImportBadFile, where, fmt::format("'{}' stands before the first section", line));
    } else {
      // Of an option given twice DarkNet takes the first.
      sections.back().options.try_emplace(line.substr(0, equals), Option{line.substr(equals + 1), number});
    }
    return problems.list().size() < 20;
  });
  problems.throw_if_any();
  if (sections.empty() || sections.front().type != "net") {
    fail(Code::ImportBadFile, Location{.file = file, .line = sections.empty() ? 1 : sections.front().line},
         "this is no DarkNet network: it does not begin with [net] or [network]", "give the .cfg file of the network");
  }
  return sections;
}

bool looks_like_cfg(std::string_view text) {
  bool found = false;
  for_each_line(text, [&](const std::string& line, int64_t) {
    found = line == "[net]" || line == "[network]";
    return false;
  });
  return found;
}

}  // namespace openrknn::darknet
