// The life of the service: who may ask, what is loaded, and the way to the handler of an endpoint.
#include "runtime/server/service.h"

#include "core/base/error.h"
#include "runtime/server/call.h"
#include "runtime/server/json_body.h"
#include "runtime/server/token.h"

namespace openrknn::server {
namespace {

constexpr int kJobThreads = 3;
constexpr size_t kWaitingJobs = 64;
constexpr uint64_t kOptionBytes = 64 << 10;

}  // namespace

// By Endpoint.
const Service::Handler Service::kHandlers[kEndpointCount] = {
    &Service::server_metadata, &Service::live,         &Service::ready,          &Service::model_ready,
    &Service::model_metadata,  &Service::model_config, &Service::infer,          &Service::repository_index,
    &Service::load_model,      &Service::unload_model, &Service::all_statistics, &Service::model_statistics,
    &Service::show_metrics,    &Service::device,       &Service::versions,       &Service::upload,
    &Service::remove,          &Service::performance,  &Service::memory,         &Service::values,
};

nlohmann::json Service::Call::options() const {
  if (request.body.size() == 0) return nlohmann::json::object();
  nlohmann::json body = parse_json(request.body.bytes(), 8);
  if (!body.is_object())
    fail(Code::ServerBadRequest, fmt::format("the body is {}, expected an object", body.type_name()));
  return body;
}

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      runtime_(runtime_info(options_.runtime_library)),
      store_(std::make_shared<ModelStore>(options_.models, options_.store)),
      budget_(std::make_shared<ByteBudget>(options_.max_bytes_in_flight)),
      jobs_(kJobThreads, kWaitingJobs) {}

Service::~Service() {
  stopping_ = true;
  std::map<std::string, Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  for (const auto& [name, entry] : entries) {
    if (entry.model) entry.model->close(false);
  }
}

void Service::say(const std::string& text) const {
  if (options_.on_message) options_.on_message(text);
}

LoadOptions Service::default_load_options() const {
  return {.max_queue = options_.max_queue, .runtime_library = options_.runtime_library};
}

void Service::load_models(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ++loading_;
    jobs_.go_on([this, name] {
      try {
        if (!stopping_) load(name, default_load_options());
      } catch (...) {
        say(error_of(std::current_exception(), name).what());
      }
      --loading_;
    });
  }
}

void Service::load(const std::string& name, LoadOptions load_options) {
  std::shared_ptr<ServedModel> former;
  try {
    const auto model = std::make_shared<ServedModel>(name, store_->path_of(name), std::move(load_options));
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[name];
    former = std::exchange(entry.model, model);
    entry.reason.clear();
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[name];
    if (!entry.model) entry.reason = error.what();
    throw;
  }
  if (former) former->close(true);  // what runs on it ends first
  say(fmt::format("{}: loaded", name));
}

std::shared_ptr<ServedModel> Service::take(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  std::shared_ptr<ServedModel> model = std::move(found->second.model);
  entries_.erase(found);
  return model;
}

std::shared_ptr<ServedModel> Service::loaded(const std::string& name) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.model) return found->second.model;
    if (found != entries_.end() && !found->second.reason.empty()) {
      fail(Code::ServerUnknownModel, fmt::format("the model '{}' could not be loaded: {}", name, found->second.reason));
    }
  }
  static_cast<void>(store_->path_of(name));  // or there is none
  fail(Code::ServerUnknownModel, fmt::format("the model '{}' is not loaded", name),
       fmt::format("POST /v2/repository/models/{}/load", name));
}

std::vector<std::shared_ptr<ServedModel>> Service::loaded_models() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServedModel>> models;
  for (const auto& [name, entry] : entries_) {
    if (entry.model) models.push_back(entry.model);
  }
  return models;
}

Match Service::admit(const RequestHead& head) const {
  if (options_.token.empty()) {
    // Whatever page is open in a browser of this machine can send requests here; they tell where they are from.
    if (!head.origin.empty() || (!head.host.empty() && !is_loopback(host_name(head.host)))) {
      fail(Code::ServerUnauthorized,
           fmt::format("a request of a browser or for host '{}' to a server without a token", excerpt(head.host)),
           "start the server with --token-file, or ask for 127.0.0.1");
    }
  } else if (!authorizes(head.authorization, options_.token)) {
    fail(Code::ServerUnauthorized,
         head.authorization.empty() ? "the request has no token" : "the request's token is not the server's",
         "send 'Authorization: Bearer TOKEN' with the token of the server's --token-file");
  }
  Match match = find_route(head.method, head.target);
  if (!head.content_length) {
    fail(Code::ServerBadRequest, "the body's length is not told (Transfer-Encoding)", "send a Content-Length");
  }
  const uint64_t length = *head.content_length;
  if (!head.content_encoding.empty() && head.content_encoding != "identity") {
    fail(Code::ServerBadRequest, fmt::format("the body is compressed ({})", excerpt(head.content_encoding)),
         "send it as it is");
  }
  const uint64_t most =
      match.body == BodyUse::Tensors ? static_cast<uint64_t>(options_.max_request_bytes) : kOptionBytes;
  if (match.body != BodyUse::File && length > most) {
    fail(Code::ServerTooLarge, fmt::format("the body has {} bytes, at most {} are taken here", length, most),
         match.body == BodyUse::Tensors ? "start the server with a larger --max-request-bytes" : "");
  }
  return match;
}

ByteBudget::Share Service::reserve(uint64_t bytes) {
  std::optional<ByteBudget::Share> share = budget_->take(static_cast<int64_t>(bytes));
  if (!share) {
    fail(Code::ServerBusy,
         fmt::format("requests of {} bytes are under way, {} more would be above {}", budget_->used(), bytes,
                     budget_->limit()),
         "ask again later");
  }
  return std::move(*share);
}

void Service::handle(Request&& request, Respond respond) {
  const auto call = std::make_shared<Call>(*this, std::move(request), std::move(respond));
  try {
    (this->*kHandlers[static_cast<size_t>(call->request.match.endpoint)])(call);
  } catch (...) {
    call->answer_failure(std::current_exception());
  }
}

void Service::respond_later(const std::shared_ptr<Call>& call, std::function<Response()> work) {
  jobs_.post([call, work = std::move(work)] {
    try {
      if (call->service.stopping_) throw CancelledError("the server stops");
      call->answer(work());
    } catch (...) {
      call->answer_failure(std::current_exception());
    }
  });
}

std::unique_ptr<ModelUpload> Service::begin_upload(const RequestHead& head, const Match& match) {
  return store_->begin_upload(match.model, *head.content_length);
}

Response Service::finish_upload(ModelUpload& upload) {
  upload.commit();
  say(fmt::format("{}: uploaded, {} bytes", upload.name(), upload.size()));
  const nlohmann::ordered_json body = {{"name", upload.name()}, {"bytes", upload.size()}};
  return {.text = body.dump()};
}

void Service::upload(const std::shared_ptr<Call>&) {
  fail(Code::Internal, "an upload reached the handler of small bodies");
}

}  // namespace openrknn::server
