// Server and client over loopback: what they give each other, and what becomes of clients that do not keep to it.
#include "server_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "test_certificate.h"

namespace openrknn {
namespace {

using namespace server;
using namespace test;

TEST_F(ServerTest, AClientUploadsRunsAndRemovesAModel) {
  start();
  Client one = client();
  one.upload("net", bytes(doubling_model()));
  EXPECT_EQ(files(), (std::vector<std::string>{"net.rknn"}));
  one.load("net");
  const std::vector<RemoteArray> outputs = one.infer("net", Image().feed());
  SessionOptions session_options;
  session_options.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
  Session session(folder / "models" / "net.rknn", session_options);
  const std::vector<Array> expected = session.run({}, Feed::dict(Image().feed()));
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].name, "flat");
  EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{1, 12}));
  EXPECT_EQ(floats(outputs[0].bytes), (std::vector<float>{expected[0].floats().begin(), expected[0].floats().end()}));
  EXPECT_GT(one.memory("net").total + one.memory("net").internal, 0u);
  one.remove("net");
  EXPECT_EQ(files(), std::vector<std::string>{});
  EXPECT_TRUE(contains(refusal([&] { one.infer("net", Image().feed()); }), "E0804 server.unknown-model"));
}

TEST_F(ServerTest, TellsWhatItIs) {
  start_with_model();
  const DeviceDescription device = client().device();
  EXPECT_TRUE(device.simulator);
  EXPECT_EQ(device.protocol, 1);
  EXPECT_TRUE(contains(device.runtime, "openrknn"));
  EXPECT_EQ(device.targets, (std::vector<std::string>{"rk3588", "rk3566"}));
  EXPECT_EQ(device.cores, (std::map<std::string, int>{{"rk3588", 3}}));
}

TEST_F(ServerTest, GivesTheValuesOfLayers) {
  start_with_model();
  const std::vector<LayerValue> values = client().values("m", Image().feed(), {"double", "image"});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].name, "double");
  EXPECT_EQ(values[0].dtype, "f16");
  EXPECT_EQ(values[0].shape, (std::vector<int64_t>{1, 2, 2, 3}));
  EXPECT_EQ(values[0].bytes.size(), 24u);
  const std::string unknown = refusal([&] { client().values("m", Image().feed(), {"double", "a", "b"}); });
  EXPECT_TRUE(contains(unknown, "'a'")) << unknown;
  EXPECT_TRUE(contains(unknown, "'b'")) << unknown;
}

TEST_F(ServerTest, MeasuresAModel) {
  start_with_model();
  const PerformanceReport report = client().perf("m", 3);
  EXPECT_EQ(report.runs, 3);
  EXPECT_GT(report.total_microseconds, 0);
  EXPECT_TRUE(contains(report.layers, "Add")) << report.layers;
  EXPECT_TRUE(contains(refusal([&] { client().perf("m", 0); }), "expected are runs (1 to 10000)"));
}

TEST_F(ServerTest, CoresAreChosenByModelAndByRequest) {
  start_with_model();
  Client one = client();
  const std::vector<float> expected = floats(one.infer("m", Image().feed())[0].bytes);
  for (const uint32_t mask : {0u, 1u, 2u, 4u, 3u, 7u, 0xffffu}) {
    EXPECT_EQ(floats(one.infer("m", Image().feed(), {}, mask)[0].bytes), expected);
    one.load("m", mask);
    EXPECT_EQ(floats(one.infer("m", Image().feed())[0].bytes), expected);
  }
  EXPECT_TRUE(contains(refusal([&] { one.infer("m", Image().feed(), {}, 5); }), "core_mask is 5, expected 0 (AUTO)"));
}

