// What the server does with requests, without a network: routes to answers. docs/server.md has the endpoints.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/server/byte_budget.h"
#include "runtime/server/job_pool.h"
#include "runtime/server/message.h"
#include "runtime/server/metrics.h"
#include "runtime/server/model_store.h"
#include "runtime/server/routes.h"
#include "runtime/server/served_model.h"

namespace openrknn::server {

/// Of the extensions under /openrknn/v1; a client of another one is told so.
inline constexpr int kProtocolVersion = 1;

struct ServiceOptions {
  std::filesystem::path models;
  StoreLimits store;
  int64_t max_queue = 1024;                        ///< tasks of one model that wait
  int64_t max_request_bytes = int64_t{256} << 20;  ///< of one inference request
  int64_t max_bytes_in_flight = int64_t{1} << 30;  ///< of all bodies together
  std::string token;                               ///< empty: requests need none
  std::string runtime_library;
  std::string device_name;           ///< empty: the machine's
  std::vector<std::string> targets;  ///< SoCs whose models the simulator runs
  /// Told sentences about models as they come and go.
  std::function<void(const std::string&)> on_message;
};

/// A request whose body is there.
struct Request {
  RequestHead head;
  Match match;
  ByteBuffer body;
  ByteBudget::Share share = {};  ///< of the body's bytes; held until the response is there
};

/// Thread-safe.
class Service {
 public:
  /// Throws Error (the folder), SessionError (no runtime).
  explicit Service(ServiceOptions);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Loads models in the background; is_ready() is true when all were tried.
  void load_models(const std::vector<std::string>& names);
  void load_all_models() { load_models(store_->names()); }
  bool is_ready() const { return loading_ == 0 && !stopping_; }

  /// Looks at a request before its body is read. Throws Error: no right, no such path, a body that is too large.
  Match admit(const RequestHead&) const;
  /// Room for a body. Throws Error (ServerBusy).
  ByteBudget::Share reserve(uint64_t bytes);
  /// Answers anything but an upload. Does not throw and does not wait.
  void handle(Request&&, Respond);

  /// Throws Error. The upload's steps belong on jobs().
  std::unique_ptr<ModelUpload> begin_upload(const RequestHead&, const Match&);
  Response finish_upload(ModelUpload&);

  /// No new work from now on; long work ends soon.
  void stop() { stopping_ = true; }
  JobPool& jobs() { return jobs_; }
  Metrics& metrics() { return metrics_; }

 private:
  struct Call;
  struct Entry {
    std::shared_ptr<ServedModel> model;  ///< null: not loaded
    std::string reason;                  ///< why it could not be loaded
  };
  using Handler = void (Service::*)(const std::shared_ptr<Call>&);
  static const Handler kHandlers[kEndpointCount];

  std::shared_ptr<ServedModel> loaded(const std::string& name) const;
  std::vector<std::shared_ptr<ServedModel>> loaded_models() const;
  void load(const std::string& name, LoadOptions);
  /// Forgets the entry; null if the model was not loaded. Whoever takes it closes it, without the lock.
  std::shared_ptr<ServedModel> take(const std::string& name);
  LoadOptions default_load_options() const;
  void say(const std::string&) const;
  /// Runs `work` on a job's thread and responds with what it gives or throws.
  void respond_later(const std::shared_ptr<Call>&, std::function<Response()> work);
  /// Finds the model and takes the body apart. Throws Error.
  void read_tensors(Call&) const;
  void run_on(const std::shared_ptr<Session>&, const std::shared_ptr<Call>&);

  void server_metadata(const std::shared_ptr<Call>&);
  void live(const std::shared_ptr<Call>&);
  void ready(const std::shared_ptr<Call>&);
  void model_ready(const std::shared_ptr<Call>&);
  void model_metadata(const std::shared_ptr<Call>&);
  void model_config(const std::shared_ptr<Call>&);
  void infer(const std::shared_ptr<Call>&);
  void repository_index(const std::shared_ptr<Call>&);
  void load_model(const std::shared_ptr<Call>&);
  void unload_model(const std::shared_ptr<Call>&);
  void all_statistics(const std::shared_ptr<Call>&);
  void model_statistics(const std::shared_ptr<Call>&);
  void show_metrics(const std::shared_ptr<Call>&);
  void device(const std::shared_ptr<Call>&);
  void versions(const std::shared_ptr<Call>&);
  void upload(const std::shared_ptr<Call>&);
  void remove(const std::shared_ptr<Call>&);
  void performance(const std::shared_ptr<Call>&);
  void memory(const std::shared_ptr<Call>&);
  void values(const std::shared_ptr<Call>&);

  const ServiceOptions options_;
  const RuntimeInfo runtime_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const std::shared_ptr<ModelStore> store_;  // shared with uploads, as the budget with bodies on their way
  Metrics metrics_;
  const std::shared_ptr<ByteBudget> budget_;
  std::atomic<int> loading_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // of models that were loaded, or could not be
  JobPool jobs_;                          // last: its threads use the rest
};

}  // namespace openrknn::server
