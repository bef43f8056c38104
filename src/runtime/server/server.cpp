// Listening, threads, and the end. What happens on a connection is in connection.h.
#include "runtime/server/server.h"

#include <sys/resource.h>

#include <charconv>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/server/connection.h"
#include "runtime/server/token.h"

namespace openrknn::server {
namespace {

using asio::ip::tcp;

/// A descriptor each for connections, and some for files, models and the system.
void raise_descriptor_limit(int64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto needed = static_cast<rlim_t>(wanted);
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = std::min(limit.rlim_max, needed);
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Throws Error with everything that cannot be.
void check(const ServerOptions& options) {
  Diagnostics problems;
  const auto problem = [&](std::string what, std::string fix) {
    problems.add(Code::InvalidArgument, {}, std::move(what), std::move(fix));
  };
  boost::system::error_code failure;
  const asio::ip::address address =
      asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, failure);
  if (failure) {
    problem(fmt::format("--host is '{}', expected an address of this machine", options.host),
            "127.0.0.1 for this machine alone, 0.0.0.0 for all that reach it");
  } else if (!address.is_loopback() && options.token_file.empty()) {
    problem(fmt::format("--host {} lets other machines in, but there is no --token-file", options.host),
            "write one (openssl rand -hex 32 > FILE) and name it with --token-file, or listen on 127.0.0.1");
  }
  if (options.certificate.empty() != options.key.empty()) {
    problem("--tls-cert and --tls-key go together", "name both files, or none");
  }
  if (!options.certificate.empty() && !has_tls()) {
    problems.add(Code::NotBuilt, {}, "--tls-cert: this build has no TLS, OpenSSL was not there when it was built",
                 "use another build, or a proxy that speaks TLS");
  }
  const auto at_least_one = [&](const char* name, int64_t value) {
    if (value < 1) problem(fmt::format("{} is {}, expected 1 or more", name, value), "");
  };
  at_least_one("--threads", options.threads);
  at_least_one("--max-connections", options.max_connections);
  at_least_one("--max-queue", options.service.max_queue);
  at_least_one("--max-models", options.service.store.max_models);
  at_least_one("--max-model-bytes", options.service.store.max_model_bytes);
  at_least_one("--max-request-bytes", options.service.max_request_bytes);
  problems.throw_if_any();
}

}  // namespace

bool has_tls() { return OPENRKNN_TLS != 0; }

struct Server::Network {
  using Plain = Connection<beast::tcp_stream>;

  explicit Network(ServerOptions the_options) : options(prepared(std::move(the_options))), service(options.service) {
    raise_descriptor_limit(options.max_connections + 256);
#if OPENRKNN_TLS
    if (!options.certificate.empty()) open_certificate();
#endif
    listen();
    accept();
    for (int i = 0; i < options.threads; ++i) threads.emplace_back([this] { io.run(); });
  }

  static ServerOptions prepared(ServerOptions options) {
    check(options);
    if (options.host == "localhost") options.host = "127.0.0.1";
    if (!options.token_file.empty()) options.service.token = read_token(options.token_file);
    return options;
  }

#if OPENRKNN_TLS
  using Secure = Connection<beast::ssl_stream<beast::tcp_stream>>;

  void open_certificate() {
    boost::system::error_code failure;
    tls.emplace(asio::ssl::context::tls_server);
    tls->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_sslv3);
    tls->use_certificate_chain_file(options.certificate.string(), failure);
    if (failure) {
      fail(Code::FileUnreadable, Location{.file = options.certificate.string()},
           fmt::format("this is no certificate: {}", failure.message()), "name a PEM file with --tls-cert");
    }
    tls->use_private_key_file(options.key.string(), asio::ssl::context::pem, failure);
    if (failure) {
      fail(Code::FileUnreadable, Location{.file = options.key.string()},
           fmt::format("this is no key of the certificate: {}", failure.message()), "name a PEM file with --tls-key");
    }
  }
#endif

