#include "runtime/server/routes.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "runtime/server/json_body.h"
#include "runtime/server/model_name.h"

namespace openrknn::server {
namespace {

struct Route {
  std::string_view method, path;  ///< {m}: a model
  Endpoint endpoint;
  BodyUse body;
};
// The first that matches counts. "/versions/1" behind a model is taken out of the path before.
constexpr std::array kRoutes = {
    Route{"GET", "/v2", Endpoint::ServerMetadata, BodyUse::None},
    Route{"GET", "/v2/health/live", Endpoint::Live, BodyUse::None},
    Route{"GET", "/v2/health/ready", Endpoint::Ready, BodyUse::None},
    Route{"GET", "/v2/models/stats", Endpoint::AllStatistics, BodyUse::None},
    Route{"GET", "/v2/models/{m}/ready", Endpoint::ModelReady, BodyUse::None},
    Route{"GET", "/v2/models/{m}", Endpoint::ModelMetadata, BodyUse::None},
    Route{"GET", "/v2/models/{m}/config", Endpoint::ModelConfig, BodyUse::None},
    Route{"GET", "/v2/models/{m}/stats", Endpoint::ModelStatistics, BodyUse::None},
    Route{"POST", "/v2/models/{m}/infer", Endpoint::Infer, BodyUse::Tensors},
    Route{"POST", "/v2/repository/index", Endpoint::RepositoryIndex, BodyUse::Options},
    Route{"POST", "/v2/repository/models/{m}/load", Endpoint::Load, BodyUse::Options},
    Route{"POST", "/v2/repository/models/{m}/unload", Endpoint::Unload, BodyUse::Options},
    Route{"GET", "/metrics", Endpoint::Metrics, BodyUse::None},
    Route{"GET", "/openrknn/v1/device", Endpoint::Device, BodyUse::None},
    Route{"GET", "/openrknn/v1/versions", Endpoint::Versions, BodyUse::None},
    Route{"PUT", "/openrknn/v1/models/{m}", Endpoint::Upload, BodyUse::File},
    Route{"DELETE", "/openrknn/v1/models/{m}", Endpoint::Remove, BodyUse::None},
    Route{"POST", "/openrknn/v1/models/{m}/perf", Endpoint::Performance, BodyUse::Options},
    Route{"GET", "/openrknn/v1/models/{m}/memory", Endpoint::Memory, BodyUse::None},
    Route{"POST", "/openrknn/v1/models/{m}/values", Endpoint::Values, BodyUse::Tensors},
};
static_assert(kRoutes.size() == kEndpointCount);

constexpr size_t kMostParts = 8;

/// One part of a path with its %41 resolved. Escaped slashes stay within the part: no name has one.
std::string unescape(std::string_view part) {
  std::string result;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      result += part[i];
      continue;
    }
    const int high = i + 2 < part.size() ? hex_digit(part[i + 1]) : -1;
    const int low = i + 2 < part.size() ? hex_digit(part[i + 2]) : -1;
    if (high < 0 || low < 0) {
      fail(Code::ServerBadRequest, fmt::format("'{}' has a % without two hexadecimal digits", excerpt(part)));
    }
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty() && parts.size() <= kMostParts) {
    path.remove_prefix(1);  // the slash
    const size_t end = path.find('/');
    parts.push_back(path.substr(0, end));
    path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  }
  return parts;
}

bool fits(const std::vector<std::string>& parts, std::string_view pattern, std::string& model) {
  const std::vector<std::string_view> wanted = parts_of(pattern);
  if (parts.size() != wanted.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (wanted[i] == "{m}") {
      model = parts[i];
    } else if (parts[i] != wanted[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Match find_route(std::string_view method, std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.empty() || path.front() != '/') {
    fail(Code::ServerUnknownPath, fmt::format("'{}' is no path", excerpt(target)));
  }
  std::vector<std::string> parts;
  for (const std::string_view part : parts_of(path)) parts.push_back(unescape(part));
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();  // a slash at the end
  // /v2/models/NAME/versions/1/…: there is one version of a model.
  if (parts.size() >= 5 && parts[0] == "v2" && parts[1] == "models" && parts[3] == "versions") {
    if (parts[4] != "1") {
      fail(Code::ServerUnknownModel,
           fmt::format("version '{}' of a model, expected 1: there is one version of each", excerpt(parts[4])));
    }
    parts.erase(parts.begin() + 3, parts.begin() + 5);
  }
  std::string other_methods;
  for (const Route& route : kRoutes) {
    Match match{route.endpoint, route.body, {}};
    if (!fits(parts, route.path, match.model)) continue;
    if (route.method != method) {
      other_methods += (other_methods.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (route.path.find("{m}") != std::string_view::npos) require_model_name(match.model);
    return match;
  }
  if (!other_methods.empty()) {
    fail(Code::ServerUnknownPath,
         fmt::format("'{}' has no method {}, expected {}", excerpt(path), excerpt(method), other_methods));
  }
  fail(Code::ServerUnknownPath, fmt::format("there is nothing at '{}'", excerpt(path)),
       "the paths are listed in docs/server.md");
}

}  // namespace openrknn::server
