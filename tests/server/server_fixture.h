// A server on a free port of this machine with a folder of its own, and models for it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "core/base/error.h"
#include "core/base/file.h"
#include "raw_socket.h"
#include "runtime/server/client.h"
#include "runtime/server/server.h"
#include "support/text_model.h"

namespace openrknn::test {

/// Float16, NCHW 1x2x2x3: doubled, and the double flat.
inline std::string doubling_model() {
  return file_bytes(model_of(R"(ir 1
input %image : f16[1,2,2,3]
%double : f16[1,2,2,3] = Add(%image, %image)
%flat : f16[1,12] = Reshape(%double) {shape=[1,12]}
output %flat
)"));
}

struct Image {
  std::vector<float> values = std::vector<float>(12);
  Image() { std::iota(values.begin(), values.end(), 0.0f); }
  server::NamedArrays feed() const { return {{"image", {ElementType::Float32, {1, 2, 2, 3}, values.data()}}}; }
};

inline std::vector<float> floats(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// The text of what `action` throws.
template <class Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    folder = std::filesystem::path(testing::TempDir()) / fmt::format("openrknn_server_{}_{}", ::getpid(), info->name());
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    options.port = 0;
    options.service.models = folder / "models";
    options.service.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
    options.service.targets = {"rk3588", "rk3566"};
  }
  void TearDown() override {
    the_server.reset();
    std::filesystem::remove_all(folder);
  }

  void start() { the_server = std::make_unique<server::Server>(options); }
  uint16_t port() const { return the_server->port(); }
  server::ClientOptions client_options() const {
    server::ClientOptions result;
    result.address = fmt::format("127.0.0.1:{}", port());
    return result;
  }
  server::Client client() const { return server::Client(client_options()); }
  /// Started, with the doubling model loaded under this name.
  void start_with_model(const std::string& name = "m") {
    if (!the_server) start();
    server::Client one = client();
    one.upload(name, bytes(doubling_model()));
    one.load(name);
  }
  static std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }
  std::string exchange(std::string_view request) const {
    RawSocket socket(port());
    socket.send(request);
    return socket.receive_response();
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "models")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::filesystem::path folder;
  server::ServerOptions options;
  std::unique_ptr<server::Server> the_server;
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace openrknn::test
