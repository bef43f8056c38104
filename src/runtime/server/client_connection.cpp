#include "runtime/server/client_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <limits>

#include "core/base/error.h"

#if OPENRKNN_TLS
#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#endif

namespace openrknn::server {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// A member of ClientConnection::State, hence not in the unnamed namespace.
struct ServerAddress {
  std::string host, port = "8000";
};

namespace {

constexpr uint64_t kLargestReply = uint64_t{4} << 30;
constexpr uint32_t kLongestHeader = 64 << 10;
constexpr size_t kBytesPerMillisecond = 256;

ServerAddress parse_address(const std::string& text) {
  ServerAddress address;
  const size_t bracket = text.starts_with('[') ? text.find(']') : std::string::npos;
  const size_t colon = text.find(':', bracket == std::string::npos ? 0 : bracket);
  address.host = bracket == std::string::npos ? text.substr(0, colon) : text.substr(1, bracket - 1);
  if (colon != std::string::npos) address.port = text.substr(colon + 1);
  unsigned number = 0;
  const auto [end, failure] = std::from_chars(address.port.data(), address.port.data() + address.port.size(), number);
  const bool is_port =
      failure == std::errc() && end == address.port.data() + address.port.size() && number >= 1 && number <= 65535;
  if (address.host.empty() || !is_port) {
    fail(Code::InvalidArgument, fmt::format("the device's address is '{}', expected HOST:PORT", text),
         "give the address that `openrknn serve` printed there");
  }
  return address;
}

}  // namespace

struct ClientConnection::State {
  explicit State(const ClientOptions& the_options)
      : options(the_options), address(parse_address(options.address)), place("device " + options.address) {
    if (!options.tls) return;
#if OPENRKNN_TLS
    tls.emplace(asio::ssl::context::tls_client);
    tls->set_verify_mode(asio::ssl::verify_peer);
    error_code failure;
    if (options.certificate_authority.empty()) {
      tls->set_default_verify_paths(failure);
    } else {
      tls->load_verify_file(options.certificate_authority.string(), failure);
    }
    if (failure) {
      fail(Code::FileUnreadable, Location{.file = options.certificate_authority.string()},
           fmt::format("these are no certificates: {}", failure.message()), "name a PEM file");
    }
#else
    fail(Code::NotBuilt, "TLS: this build has none, OpenSSL was not there when it was built",
         "use another build here, or a connection without TLS");
#endif
  }

  [[noreturn]] void unreachable(const std::string& problem, const std::string& fix) {
    close();
    fail(Code::ServerUnreachable, Location{.file = place}, problem, fix);
  }
  [[noreturn]] void too_late(const std::string& step, std::chrono::milliseconds limit) {
    close();
    fail(Code::ServerTimeout, Location{.file = place}, fmt::format("{} took longer than {} ms", step, limit.count()),
         "look whether the device is busy or off the network, or allow more time here");
  }

  /// Runs what was begun until `is_done` or the deadline; false: it was not in time.
  template <class Done>
  bool run_until(std::chrono::steady_clock::time_point deadline, const Done& is_done) {
    io.restart();
    while (!is_done()) {
      if (io.run_one_until(deadline) == 0 && !is_done()) return false;
    }
    return true;
  }

  /// One asynchronous step, waited for. Nothing: too late.
  template <class Begin>
  std::optional<error_code> step(std::chrono::steady_clock::time_point deadline, const Begin& begin) {
    std::optional<error_code> result;
    begin([&result](error_code error, const auto&...) { result = error; });
    if (run_until(deadline, [&] { return result.has_value(); })) return result;
    close();
    while (!result) {  // the handler looks at this frame: wait until it was told
      io.restart();
      if (io.run_one() == 0) break;
    }
    return std::nullopt;
  }

  void connect() {
    const auto deadline = std::chrono::steady_clock::now() + options.connect_timeout;
    close();
    stream.emplace(io);
    tcp::resolver resolver(io);
    error_code failure;
    const auto endpoints = resolver.resolve(address.host, address.port, failure);
    if (failure) {
      unreachable(fmt::format("there is no host '{}': {}", address.host, failure.message()),
                  "correct the address here");
    }
    const std::optional<error_code> connected =
        step(deadline, [&](auto&& handler) { stream->async_connect(endpoints, handler); });
    if (!connected) too_late("connecting", options.connect_timeout);
    if (*connected) {
      unreachable(fmt::format("nothing answers there: {}", connected->message()),
                  "start `openrknn serve` on the device, or correct the address here");
    }
    error_code ignored;
    stream->socket().set_option(tcp::no_delay(true), ignored);
#if OPENRKNN_TLS
    if (!tls) return;
    secure.emplace(std::move(*stream), *tls);
    stream.reset();
    secure->set_verify_callback(asio::ssl::host_name_verification(address.host));
    SSL_set_tlsext_host_name(secure->native_handle(), address.host.c_str());
    const std::optional<error_code> shaken =
        step(deadline, [&](auto&& handler) { secure->async_handshake(asio::ssl::stream_base::client, handler); });
    if (!shaken) too_late("the TLS handshake", options.connect_timeout);
    if (*shaken) {
      unreachable(
          fmt::format("the TLS handshake failed: {}", shaken->message()),
          "a server without --tls-cert wants a connection without TLS; a certificate of your own has to be named "
          "here as certificate authority");
    }
#endif
  }

