// Names of models: parts of URLs and names of files, so nothing that could lead out of the models' folder.
#pragma once

#include <cstddef>
#include <string_view>

namespace openrknn::server {

inline constexpr size_t kLongestModelName = 100;

/// [A-Za-z0-9._-]+, no leading dot, at most kLongestModelName characters.
bool is_model_name(std::string_view);
/// Throws Error (ServerBadRequest).
void require_model_name(std::string_view);

}  // namespace openrknn::server
