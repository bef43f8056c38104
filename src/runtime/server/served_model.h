// One loaded model: a session over the cores it may use, and one more for each core mask that requests ask for.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "openrknn/session.hpp"

namespace openrknn::server {

struct LoadOptions {
  std::optional<uint32_t> core_mask;  ///< as in rknn_api.h; nothing: a worker on each core, whichever is free first
  bool native_outputs = false;        ///< outputs in the model's own types; else float32, as Session::run gives them
  int64_t max_queue = 1024;           ///< tasks that wait for a core
  std::string runtime_library;
};

/// An input or output as requests say it.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::Float32;
  std::vector<int64_t> shape;
  std::string model_type;  ///< "tensor(int8)"
  std::string layout;
};

/// Thread-safe.
class ServedModel {
 public:
  /// Throws SessionError.
  ServedModel(std::string name, std::filesystem::path, LoadOptions);
  ~ServedModel();
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  const std::string& name() const { return name_; }
  const LoadOptions& options() const { return options_; }
  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

  /// The session of requests that name no cores.
  Session& session() { return *session_; }
  /// The session of a mask, or null if it has to be opened, which takes its time.
  std::shared_ptr<Session> find_session(std::optional<uint32_t> core_mask);
  /// Opens it. Throws SessionError: a mask the device does not have.
  std::shared_ptr<Session> open_session(std::optional<uint32_t> core_mask);
  /// Waiting and running tasks of all sessions.
  std::pair<size_t, size_t> load();
  /// Runs what waits (`drain`) or cancels it, then gives cores and memory back.
  void close(bool drain);

  /// Runs `runs` times with zeros; then once more, layer by layer. `is_stopped` ends it early (CancelledError).
  struct Performance {
    int64_t runs = 0;
    double total_microseconds = 0, least_microseconds = 0;
    std::string layers;  ///< the runtime's own table
  };
  Performance measure(int64_t runs, std::optional<uint32_t> core_mask, const std::function<bool()>& is_stopped);

 private:
  SessionOptions session_options(std::optional<uint32_t> core_mask) const;

  const std::string name_;
  const std::filesystem::path path_;
  const LoadOptions options_;
  std::shared_ptr<Session> session_;
  std::vector<TensorInfo> inputs_, outputs_;
  std::mutex mutex_, opening_;
  std::map<uint32_t, std::shared_ptr<Session>> by_mask_;
};

}  // namespace openrknn::server
