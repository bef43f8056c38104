// What the client says when the other side is not as it should be, and the server over a runtime with stated faults.
#include <future>

#include "server_fixture.h"
#include "session/stub_session.h"

namespace openrknn {
namespace {

using namespace server;
using namespace test;

ClientOptions to_port(uint16_t port) {
  ClientOptions options;
  options.address = fmt::format("127.0.0.1:{}", port);
  options.connect_timeout = options.call_timeout = std::chrono::seconds(5);
  return options;
}

std::string refusal_of(const ClientOptions& options) {
  return refusal([&] { Client one(options); });
}

std::string http(const std::string& body, const char* status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

TEST(Client, SaysWhichSideHasToChange) {
  EXPECT_TRUE(contains(refusal_of(to_port(1)), "start `openrknn serve` on the device, or correct the address here"));
  for (const char* address : {"", ":8000", "host:", "host:0", "host:99999", "host:x"}) {
    ClientOptions options;
    options.address = address;
    EXPECT_TRUE(contains(refusal_of(options), "expected HOST:PORT")) << address;
  }
  const std::pair<std::string, const char*> answers[] = {
      {"", "the connection ended before the answer"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "the connection ended before the answer"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "the connection ended within the answer"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "this is no OpenRKNN server"},
      {http("<html>"), "not what its protocol says"},
      {http("<html>", "404 Not Found"), "HTTP status 404 without a reason: this is no OpenRKNN server"},
      {http("[]"), "something else than an OpenRKNN server answers there"},
      {http(R"({"protocol":99,"server":"9.0"})"), "install the device's version of OpenRKNN here"},
      {http(R"({"protocol":-1,"server":"0.0.1"})"), "install this version of OpenRKNN on the device"},
      {http(R"({"error":"GET /x: E0802 server.unauthorized: the request has no token","code":"E0802"})",
            "401 Unauthorized"),
       "E0802 server.unauthorized: the request has no token; give this side the token that the device has"},
      {http(R"({"error":"a: E0603 runtime.bad-input: one\nb: E0603 runtime.bad-input: two","code":"E0603"})",
            "400 Bad Request"),
       "E0603 runtime.bad-input: one\n"},
  };
  for (const auto& [answer, expected] : answers) {
    FakeServer fake(answer);
    const std::string text = refusal_of(to_port(fake.port));
    EXPECT_TRUE(contains(text, expected)) << answer << " gave " << text;
    EXPECT_TRUE(contains(text, fmt::format("device 127.0.0.1:{}", fake.port))) << text;
  }
}

TEST(Client, WaitsNoLongerThanItMay) {
  FakeServer fake("HTTP/1.1 200 OK\r\n");  // and nothing more, though the connection stays half open
  ClientOptions options = to_port(fake.port);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);  // accepts by itself and never answers
  sockaddr_in address = local_address(0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  options.address = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
  options.call_timeout = std::chrono::milliseconds(50);
  const std::string text = refusal_of(options);
  EXPECT_TRUE(contains(text, "E0807 server.timeout: the call took longer than 50 ms")) << text;
  ::close(listener);
}

TEST_F(ServerTest, ADeviceOfAnotherSocIsRefused) {
  start();
  ClientOptions one = client_options();
  one.target = "rv1106";
  EXPECT_TRUE(contains(refusal_of(one), "the device runs models for rk3588, rk3566, expected rv1106"));
  one.target = "rk3566";
  EXPECT_EQ(refusal_of(one), "no error");
}

TEST_F(ServerTest, AClientFindsAServerThatCameAgain) {
  start();
  Client one = client();
  options.port = port();
  the_server.reset();
  EXPECT_TRUE(contains(refusal([&] { one.device(); }), "nothing answers there"));
  start();
  EXPECT_EQ(one.device().protocol, 1);
}

/// Over the stub runtime, whose runs wait where a test wants.
class BusyServer : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ASSERT_EQ(stub().reset(), 0);
    options.service.runtime_library = OPENRKNN_STUB_RUNTIME_LIBRARY;
    options.service.max_queue = 1;
    std::filesystem::create_directories(options.service.models);
    write_file(options.service.models / "m.rknn", kStubModel);
  }
  void TearDown() override {
    stub().release(0);
    ServerTest::TearDown();
    EXPECT_EQ(stub().live_contexts(), 0);
    EXPECT_EQ(stub().live_outputs(), 0);
  }
  void start_loaded() {
    start();
    client().load("m", 1);  // one worker
  }
  std::future<std::string> ask() {
    return std::async(std::launch::async, [this] {
      return refusal([&] {
        const Tagged tagged(5);
        const auto outputs = client().infer("m", {{"x", tagged.view()}});
        EXPECT_EQ(floats(outputs.at(0).bytes).at(0), 5.0f);
      });
    });
  }
  void wait_for_waiting() const {
    while (!contains(exchange("GET /metrics HTTP/1.1\r\n\r\n"), "openrknn_queue_depth{model=\"m\"} 1\n")) {
      std::this_thread::yield();
    }
  }
};

TEST_F(BusyServer, AFullQueueIsSaidAtOnce) {
  start_loaded();
  stub().block("rknn_run", 1);
  std::future<std::string> first = ask();
  ASSERT_EQ(stub().wait_blocked(1, 5000), 0);
  std::future<std::string> second = ask();
  wait_for_waiting();
  const std::string third = ask().get();
  EXPECT_TRUE(contains(third, "E0806 server.busy")) << third;
  stub().release(0);
  EXPECT_EQ(first.get(), "no error");
  EXPECT_EQ(second.get(), "no error");
}

TEST_F(BusyServer, OtherQuestionsAreAnsweredWhileAModelRuns) {
  start_loaded();
  stub().block("rknn_run", 1);
  std::future<std::string> inference = ask();
  ASSERT_EQ(stub().wait_blocked(1, 5000), 0);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(contains(exchange("GET /v2/models/m HTTP/1.1\r\n\r\n"), "200 OK"));
  stub().release(0);
  EXPECT_EQ(inference.get(), "no error");
}

TEST_F(BusyServer, StoppingWaitsForWhatIsUnderWay) {
  start_loaded();
  stub().block("rknn_run", 1);
  std::future<std::string> inference = ask();
  ASSERT_EQ(stub().wait_blocked(1, 5000), 0);
  std::future<void> stopped = std::async(std::launch::async, [this] { the_server->stop(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  const std::string late = refusal([&] { client(); });
  EXPECT_TRUE(contains(late, "nothing answers there")) << late;
  stub().release(0);
  EXPECT_EQ(inference.get(), "no error");
  stopped.get();
}

TEST_F(BusyServer, FaultsOfTheRuntimeAreTold) {
  start_loaded();
  stub().fail("rknn_run", 1, -1);
  const std::string text = ask().get();
  EXPECT_TRUE(contains(text, "E0608 runtime.call-failed")) << text;
  EXPECT_EQ(ask().get(), "no error");
}

TEST_F(BusyServer, ARuntimeThatKeepsNoValuesIsNamed) {
  start_loaded();
  const Tagged tagged(1);
  const std::string text = refusal([&] { client().values("m", {{"x", tagged.view()}}, {"y"}); });
  EXPECT_TRUE(contains(text, "keeps no values of layers, only OpenRKNN's own does")) << text;
}

}  // namespace
}  // namespace openrknn
