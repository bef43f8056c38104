// One connection: requests one after another, each within its limits of time and size. Included by server.cpp only.
#pragma once

#include <fmt/format.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/optional.hpp>
#include <charconv>
#include <limits>

#include "core/base/error.h"
#include "runtime/server/server.h"

#if OPENRKNN_TLS
#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#endif

namespace openrknn::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

/// What connections share, and what counts them. Outlives the last of them.
struct ConnectionSet {
  std::atomic<int64_t> open = 0;
  std::atomic<bool> stopping = false;
};

template <class Stream>
class Connection : public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Arguments>
  Connection(std::shared_ptr<ConnectionSet> set, Service& service, const ServerOptions& options, Arguments&&... stream)
      : set_(std::move(set)), service_(service), options_(options), stream_(std::forward<Arguments>(stream)...) {
    ++set_->open;
  }
  ~Connection() { --set_->open; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->begin(); });
  }
  /// Ends it if it waits for a request; in any case when `now`.
  void stop(bool now) {
    asio::post(stream_.get_executor(), [self = this->shared_from_this(), now] {
      if (now || self->is_idle_) self->close();
    });
  }

 private:
  static constexpr size_t kReadBytes = 16 << 10;
  static constexpr size_t kUploadBytes = 256 << 10;

  auto bind(void (Connection::*handler)(boost::system::error_code, size_t)) {
    return [self = this->shared_from_this(), handler](boost::system::error_code error, size_t bytes) {
      (self.get()->*handler)(error, bytes);
    };
  }

  void limit_time(std::chrono::milliseconds most, uint64_t bytes = 0) {
    const auto rate = static_cast<uint64_t>(options_.least_bytes_per_second);
    beast::get_lowest_layer(stream_).expires_after(most + std::chrono::milliseconds(bytes * 1000 / rate));
  }

  void close() {
    boost::system::error_code ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    beast::get_lowest_layer(stream_).close();
  }

  /// Of a peer that is too slow: whoever does not send will not read either.
  void give_up() {
    service_.metrics().responded(408, "E0807");
    close();
  }

  /// Ends our side; what the other one still sends is read away for a moment, because closing a socket with unread
  /// bytes takes the last response from under the peer's eyes.
  void end() {
    limit_time(std::chrono::seconds(2));
    boost::system::error_code ignored;
#if OPENRKNN_TLS
    if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
      stream_.async_shutdown([self = this->shared_from_this()](boost::system::error_code) { self->close(); });
      return;
    }
#endif
    beast::get_lowest_layer(stream_).socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    buffer_.consume(buffer_.size());
    drain({}, 0);
  }
  void drain(boost::system::error_code error, size_t) {
    if (error) return close();
    beast::get_lowest_layer(stream_).async_read_some(buffer_.prepare(kReadBytes), bind(&Connection::drain));
  }

  void begin() {
#if OPENRKNN_TLS
    if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
      limit_time(options_.header_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](boost::system::error_code error) {
                                if (error) return self->close();
                                self->wait_for_request();
                              });
      return;
    }