TEST_F(ServerTest, WrongFeedsAreRefusedInTheSessionsWords) {
  start_with_model();
  Client one = client();
  const float value = 0;
  const auto feed = [&](const char* name, std::vector<int64_t> shape) {
    return NamedArrays{{name, ArrayView{ElementType::Float32, std::move(shape), &value}}};
  };
  EXPECT_TRUE(contains(refusal([&] { one.infer("m", feed("image", {1})); }), "Input rank mismatch"));
  EXPECT_TRUE(contains(refusal([&] { one.infer("m", feed("other", {1})); }), "E0603 runtime.bad-input"));
  EXPECT_TRUE(contains(refusal([&] { one.infer("m", Image().feed(), {"none"}); }), "Unknown output name: none"));
  EXPECT_EQ(one.infer("m", Image().feed()).size(), 1u);  // the connection is still good
}

TEST_F(ServerTest, AFileThatIsNoModelIsKeptAndNotServed) {
  start();
  Client one = client();
  one.upload("noise", bytes(std::string(100, 'x')));
  EXPECT_NE(refusal([&] { one.load("noise"); }), "no error");
  EXPECT_TRUE(contains(refusal([&] { one.infer("noise", Image().feed()); }), "could not be loaded"));
}

TEST_F(ServerTest, TheFolderIsBounded) {
  options.service.store = {.max_models = 1, .max_model_bytes = 1000};
  start();
  Client one = client();
  one.upload("a", bytes(std::string(10, 'x')));
  one.upload("a", bytes(std::string(20, 'x')));  // in place of the first
  EXPECT_TRUE(contains(refusal([&] { one.upload("b", bytes(std::string(10, 'x'))); }), "at most 1 are kept"));
  EXPECT_TRUE(contains(refusal([&] { one.upload("a", bytes(std::string(1001, 'x'))); }), "at most 1000 are taken"));
  EXPECT_EQ(std::filesystem::file_size(folder / "models" / "a.rknn"), 20u);
}

