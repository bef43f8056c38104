// Which request means what: one table of methods and paths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace openrknn::server {

enum class Endpoint : uint8_t {
  ServerMetadata,
  Live,
  Ready,
  ModelReady,
  ModelMetadata,
  ModelConfig,
  Infer,
  RepositoryIndex,
  Load,
  Unload,
  AllStatistics,
  ModelStatistics,
  Metrics,
  Device,
  Versions,
  Upload,
  Remove,
  Performance,
  Memory,
  Values,
};
inline constexpr int kEndpointCount = 20;

/// What a request brings along.
enum class BodyUse : uint8_t {
  None,     ///< nothing of interest; a few bytes are read over
  Options,  ///< a little JSON
  Tensors,
  File,  ///< streamed to the disk
};

struct Match {
  Endpoint endpoint = Endpoint::Live;
  BodyUse body = BodyUse::None;
  std::string model;  ///< a valid name, where the path has one
};

/// `target`: path and query as in the request line. Throws Error: ServerUnknownPath (for a path that has other methods
/// naming them), ServerBadRequest (a name or an escape that may not be), ServerUnknownModel (another version than 1).
Match find_route(std::string_view method, std::string_view target);

}  // namespace openrknn::server
