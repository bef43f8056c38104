#include "runtime/server/message.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "openrknn/session_types.hpp"
#include "runtime/server/json_body.h"

namespace openrknn::server {
namespace {

struct CodeRow {
  Code code;
  int status;
};
// What is not listed is the server's fault: 500.
constexpr std::array kStatuses = {
    CodeRow{Code::InvalidArgument, 400},    CodeRow{Code::InvalidShape, 400},
    CodeRow{Code::RuntimeBadInput, 400},    CodeRow{Code::GraphUnknownName, 400},
    CodeRow{Code::RuntimeBadArgument, 400}, CodeRow{Code::ServerBadRequest, 400},
    CodeRow{Code::ServerUnauthorized, 401}, CodeRow{Code::ServerUnknownPath, 404},
    CodeRow{Code::ServerUnknownModel, 404}, CodeRow{Code::ServerTimeout, 408},
    CodeRow{Code::ConfigWrongState, 409},   CodeRow{Code::ServerTooLarge, 413},
    CodeRow{Code::NotBuilt, 501},           CodeRow{Code::ServerBusy, 503},
    CodeRow{Code::Cancelled, 503},          CodeRow{Code::OutOfMemory, 503},
};

struct ReasonRow {
  int status;
  const char* reason;
};
constexpr std::array kReasons = {
    ReasonRow{200, "OK"},
    ReasonRow{400, "Bad Request"},
    ReasonRow{401, "Unauthorized"},
    ReasonRow{404, "Not Found"},
    ReasonRow{408, "Request Timeout"},
    ReasonRow{409, "Conflict"},
    ReasonRow{413, "Payload Too Large"},
    ReasonRow{501, "Not Implemented"},
    ReasonRow{503, "Service Unavailable"},
};

Error one(Code code, const std::string& where, std::string problem, std::string fix = {}) {
  return Error({Diagnostic{code, Severity::Error, Location{.file = where}, std::move(problem), std::move(fix)}});
}

}  // namespace

int status_of(Code code) {
  for (const CodeRow& row : kStatuses) {
    if (row.code == code) return row.status;
  }
  return 500;
}

const char* reason_of_status(int status) {
  for (const ReasonRow& row : kReasons) {
    if (row.status == status) return row.reason;
  }
  return "Internal Server Error";
}

Response error_response(const Error& error) {
  Response response;
  response.status = status_of(error.code());
  response.diagnostic = fmt::format("E{:04}", static_cast<int>(error.code()));
  const nlohmann::json body = {{"error", error.what()}, {"code", response.diagnostic}};
  response.text = json_text(body);
  return response;
}

Error error_of(const std::exception_ptr& failure, const std::string& where) {
  try {
    std::rethrow_exception(failure);
  } catch (Error& error) {
    for (Diagnostic& diagnostic : error.diagnostics) {
      if (diagnostic.where.file.empty()) diagnostic.where.file = where;
    }
    return Error(error.diagnostics);
  } catch (const TimeoutError& error) {
    return one(Code::ServerBusy, where, error.what(), "ask again later, or start the server with a longer --max-queue");
  } catch (const CancelledError& error) {
    return one(Code::Cancelled, where, error.what());
  } catch (const OptionError& error) {
    return one(Code::InvalidArgument, where, error.what());
  } catch (const SessionError& error) {
    // Without a call that failed it is what was asked for that does not fit the model.
    return one(error.code == 0 ? Code::RuntimeBadInput : Code::RuntimeCallFailed, where, error.what());
  } catch (const std::bad_alloc&) {
    return one(Code::OutOfMemory, where, "there is no memory left for this request");
  } catch (const std::exception& error) {
    return one(Code::Internal, where, error.what());
  } catch (...) {
    return one(Code::Internal, where, "an exception of an unknown type");
  }
}

}  // namespace openrknn::server
