// Which request means what; names; tokens. Without a network.
#include "runtime/server/routes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "runtime/server/message.h"
#include "runtime/server/metrics.h"
#include "runtime/server/model_name.h"
#include "runtime/server/token.h"

namespace openrknn::server {
namespace {

std::string route_failure(std::string_view method, std::string_view target) {
  try {
    find_route(method, target);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Routes, FindEveryEndpoint) {
  struct Case {
    const char *method, *target;
    Endpoint endpoint;
    const char* model = "";
  };
  const Case cases[] = {
      {"GET", "/v2", Endpoint::ServerMetadata},
      {"GET", "/v2/", Endpoint::ServerMetadata},
      {"GET", "/v2/health/live", Endpoint::Live},
      {"GET", "/v2/health/ready?x=y", Endpoint::Ready},
      {"GET", "/v2/models/m/ready", Endpoint::ModelReady, "m"},
      {"GET", "/v2/models/m/versions/1/ready", Endpoint::ModelReady, "m"},
      {"GET", "/v2/models/m", Endpoint::ModelMetadata, "m"},
      {"GET", "/v2/models/m/versions/1", Endpoint::ModelMetadata, "m"},
      {"GET", "/v2/models/m/config", Endpoint::ModelConfig, "m"},
      {"GET", "/v2/models/stats", Endpoint::AllStatistics},
      {"GET", "/v2/models/m/stats", Endpoint::ModelStatistics, "m"},
      {"POST", "/v2/models/yolov5.s-3_a/infer", Endpoint::Infer, "yolov5.s-3_a"},
      {"POST", "/v2/models/m/versions/1/infer", Endpoint::Infer, "m"},
      {"POST", "/v2/repository/index", Endpoint::RepositoryIndex},
      {"POST", "/v2/repository/models/m/load", Endpoint::Load, "m"},
      {"POST", "/v2/repository/models/m/unload", Endpoint::Unload, "m"},
      {"GET", "/metrics", Endpoint::Metrics},
      {"GET", "/openrknn/v1/device", Endpoint::Device},
      {"GET", "/openrknn/v1/versions", Endpoint::Versions},
      {"PUT", "/openrknn/v1/models/m", Endpoint::Upload, "m"},
      {"DELETE", "/openrknn/v1/models/m", Endpoint::Remove, "m"},
      {"POST", "/openrknn/v1/models/m/perf", Endpoint::Performance, "m"},
      {"GET", "/openrknn/v1/models/m/memory", Endpoint::Memory, "m"},
      {"POST", "/openrknn/v1/models/%6d/values", Endpoint::Values, "m"},
  };
  for (const Case& wanted : cases) {
    const Match match = find_route(wanted.method, wanted.target);
    EXPECT_EQ(static_cast<int>(match.endpoint), static_cast<int>(wanted.endpoint)) << wanted.target;
    EXPECT_EQ(match.model, wanted.model) << wanted.target;
  }
}

TEST(Routes, RefuseWhatIsNotThere) {
  for (const char* target : {"", "v2", "*", "/", "/v1", "/v2/models", "/v2/models/m/versions", "/v2/models/m/x",
                             "/openrknn/v2/device", "//v2", "/v2/models/m/infer/a/b/c/d/e/f/g"}) {
    EXPECT_NE(route_failure("GET", target).find("E0803 server.unknown-path"), std::string::npos) << target;
  }
  EXPECT_NE(route_failure("DELETE", "/v2").find("has no method DELETE, expected GET"), std::string::npos);
  EXPECT_NE(route_failure("GET", "/v2/models/m/versions/2").find("expected 1"), std::string::npos);
  EXPECT_NE(route_failure("GET", "/v2/models/%4").find("two hexadecimal digits"), std::string::npos);
}

TEST(Routes, NoNameLeadsOutOfTheFolder) {
  for (const char* name : {"..", ".", ".hidden", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%2fb", "a%00b", "a%5cb", "a b",
                           "%c3%a4", "a:b", "~", "$HOME"}) {
    const std::string target = std::string("/openrknn/v1/models/") + name;
    EXPECT_NE(route_failure("PUT", target).find("E0801 server.bad-request"), std::string::npos) << name;
    EXPECT_NE(route_failure("DELETE", target).find("E0801 server.bad-request"), std::string::npos) << name;
  }
  EXPECT_NE(route_failure("PUT", "/openrknn/v1/models/../../etc/passwd"), "no error");
  EXPECT_TRUE(is_model_name(std::string(kLongestModelName, 'a')));
  EXPECT_FALSE(is_model_name(std::string(kLongestModelName + 1, 'a')));
  EXPECT_FALSE(is_model_name(""));
  EXPECT_TRUE(is_model_name("a..b"));  // no part of a path of its own
}

TEST(Token, IsComparedAsAWhole) {
  const std::string token = "0123456789abcdef";
  EXPECT_TRUE(authorizes("Bearer 0123456789abcdef", token));
  for (const char* header : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdefg",
                             "Bearer 0123456789abcdeF", "Basic 0123456789abcdef", "0123456789abcdef"}) {
    EXPECT_FALSE(authorizes(header, token)) << header;
  }
}

TEST(Token, IsReadFromOneLine) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "openrknn_token";
  write_file(path, "0123456789abcdef\n");
  EXPECT_EQ(read_token(path), "0123456789abcdef");
  for (const char* text : {"", "short\n", "0123456789 abcdef\n", "0123456789abcdef\n0123456789abcdef\n"}) {
    write_file(path, text);
    EXPECT_THROW(read_token(path), Error) << text;
  }
  std::filesystem::remove(path);
  EXPECT_THROW(read_token(path), Error);
}

TEST(Token, LoopbackIsToldFromNamesThatLookLikeIt) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"127.0.0.1.example.org", "example.org", "10.0.0.1", "", "localhost.example.org"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
  EXPECT_EQ(host_name("localhost:8000"), "localhost");
  EXPECT_EQ(host_name("[::1]:8000"), "::1");
  EXPECT_EQ(host_name("127.0.0.1"), "127.0.0.1");
}