  void listen() {
    const tcp::endpoint endpoint(asio::ip::make_address(options.host), options.port);
    boost::system::error_code failure;
    const auto step = [&](auto&& action) {
      if (!failure) action();
    };
    step([&] { acceptor.open(endpoint.protocol(), failure); });
    step([&] { acceptor.set_option(asio::socket_base::reuse_address(true), failure); });
    step([&] { acceptor.bind(endpoint, failure); });
    step([&] { acceptor.listen(asio::socket_base::max_listen_connections, failure); });
    if (failure) {
      fail(Code::InvalidArgument,
           fmt::format("cannot listen on {} port {}: {}", options.host, options.port, failure.message()),
           "another server may have the port: name another one with --port");
    }
    port = acceptor.local_endpoint().port();
  }

  void accept() {
    acceptor.async_accept(asio::make_strand(io), [this](boost::system::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || set->stopping) return;
      if (error) {  // no descriptors left: later there are some
        retry.expires_after(std::chrono::milliseconds(100));
        retry.async_wait([this](boost::system::error_code aborted) {
          if (!aborted) accept();
        });
        return;
      }
      try {
        take(std::move(socket));
      } catch (const std::exception&) {
        ++service.metrics().connections_refused;  // no memory for one more
      }
      accept();
    });
  }

  void take(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (set->open >= options.max_connections) return turn_away(socket);
    ++service.metrics().connections_opened;
#if OPENRKNN_TLS
    if (tls) return keep(std::make_shared<Secure>(set, service, options, std::move(socket), *tls));
#endif
    keep(std::make_shared<Plain>(set, service, options, std::move(socket)));
  }

  template <class Kind>
  void keep(const std::shared_ptr<Kind>& connection) {
    {
      const std::lock_guard lock(mutex);
      std::erase_if(stoppers, [](const Stopper& stopper) { return stopper.connection.expired(); });
      stoppers.push_back({connection, [weak = std::weak_ptr<Kind>(connection)](bool now) {
                            if (const auto strong = weak.lock()) strong->stop(now);
                          }});
    }
    connection->start();
  }

  void turn_away(tcp::socket& socket) {
    ++service.metrics().connections_refused;
    if (!options.certificate.empty()) return;
    static constexpr std::string_view kText =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "
        "83\r\n"
        "\r\n{\"error\":\"E0806 server.busy: too many connections; ask again later\",\"code\":\"E0806\"}";
    static_assert(kText.size() - kText.find("\r\n\r\n") - 4 == 83);
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kText), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void stop_connections(bool now) {
    const std::lock_guard lock(mutex);
    for (const Stopper& stopper : stoppers) stopper.stop(now);
  }

  void stop() {
    if (threads.empty()) return;
    set->stopping = true;
    service.stop();
    asio::post(acceptor.get_executor(), [this] {
      boost::system::error_code ignored;
      acceptor.close(ignored);
      retry.cancel();
    });
    stop_connections(false);
    const auto wait_for_connections = [this](std::chrono::milliseconds most) {
      const auto deadline = std::chrono::steady_clock::now() + most;
      while (set->open > 0 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    };
    wait_for_connections(options.grace);
    stop_connections(true);
    wait_for_connections(std::chrono::milliseconds(500));
    io.stop();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  struct Stopper {
    std::weak_ptr<void> connection;
    std::function<void(bool)> stop;
  };

  const ServerOptions options;
  uint16_t port = 0;  // the one that was free, if any was asked for
  const std::shared_ptr<ConnectionSet> set = std::make_shared<ConnectionSet>();
  // Handlers that never ran go with the context, after the service: they hold connections, which by then touch nothing
  // of it.
  asio::io_context io;
  // Its threads stay while nothing happens on the network and a connection waits for a model.
  const asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  Service service;
  tcp::acceptor acceptor{asio::make_strand(io)};
  asio::steady_timer retry{acceptor.get_executor()};
#if OPENRKNN_TLS
  std::optional<asio::ssl::context> tls;
#endif
  std::mutex mutex;
  std::vector<Stopper> stoppers;
  std::vector<std::thread> threads;
};

Server::Server(ServerOptions options) : network_(std::make_unique<Network>(std::move(options))) {}
Server::~Server() { stop(); }
uint16_t Server::port() const { return network_->port; }
Service& Server::service() { return network_->service; }
void Server::stop() { network_->stop(); }

}  // namespace openrknn::server
