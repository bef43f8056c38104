#include "runtime/server/json_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace openrknn::server {

nlohmann::json parse_json(std::span<const std::byte> text, int nesting) {
  const char* const begin = reinterpret_cast<const char*>(text.data());
  // Thrown at once: a value that is only left out would let the rest through.
  const auto bound_depth = [nesting](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth > nesting) fail(Code::ServerBadRequest, fmt::format("the JSON is nested deeper than {}", nesting));
    return true;
  };
  try {
    return nlohmann::json::parse(begin, begin + text.size(), bound_depth);
  } catch (const nlohmann::json::exception& error) {
    fail(Code::ServerBadRequest, fmt::format("this is no JSON: {}", excerpt(error.what())));
  }
}

std::string excerpt(std::string_view text) {
  std::string result(text.substr(0, 120));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > 120 ? result + "..." : result;
}

}  // namespace openrknn::server
