#include "runtime/server/model_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/base/error.h"

namespace openrknn::server {
namespace {

bool may_be_in_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// What may be shown of a stranger's text: short, and nothing that moves a terminal's cursor.
std::string shown(std::string_view text) {
  std::string result(text.substr(0, 40));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > 40 ? result + "…" : result;
}

}  // namespace

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestModelName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), may_be_in_a_name);
}

void require_model_name(std::string_view name) {
  if (is_model_name(name)) return;
  fail(
      Code::ServerBadRequest,
      fmt::format("the model name is '{}', expected 1 to {} of the characters A-Z a-z 0-9 . _ -, the first of them not "
                  "a dot",
                  shown(name), kLongestModelName),
      "rename the model");
}

}  // namespace openrknn::server