  beast::tcp_stream* transport() {
#if OPENRKNN_TLS
    if (secure) return &beast::get_lowest_layer(*secure);
#endif
    return stream ? &*stream : nullptr;
  }

  void close() {
    if (beast::tcp_stream* const current = transport()) current->close();
    buffer.consume(buffer.size());
  }

  /// Between two calls nothing comes: what can be read is the end.
  bool is_alive() {
    beast::tcp_stream* const current = transport();
    if (current == nullptr || !current->socket().is_open()) return false;
    char byte = 0;
    error_code failure;
    current->socket().non_blocking(true, failure);
    current->socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, failure);
    return failure == asio::error::would_block;
  }

  template <class Stream>
  Reply exchange_on(Stream& current, const std::vector<asio::const_buffer>& request) {
    const auto limit =
        options.call_timeout + std::chrono::milliseconds(asio::buffer_size(request) / kBytesPerMillisecond);
    const auto deadline = std::chrono::steady_clock::now() + limit;
    http::response_parser<http::empty_body> parser;
    parser.header_limit(kLongestHeader);
    parser.body_limit(std::numeric_limits<uint64_t>::max());
    // At once: a server that refuses a long body says so before it has all of it.
    std::optional<error_code> written, header;
    asio::async_write(current, request, [&](error_code error, size_t) { written = error; });
    http::async_read_header(current, buffer, parser, [&](error_code error, size_t) { header = error; });
    const bool in_time = run_until(deadline, [&] { return header.has_value(); });
    if (!in_time || *header) {
      close();
      while (!written || !header) {
        io.restart();
        if (io.run_one() == 0) break;
      }
      if (!in_time) too_late("the call", limit);
      unreachable(fmt::format("the connection ended before the answer: {}", header->message()),
                  "look why the server stopped on the device, start it there again and repeat the call");
    }
    Reply reply;
    reply.status = static_cast<int>(parser.get().result_int());
    const boost::optional<uint64_t> length = parser.content_length();
    if (!length || *length > kLargestReply) {
      close();
      while (!written) {
        io.restart();
        if (io.run_one() == 0) break;
      }
      fail(Code::ServerMismatch, Location{.file = place},
           "the answer has no length, or too great a one: this is no OpenRKNN server", "correct the address here");
    }
    const auto json_bytes = parser.get()["Inference-Header-Content-Length"];
    if (!json_bytes.empty()) {
      size_t number = 0;
      std::from_chars(json_bytes.data(), json_bytes.data() + json_bytes.size(), number);
      reply.json_bytes = std::min<size_t>(number, static_cast<size_t>(*length));
    }
    reply.body = ByteBuffer(static_cast<size_t>(*length), reply.json_bytes.value_or(0));
    const size_t had = std::min(buffer.size(), reply.body.size());
    asio::buffer_copy(asio::buffer(reply.body.data(), had), buffer.data());
    buffer.consume(had);
    std::optional<error_code> read;
    asio::async_read(current, asio::buffer(reply.body.data() + had, reply.body.size() - had),
                     [&](error_code error, size_t) { read = error; });
    const bool read_in_time = run_until(deadline, [&] { return read.has_value(); });
    const bool failed = !read_in_time || *read;
    if (failed || !written || *written || !parser.keep_alive()) close();
    while (!read || !written) {
      io.restart();
      if (io.run_one() == 0) break;
    }
    if (!read_in_time) too_late("the call", limit);
    if (*read) {
      unreachable(fmt::format("the connection ended within the answer: {}", read->message()),
                  "look why the server stopped on the device, start it there again and repeat the call");
    }
    return reply;
  }

  const ClientOptions options;
  const ServerAddress address;
  const std::string place;
  asio::io_context io{1};
#if OPENRKNN_TLS
  std::optional<asio::ssl::context> tls;
  std::optional<beast::ssl_stream<beast::tcp_stream>> secure;
#endif
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;
};

ClientConnection::ClientConnection(const ClientOptions& options) : state_(std::make_unique<State>(options)) {}
ClientConnection::~ClientConnection() = default;

Reply ClientConnection::exchange(const std::string& method, const std::string& target, std::optional<size_t> json_bytes,
                                 std::span<const std::span<const std::byte>> body) {
  State& state = *state_;
  if (!state.is_alive()) state.connect();
  size_t length = 0;
  for (const std::span<const std::byte>& piece : body) length += piece.size();
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: openrknn\r\nContent-Length: {}\r\n", method,
                                 target, state.options.address, length);
  if (json_bytes) head += fmt::format("Inference-Header-Content-Length: {}\r\n", *json_bytes);
  if (!state.options.token.empty()) head += "Authorization: Bearer " + state.options.token + "\r\n";
  head += "\r\n";
  std::vector<asio::const_buffer> request = {asio::buffer(head)};
  for (const std::span<const std::byte>& piece : body) request.emplace_back(piece.data(), piece.size());
#if OPENRKNN_TLS
  if (state.secure) return state.exchange_on(*state.secure, request);
#endif
  return state.exchange_on(*state.stream, request);
}

}  // namespace openrknn::server
