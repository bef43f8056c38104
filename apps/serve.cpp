#include "apps/serve.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/targets/targets.h"
#include "runtime/server/server.h"

namespace openrknn {

struct ServeArguments {
  server::ServerOptions options;
  std::vector<std::string> load;
  bool load_none = false, quiet = false;
  int64_t idle_seconds = 75, grace_seconds = 10;
};

std::shared_ptr<ServeArguments> add_serve_options(CLI::App& app) {
  auto arguments = std::make_shared<ServeArguments>();
  server::ServerOptions& options = arguments->options;
  server::ServiceOptions& service = options.service;
  app.add_option("--models", service.models, "the folder of the models, NAME.rknn; made if it is not there")
      ->required();
  app.add_option("--host", options.host, "address to listen on; any but this machine's own needs --token-file")
      ->capture_default_str();
  app.add_option("--port", options.port, "0 = one that is free")->capture_default_str();
  app.add_option("--token-file", options.token_file, "file with the token that requests must carry");
  app.add_option("--tls-cert", options.certificate, "PEM file of the certificate and its chain");
  app.add_option("--tls-key", options.key, "PEM file of its key");
  app.add_option("--load", arguments->load, "load this model at the start; may be repeated; default: all")
      ->allow_extra_args(false);
  app.add_flag("--load-none", arguments->load_none, "load nothing at the start");
  app.add_option("--name", service.device_name, "what the device calls itself; default: the machine's name");
  app.add_option("--threads", options.threads, "threads of the network")->capture_default_str();
  app.add_option("--max-models", service.store.max_models, "models that are kept")->capture_default_str();
  app.add_option("--max-model-bytes", service.store.max_model_bytes, "of one model")->capture_default_str();
  app.add_option("--max-request-bytes", service.max_request_bytes, "of one inference request")->capture_default_str();
  app.add_option("--max-bytes-in-flight", service.max_bytes_in_flight, "of the bodies of all requests under way")
      ->capture_default_str();
  app.add_option("--max-queue", service.max_queue, "inferences of one model that wait for a core; more get 503")
      ->capture_default_str();
  app.add_option("--max-connections", options.max_connections, "open at once")->capture_default_str();
  app.add_option("--idle-timeout", arguments->idle_seconds, "seconds a connection may wait between requests")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--grace", arguments->grace_seconds, "seconds for what is under way when the server stops")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("-q,--quiet", arguments->quiet, "print where it listens and nothing else");
  return arguments;
}

int serve(ServeArguments& arguments) {
  server::ServerOptions& options = arguments.options;
  options.idle_timeout = std::chrono::seconds(arguments.idle_seconds);
  options.grace = std::chrono::seconds(arguments.grace_seconds);
  for (const Target& target : all_targets()) options.service.targets.emplace_back(target.name);
  if (!arguments.quiet) {
    options.service.on_message = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  }
  // Before any thread is there, so that none of them takes the signals.
  sigset_t stopping;
  sigemptyset(&stopping);
  sigaddset(&stopping, SIGINT);
  sigaddset(&stopping, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stopping, nullptr);

  server::Server server(options);
  if (!arguments.load.empty()) {
    server.service().load_models(arguments.load);
  } else if (!arguments.load_none) {
    server.service().load_all_models();
  }
  fmt::print("listening on {}://{}:{}\n", options.certificate.empty() ? "http" : "https",
             options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]", server.port());
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&stopping, &signal_number);
  pthread_sigmask(SIG_UNBLOCK, &stopping, nullptr);
  if (!arguments.quiet) fmt::print(stderr, "stopping: what is under way has {} s\n", arguments.grace_seconds);
  server.stop();
  return 0;
}

}  // namespace openrknn
