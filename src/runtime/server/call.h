// One request on its way through the service. Included by service*.cpp only.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/server/infer_request.h"
#include "runtime/server/json_body.h"
#include "runtime/server/service.h"

namespace openrknn::server {

struct Service::Call {
  Call(Service& the_service, Request&& the_request, Respond&& the_respond)
      : service(the_service), request(std::move(the_request)), respond(std::move(the_respond)) {}

  Service& service;
  Request request;
  Respond respond;
  InferRequest parsed;  ///< of inferences; looks into the request's body
  std::shared_ptr<ServedModel> model;
  std::atomic<bool> answered = false;

  const std::string& name() const { return request.match.model; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - request.head.received).count();
  }
  std::string place() const { return fmt::format("{} {}", request.head.method, request.head.target.substr(0, 200)); }

  void answer(Response&& response) {
    if (answered.exchange(true)) return;
    service.metrics_.responded(response.status, response.diagnostic);
    request.share = {};
    respond(std::move(response));
    respond = nullptr;
  }
  void answer(const nlohmann::ordered_json& body) { answer(Response{.text = json_text(body)}); }
  void answer_failure(const std::exception_ptr& failure) { answer(error_response(error_of(failure, place()))); }

  /// The JSON of the body, an empty object if there is none. Throws Error.
  nlohmann::json options() const;
};

}  // namespace openrknn::server
