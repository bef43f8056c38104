#include "compiler/dataset/dataset_line.h"

#include <algorithm>

namespace openrknn {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

}  // namespace

std::string_view trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

DatasetLine parse_dataset_line(std::string_view line) {
  DatasetLine result;
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return result;
  while (!line.empty()) {
    size_t end = 0, next = 0;
    if (line.front() == '"') {
      line.remove_prefix(1);
      end = line.find('"');
      if (end == std::string_view::npos) {
        result.problem = "a quote is opened and not closed";
        return result;
      }
      next = end + 1;
      if (next < line.size() && kBlanks.find(line[next]) == std::string_view::npos) {
        result.problem = "something follows a closing quote without a blank between";
        return result;
      }
    } else {
      end = next = std::min(line.find_first_of(kBlanks), line.size());
    }
    if (end == 0) {
      result.problem = "a pair of quotes with nothing between";
      return result;
    }
    result.paths.emplace_back(line.substr(0, end));
    line = trimmed(line.substr(next));
  }
  return result;
}

}  // namespace openrknn
