// JSON of strangers: bounded in depth, with errors that say where. Included by .cpp files only.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace openrknn::server {

/// Throws Error (ServerBadRequest): no JSON, or nested deeper than `nesting`.
nlohmann::json parse_json(std::span<const std::byte> text, int nesting);

/// What a message may repeat of a stranger's text.
std::string excerpt(std::string_view);

}  // namespace openrknn::server
