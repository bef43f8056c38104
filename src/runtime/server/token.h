// The token that requests must carry where others can reach the server.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace openrknn::server {

/// The one line of the file. Throws Error: unreadable, shorter than 16 characters, or with characters no header may
/// have.
std::string read_token(const std::filesystem::path&);

/// True if the header says "Bearer TOKEN". Takes the same time wherever the texts differ.
bool authorizes(std::string_view authorization_header, std::string_view token);

/// "127.0.0.1", "::1", "localhost": reached from this machine only.
bool is_loopback(std::string_view host);
/// Of a Host header: the name without port and brackets.
std::string_view host_name(std::string_view header);

}  // namespace openrknn::server
