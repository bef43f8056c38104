// JSON of strangers: bounded in depth, with errors that say where. Included by .cpp files only.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace openrknn::server {

/// Throws Error (ServerBadRequest): no JSON, or nested deeper than `nesting`.
nlohmann::json parse_json(std::span<const std::byte> text, int nesting);

/// Text for the wire, whatever the strings hold: bytes that are no UTF-8 are replaced.
template <class Json>
std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What a message may repeat of a stranger's text.
std::string excerpt(std::string_view);

}  // namespace openrknn::server