TEST(Messages, FailuresHaveACodeAndAStatus) {
  const auto response_to = [](auto&& failure) {
    return error_response(error_of(std::make_exception_ptr(failure), "POST /x"));
  };
  EXPECT_EQ(response_to(SessionError("Input rank mismatch")).status, 400);
  EXPECT_EQ(response_to(SessionError("rknn_run failed", -1, "rknn_run")).status, 500);
  EXPECT_EQ(response_to(TimeoutError("run_async: the queue is full")).status, 503);
  EXPECT_EQ(response_to(std::bad_alloc()).status, 503);
  EXPECT_EQ(response_to(SessionError("Input rank mismatch")).text,
            R"({"code":"E0603","error":"POST /x: E0603 runtime.bad-input: Input rank mismatch"})");
}

TEST(Metrics, TextIsPrometheus) {
  Metrics metrics;
  metrics.responded(404, "E0804");
  metrics.inferred("m", true, 0.002, {.queue = 10, .run = 1500});
  metrics.inferred("m", false, 20, {});
  MetricsPicture picture;
  picture.models = {{"m", 3, 1}};
  picture.devices = {{"rk3588", {{7, 1.5}}}};
  picture.uptime_seconds = 3;
  const std::string text = metrics.text(picture);
  for (const char* line :
       {"openrknn_responses_total{status=\"404\"} 1\n", "openrknn_errors_total{code=\"E0804\"} 1\n",
        "openrknn_queue_depth{model=\"m\"} 3\n", "openrknn_running{model=\"m\"} 1\n",
        "openrknn_core_busy_seconds_total{target=\"rk3588\",core=\"0\"} 1.5\n",
        "openrknn_core_busy_ratio{target=\"rk3588\",core=\"0\"} 0.5\n",
        "openrknn_request_seconds_bucket{model=\"m\",le=\"0.001\"} 0\n",
        "openrknn_request_seconds_bucket{model=\"m\",le=\"0.0025\"} 1\n",
        "openrknn_request_seconds_bucket{model=\"m\",le=\"+Inf\"} 2\n",
        "openrknn_request_seconds_count{model=\"m\"} 2\n", "openrknn_inference_seconds_sum{model=\"m\"} 0.0015\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace openrknn::server
