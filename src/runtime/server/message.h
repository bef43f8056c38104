// A request and its response, as values: what the service sees of HTTP.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "runtime/server/byte_buffer.h"

namespace openrknn::server {

/// The first part of a request; the body may still be on its way.
struct RequestHead {
  std::string method, target;                  ///< "POST", "/v2/models/m/infer?x=y"
  std::string authorization, host, origin;     ///< headers, empty if there is none
  std::string content_encoding;                ///< likewise
  std::optional<size_t> json_bytes;            ///< Inference-Header-Content-Length
  std::optional<uint64_t> content_length = 0;  ///< nothing: not told beforehand (chunked)
  std::chrono::steady_clock::time_point received = std::chrono::steady_clock::now();
};

/// Bytes that something else keeps alive.
struct Chunk {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

struct Response {
  int status = 200;
  const char* content_type = "application/json";
  std::string text = {};                  ///< the body, or the JSON before the chunks
  std::vector<Chunk> chunks = {};         ///< tensors in binary
  std::optional<size_t> json_bytes = {};  ///< Inference-Header-Content-Length
  std::string diagnostic = {};            ///< "E0804" of a failure, for the counters
};
/// Called exactly once, from any thread.
using Respond = std::function<void(Response&&)>;

/// The status that goes with a diagnostic.
int status_of(Code);
/// {"error": "…", "code": "E0804"}
Response error_response(const Error&);
/// Of anything thrown: SessionError, bad_alloc, …, as Error.
Error error_of(const std::exception_ptr&, const std::string& where);

const char* reason_of_status(int status);

}  // namespace openrknn::server
