// The device server: the service over HTTP, in the clear or with TLS. docs/server.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "runtime/server/service.h"

namespace openrknn::server {

struct ServerOptions {
  ServiceOptions service;             ///< `token` is read from token_file
  std::string host = "127.0.0.1";     ///< an address of this machine; any but loopback needs token_file
  uint16_t port = 8000;               ///< 0: one that is free
  std::filesystem::path token_file;   ///< empty: no token
  std::filesystem::path certificate;  ///< PEM with the chain; empty: no TLS
  std::filesystem::path key;          ///< PEM
  int threads = 2;                    ///< of the network
  int64_t max_connections = 2048;
  int64_t max_header_bytes = 16 << 10;
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);    ///< between the requests of a connection
  std::chrono::milliseconds header_timeout = std::chrono::seconds(10);  ///< for a header, and a handshake
  std::chrono::milliseconds body_timeout = std::chrono::seconds(30);    ///< for a body or a response, on top of
  int64_t least_bytes_per_second = 64 << 10;                            ///< this speed
  std::chrono::milliseconds grace = std::chrono::seconds(10);           ///< for what is under way when it stops
};

/// True if this build can do TLS.
bool has_tls();

class Server {
 public:
  /// Listens when it returns. Throws Error naming everything that cannot be (token, certificate, address, folder, TLS
  /// in a build without it), SessionError (no runtime).
  explicit Server(ServerOptions);
  ~Server();  ///< stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  Service& service();
  /// Accepts nothing new, waits for what is under way as long as the grace lasts, and closes everything.
  void stop();

 private:
  struct Network;
  std::unique_ptr<Network> network_;
};

}  // namespace openrknn::server
