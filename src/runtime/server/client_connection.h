// HTTP as the client speaks it: one request and its reply at a time, within a time limit.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/server/byte_buffer.h"
#include "runtime/server/client.h"

namespace openrknn::server {

struct Reply {
  int status = 0;
  std::optional<size_t> json_bytes;  ///< Inference-Header-Content-Length
  ByteBuffer body;

  std::span<const std::byte> json() const { return body.bytes().first(json_bytes.value_or(body.size())); }
  std::span<const std::byte> binary() const { return body.bytes().subspan(json_bytes.value_or(body.size())); }
};

class ClientConnection {
 public:
  /// Throws Error: an address that is none, TLS in a build without it.
  explicit ClientConnection(const ClientOptions&);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// `body`: pieces that follow one another, the first `json_bytes` of them JSON. Throws Error (ServerUnreachable,
  /// ServerTimeout). A reply that came is given whatever its status.
  Reply exchange(const std::string& method, const std::string& target, std::optional<size_t> json_bytes,
                 std::span<const std::span<const std::byte>> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace openrknn::server