#endif
    wait_for_request();
  }

  void wait_for_request() {
    if (set_->stopping) return end();
    if (buffer_.size() > 0) return read_header();  // it sent several at once
    is_idle_ = true;
    limit_time(options_.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes), bind(&Connection::on_first_bytes));
  }

  void on_first_bytes(boost::system::error_code error, size_t bytes) {
    is_idle_ = false;
    if (error) return close();
    buffer_.commit(bytes);
    read_header();
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(options_.max_header_bytes));
    parser_->body_limit(std::numeric_limits<uint64_t>::max());  // the route says how much
    head_ = {};
    match_ = {};
    limit_time(options_.header_timeout);
    http::async_read_header(stream_, buffer_, *parser_, bind(&Connection::on_header));
  }

  void on_header(boost::system::error_code error, size_t) {
    if (error == http::error::end_of_stream || error == asio::error::operation_aborted) return close();
    if (error == beast::error::timeout) return give_up();
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return refuse(Code::ServerTooLarge,
                    fmt::format("the request's header is longer than {} bytes", options_.max_header_bytes),
                    "shorten it");
    }
    if (error.category() == http::make_error_code(http::error::bad_version).category()) {
      return refuse(Code::ServerBadRequest, fmt::format("this is no HTTP/1.1 request: {}", error.message()), "");
    }
    if (error) return close();
    try {
      take_header();
    } catch (...) {
      fail_request(std::current_exception());
    }
  }

  void take_header() {
    const auto& message = parser_->get();
    const auto text = [&](auto field) { return std::string(message[field]); };
    keep_alive_ = parser_->keep_alive();
    head_.method = std::string(message.method_string());
    head_.target = std::string(message.target());
    head_.authorization = text(http::field::authorization);
    head_.host = text(http::field::host);
    head_.origin = text(http::field::origin);
    head_.content_encoding = text(http::field::content_encoding);
    const boost::optional<uint64_t> length = parser_->content_length();
    if (length) {
      head_.content_length = *length;
    } else if (parser_->chunked()) {
      head_.content_length.reset();
    } else {
      head_.content_length = 0;
    }
    const std::string json_bytes = text("Inference-Header-Content-Length");
    match_ = service_.admit(head_);
    if (!json_bytes.empty()) {
      uint64_t number = 0;
      const auto [end, failure] = std::from_chars(json_bytes.data(), json_bytes.data() + json_bytes.size(), number);
      if (failure != std::errc() || end != json_bytes.data() + json_bytes.size() || number > *head_.content_length) {
        fail(Code::ServerBadRequest, "Inference-Header-Content-Length is no number within the body's length");
      }
      head_.json_bytes = number;
    }
    body_bytes_ = *head_.content_length;
    if (match_.body == BodyUse::File) {
      upload_ = service_.begin_upload(head_, match_);
      body_ = ByteBuffer(static_cast<size_t>(std::min<uint64_t>(body_bytes_, kUploadBytes)));
    } else {
      share_ = service_.reserve(body_bytes_);
      body_ = ByteBuffer(static_cast<size_t>(body_bytes_), head_.json_bytes.value_or(0));
    }
    received_ = 0;
    if (parser_->get()[http::field::expect] == "100-continue") {
      static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(kGoOn), [self = this->shared_from_this()](auto failure, size_t) {
        if (failure) return self->close();
        self->read_body();
      });
      return;
    }
    read_body();
  }

  // --- bodies

  void read_body() {
    limit_time(options_.body_timeout, body_bytes_);
    if (upload_) return read_upload();
    read_rest();
  }

  /// What came with the header is taken first.
  size_t take_buffered(std::byte* to, size_t most) {
    const size_t bytes = std::min(most, buffer_.size());
    asio::buffer_copy(asio::buffer(to, bytes), buffer_.data());
    buffer_.consume(bytes);
    return bytes;
  }

  void read_rest() {
    const size_t had = take_buffered(body_.data(), body_.size());
    asio::async_read(stream_, asio::buffer(body_.data() + had, body_.size() - had), bind(&Connection::on_body));
  }

  void on_body(boost::system::error_code error, size_t) {
    if (error) return fail_body(error);
    beast::get_lowest_layer(stream_).expires_never();
    service_.metrics().received_bytes += body_.size();
    Request request{std::move(head_), std::move(match_), std::move(body_), std::move(share_)};
    service_.handle(std::move(request), [self = this->shared_from_this()](Response&& response) {
      asio::post(self->stream_.get_executor(), [self, response = std::make_shared<Response>(std::move(response))] {
        self->write(std::move(*response));
      });
    });
  }

  void fail_body(boost::system::error_code error) {
    upload_.reset();
    share_ = {};
    if (error == beast::error::timeout) return give_up();
    if (error == asio::error::eof) {
      return refuse(Code::ServerBadRequest, "the request ended before its body", "send as much as Content-Length says");
    }
    close();
  }

  /// A piece of the file at a time: from the network, then, on a thread that may wait, to the disk.
  void read_upload() {
    const auto piece = static_cast<size_t>(std::min<uint64_t>(body_.size(), body_bytes_ - received_));
    const size_t had = take_buffered(body_.data(), piece);
    asio::async_read(stream_, asio::buffer(body_.data() + had, piece - had),
                     [self = this->shared_from_this(), piece](boost::system::error_code error, size_t) {
                       if (error) return self->fail_body(error);
                       self->store(piece);
                     });
  }

  void store(size_t piece) {
    received_ += piece;
    service_.metrics().received_bytes += piece;
    service_.jobs().go_on([self = this->shared_from_this(), piece] {
      std::exception_ptr failure;
      std::shared_ptr<Response> response;
      try {
        self->upload_->write(self->body_.bytes().first(piece));
        if (self->received_ == self->body_bytes_) {
          response = std::make_shared<Response>(self->service_.finish_upload(*self->upload_));
        }
      } catch (...) {
        failure = std::current_exception();
      }
      asio::post(self->stream_.get_executor(), [self, failure, response] { self->on_stored(failure, response); });
    });
  }

  void on_stored(const std::exception_ptr& failure, const std::shared_ptr<Response>& response) {
    if (failure) return fail_request(failure);
    if (!response) return read_upload();
    upload_.reset();
    service_.metrics().responded(response->status, {});
    write(std::move(*response));
  }

  // --- responses

  /// Of a request that cannot be followed to its end.
  void refuse(Code code, std::string problem, std::string fix) {
    keep_alive_ = false;
    try {
      fail(code, std::move(problem), std::move(fix));
    } catch (...) {
      fail_request(std::current_exception());
    }
  }

  /// Answers a request whose body was not, or not wholly, read: nothing more can be understood on this connection.
  void fail_request(const std::exception_ptr& failure) {
    Response response = error_response(
        error_of(failure, head_.method.empty() ? "" : fmt::format("{} {}", head_.method, head_.target.substr(0, 200))));
    service_.metrics().responded(response.status, response.diagnostic);
    upload_.reset();
    share_ = {};
    if (head_.content_length.value_or(1) != 0) keep_alive_ = false;
    write(std::move(response));
  }

  void write(Response&& response) {
    response_ = std::move(response);
    body_ = {};
    if (set_->stopping) keep_alive_ = false;
    size_t bytes = response_.text.size();
    for (const Chunk& chunk : response_.chunks) bytes += chunk.bytes.size();
    response_head_ = fmt::format("HTTP/1.1 {} {}\r\nServer: openrknn\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
                                 response_.status, reason_of_status(response_.status), response_.content_type, bytes);
    if (response_.json_bytes) {
      response_head_ += fmt::format("Inference-Header-Content-Length: {}\r\n", *response_.json_bytes);
    }
    if (response_.status == 401) response_head_ += "WWW-Authenticate: Bearer\r\n";
    response_head_ += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    std::vector<asio::const_buffer> buffers = {asio::buffer(response_head_), asio::buffer(response_.text)};
    for (const Chunk& chunk : response_.chunks) buffers.emplace_back(chunk.bytes.data(), chunk.bytes.size());
    service_.metrics().sent_bytes += bytes;
    limit_time(options_.body_timeout, bytes);
    asio::async_write(stream_, buffers, bind(&Connection::on_written));
  }

  void on_written(boost::system::error_code error, size_t) {
    response_ = {};
    if (error) return close();
    if (!keep_alive_) return end();
    wait_for_request();
  }

  const std::shared_ptr<ConnectionSet> set_;
  Service& service_;
  const ServerOptions& options_;
  Stream stream_;
  beast::flat_buffer buffer_;
  boost::optional<http::request_parser<http::empty_body>> parser_;
  bool is_idle_ = false, keep_alive_ = false;
  RequestHead head_;
  Match match_;
  ByteBuffer body_;
  ByteBudget::Share share_;
  uint64_t body_bytes_ = 0, received_ = 0;
  std::unique_ptr<ModelUpload> upload_;
  Response response_;
  std::string response_head_;
};

}  // namespace openrknn::server