TEST_F(ServerTest, NothingIsDoneWithoutTheToken) {
  options.token_file = folder / "token";
  write_file(options.token_file, "0123456789abcdef\n");
  start();
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\n\r\n"), "401 Unauthorized"));
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdeF\r\n\r\n"), "401"));
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n"), "200 OK"));
  const std::string unasked = exchange("PUT /openrknn/v1/models/m HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(contains(unasked, "401")) << unasked;
  EXPECT_EQ(files(), std::vector<std::string>{});
  ClientOptions wrong = client_options();
  wrong.token = "fedcba9876543210";
  EXPECT_TRUE(contains(refusal([&] { Client one(wrong); }), "give this side the token that the device has"));
  wrong.token = "0123456789abcdef";
  EXPECT_EQ(Client(wrong).device().protocol, 1);
}

TEST_F(ServerTest, OtherMachinesAreLetInWithATokenOnly) {
  options.host = "0.0.0.0";
  options.key = "key.pem";
  const std::string text = refusal([&] { start(); });
  EXPECT_TRUE(contains(text, "there is no --token-file")) << text;
  EXPECT_TRUE(contains(text, "--tls-cert and --tls-key go together")) << text;  // all that is wrong
}

TEST_F(ServerTest, PagesOfABrowserAreRefusedByAServerWithoutToken) {
  start();
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"), "200 OK"));
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nHost: evil.example:8000\r\n\r\n"), "401"));
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n"), "401"));
}

#if OPENRKNN_TLS
TEST_F(ServerTest, TlsIsCheckedByTheClient) {
  options.certificate = folder / "certificate.pem";
  options.key = folder / "key.pem";
  write_file(options.certificate, kCertificate);
  write_file(options.key, kCertificateKey);
  start();
  ClientOptions secure = client_options();
  secure.tls = true;
  EXPECT_TRUE(contains(refusal([&] { Client one(secure); }), "the TLS handshake failed"));
  secure.certificate_authority = options.certificate;
  Client one(secure);
  one.upload("m", bytes(doubling_model()));
  one.load("m");
  EXPECT_EQ(floats(one.infer("m", Image().feed())[0].bytes)[11], 22.0f);
  EXPECT_NE(refusal([&] { client(); }), "no error");  // in the clear
  the_server->stop();
}
#endif

TEST_F(ServerTest, LongBodiesAndHeadersAreRefusedBeforeTheyAreRead) {
  options.service.max_request_bytes = 1000;
  start_with_model();
  EXPECT_TRUE(contains(exchange("POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"), "413"));
  EXPECT_TRUE(
      contains(exchange("POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n"), "413"));
  EXPECT_TRUE(contains(exchange("GET /v2 HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"), "413"));
  EXPECT_TRUE(contains(exchange("POST /v2/repository/index HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"), "413"));
}

TEST_F(ServerTest, BodiesOfAllRequestsTogetherAreBounded) {
  options.service.max_bytes_in_flight = 1000;
  start_with_model();
  RawSocket first(port());
  first.send("POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 900\r\n\r\n{");
  std::string second;
  do {  // the first may still be on its way
    second = exchange("POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 200\r\n\r\n");
  } while (!contains(second, "503"));
  EXPECT_TRUE(contains(second, "E0806 server.busy")) << second;
}

TEST_F(ServerTest, WhatIsNoHttpIsRefused) {
  start();
  const std::pair<std::string, const char*> cases[] = {
      {"hello\r\n\r\n", "400 Bad Request"},
      {"GET /v2 HTTP/9.9\r\n\r\n", "400 Bad Request"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(50, '\n'), "400 Bad Request"},
      {"POST /v2/models/m/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Content-Length"},
      {"POST /v2/models/m/infer HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "compressed"},
      {"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 Bad Request"},
      {"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2\r\nInference-Header-Content-Length: 3\r\n\r\n{}",
       "no number within"},
      {"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2\r\nInference-Header-Content-Length: x\r\n\r\n{}",
       "no number within"},
      {"PUT /openrknn/v1/models/..%2f..%2fx HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "E0801"},
      {"PUT /openrknn/v1/models/../../x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "40"},
  };
  for (const auto& [request, expected] : cases) EXPECT_TRUE(contains(exchange(request), expected)) << request;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "models"));
  EXPECT_TRUE(contains(exchange("GET /v2/health/live HTTP/1.1\r\n\r\n"), "200 OK"));
}

TEST_F(ServerTest, AHalfClosedClientGetsItsAnswer) {
  start();
  RawSocket socket(port());
  socket.send("GET /v2 HTTP/1.1\r\n\r\n");
  socket.end_sending();
  EXPECT_TRUE(contains(socket.receive_all(), "200 OK"));
  RawSocket short_body(port());
  short_body.send("POST /v2/repository/index HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}");
  short_body.end_sending();
  EXPECT_TRUE(contains(short_body.receive_all(), "ended before its body"));
}

TEST_F(ServerTest, RequestsMayComeInOnePiece) {
  start();
  RawSocket socket(port());
  socket.send(
      "GET /v2/health/live HTTP/1.1\r\n\r\nPOST /v2/repository/index HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
      "GET /v2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string answers = socket.receive_all();
  EXPECT_TRUE(contains(answers, R"({"live":true})"));
  EXPECT_TRUE(contains(answers, "[]"));
  EXPECT_TRUE(contains(answers, R"("name":"openrknn")"));
}

TEST_F(ServerTest, AClientThatWaitsToBeAskedForItsBodyIs) {
  start();
  RawSocket socket(port());
  socket.send("POST /v2/repository/index HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_TRUE(contains(socket.receive_response(), "100 Continue"));
  socket.send("{}");
  EXPECT_TRUE(contains(socket.receive_response(), "200 OK"));
}

TEST_F(ServerTest, SlowClientsAreLeft) {
  options.header_timeout = options.body_timeout = options.idle_timeout = std::chrono::milliseconds(50);
  start();
  const char* const beginnings[] = {"", "GE", "GET /v2 HTTP/1.1\r\nA: b\r\n",
                                    "POST /v2/repository/index HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
                                    "PUT /openrknn/v1/models/m HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"};
  for (const char* beginning : beginnings) {
    RawSocket socket(port());
    socket.send(beginning);
    EXPECT_EQ(socket.receive_all(), "") << beginning;  // closed, not answered
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "models"));
}

TEST_F(ServerTest, ConnectionsAreBounded) {
  options.max_connections = 2;
  start();
  RawSocket first(port()), second(port());
  first.send("GET /v2 HTTP/1.1\r\n\r\n");
  second.send("GET /v2 HTTP/1.1\r\n\r\n");
  first.receive_response();
  second.receive_response();
  RawSocket third(port());
  EXPECT_TRUE(contains(third.receive_all(), "E0806 server.busy: too many connections"));
}

TEST_F(ServerTest, ModelsOfTheFolderAreLoadedAtTheStart) {
  std::filesystem::create_directories(options.service.models);
  write_file(options.service.models / "good.rknn", doubling_model());
  write_file(options.service.models / "bad.rknn", "no model");
  write_file(options.service.models / ".hidden.rknn", doubling_model());
  start();
  the_server->service().load_all_models();
  while (!the_server->service().is_ready()) std::this_thread::yield();
  const std::string index = exchange("POST /v2/repository/index HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(contains(index, R"({"name":"good","version":"1","state":"READY","reason":""})")) << index;
  EXPECT_TRUE(contains(index, R"({"name":"bad","version":"1","state":"UNAVAILABLE","reason":")")) << index;
  EXPECT_FALSE(contains(index, "hidden"));
}

TEST_F(ServerTest, CountsWhatItDoes) {
  start_with_model();
  Client one = client();
  for (int i = 0; i < 5; ++i) one.infer("m", Image().feed());
  refusal([&] { one.infer("none", Image().feed()); });
  const std::string metrics = exchange("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(contains(metrics, "openrknn_inferences_total{model=\"m\"} 5\n")) << metrics;
  EXPECT_TRUE(contains(metrics, "openrknn_errors_total{code=\"E0804\"} 1\n")) << metrics;
  EXPECT_TRUE(contains(metrics, "openrknn_core_jobs_total{target=\"rk3588\",core=\"2\"}")) << metrics;
  EXPECT_TRUE(contains(metrics, "openrknn_bytes_in_flight 0\n")) << metrics;
  EXPECT_TRUE(contains(exchange("GET /v2/models/m/stats HTTP/1.1\r\n\r\n"), R"("inference_count":5)"));
}

// Run by the test below in a process of its own, which it kills.
TEST(ServerProcess, ServesUntilItIsKilled) {
  const char* folder = std::getenv("OPENRKNN_TEST_SERVE");
  if (folder == nullptr) GTEST_SKIP() << "started by ServerTest.AnUploadThatIsKilledLeavesNoModel";
  ServerOptions options;
  options.port = 0;
  options.service.models = folder;
  options.service.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
  Server server(options);
  write_file(std::filesystem::path(folder) / "port", std::to_string(server.port()));
  while (true) pause();
}

TEST_F(ServerTest, AnUploadThatIsKilledLeavesNoModel) {
  const std::filesystem::path models = folder / "models";
  std::filesystem::create_directories(models);
  const pid_t child = fork();
  if (child == 0) {  // exec at once: the threads of this process are not there
    setenv("OPENRKNN_TEST_SERVE", models.c_str(), 1);
    execl("/proc/self/exe", "server_tests", "--gtest_filter=ServerProcess.*", nullptr);
    _exit(1);
  }
  while (!std::filesystem::exists(models / "port")) {
    ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "the server ended by itself";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  {
    RawSocket upload(static_cast<uint16_t>(std::stoul(read_text_file(models / "port"))));
    upload.send("PUT /openrknn/v1/models/m HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n");
    upload.send(std::string(5000000, 'x'));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  std::filesystem::remove(models / "port");
  EXPECT_FALSE(std::filesystem::exists(models / "m.rknn"));
  write_file(models / "other.rknn.123.part", "half");  // where a file cannot be nameless, its rest has such a name
  start();
  EXPECT_TRUE(contains(exchange("POST /v2/repository/index HTTP/1.1\r\n\r\n"), "\r\n\r\n[]"));
  EXPECT_TRUE(std::filesystem::is_empty(models));
}

}  // namespace
}  // namespace openrknn
