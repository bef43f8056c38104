#include "runtime/server/token.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/file.h"

namespace openrknn::server {
namespace {

constexpr size_t kShortestToken = 16, kLongestToken = 1024;
constexpr std::string_view kScheme = "Bearer ";

}  // namespace

std::string read_token(const std::filesystem::path& path) {
  std::string token = read_text_file(path);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (token.size() < kShortestToken || token.size() > kLongestToken ||
      !std::all_of(token.begin(), token.end(), is_plain)) {
    fail(Code::InvalidArgument, Location{.file = path.string()},
         fmt::format("the token has {} characters, expected one line of {} to {} printable ones without spaces",
                     token.size(), kShortestToken, kLongestToken),
         "write one with: openssl rand -hex 32 > FILE");
  }
  return token;
}

bool authorizes(std::string_view header, std::string_view token) {
  if (!header.starts_with(kScheme)) return false;
  header.remove_prefix(kScheme.size());
  // Every character is looked at, so that the time says nothing about how far they agree.
  volatile unsigned char difference = header.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < token.size(); ++i) {
    const char given = i < header.size() ? header[i] : '\0';
    difference = static_cast<unsigned char>(difference | (given ^ token[i]));
  }
  return difference == 0;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // 127.0.0.0/8 as numbers: "127.evil.example" is somebody's name.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string_view host_name(std::string_view header) {
  if (header.starts_with('[')) return header.substr(1, header.find(']') - 1);
  return header.substr(0, header.find(':'));
}

}  // namespace openrknn::server
