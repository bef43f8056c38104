// DarkNet's text file of a network: sections in order, each with options. Blanks mean nothing in it; lines that begin
// with # or ; are comments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace openrknn::darknet {

struct Option {
  std::string text;
  int64_t line = 0;
};

/// Getters throw Error (ImportBadFile) naming file, line and option for what is no number.
struct Section {
  std::string type;  ///< as documented: aliases are resolved ("conv" is "convolutional")
  int64_t line = 0;
  std::string file;
  std::map<std::string, Option, std::less<>> options;

  bool has(std::string_view key) const { return options.contains(key); }
  int64_t integer(std::string_view key, int64_t fallback) const;
  /// Throws for numbers outside [low, high] too.
  int64_t integer(std::string_view key, int64_t fallback, int64_t low, int64_t high) const;
  double number(std::string_view key, double fallback) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  std::vector<int64_t> integers(std::string_view key) const;  ///< separated by commas; empty if it is absent
  Location where(std::string_view key = {}) const;
};

/// Throws Error with every line that is none, and for a file that does not begin with [net] or [network].
std::vector<Section> parse_cfg(std::string_view text, const std::string& file);
/// The first line that says something is [net] or [network].
bool looks_like_cfg(std::string_view text);

}  // namespace openrknn::darknet
