// The one folder models live in: NAME.rknn, at most so many of at most so many bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/base/file.h"

namespace openrknn::server {

struct StoreLimits {
  int64_t max_models = 64;
  int64_t max_model_bytes = int64_t{2} << 30;
};

class ModelStore;

/// A model on its way in. Without commit() nothing is left of it. One user at a time.
class ModelUpload {
 public:
  ~ModelUpload();
  ModelUpload(const ModelUpload&) = delete;
  ModelUpload& operator=(const ModelUpload&) = delete;
  /// Throws Error (FileUnwritable).
  void write(std::span<const std::byte>);
  /// To the disk, then to its name. Throws Error: another number of bytes than was told, FileUnwritable.
  void commit();
  const std::string& name() const { return name_; }
  int64_t size() const { return expected_; }

 private:
  friend class ModelStore;
  ModelUpload(std::shared_ptr<ModelStore>, std::string name, int64_t bytes, std::unique_ptr<FileSink>);
  const std::shared_ptr<ModelStore> store_;
  const std::string name_;
  const int64_t expected_;
  int64_t written_ = 0;
  std::unique_ptr<FileSink> sink_;
};

/// Thread-safe. Made by make_shared: uploads keep it alive.
class ModelStore : public std::enable_shared_from_this<ModelStore> {
 public:
  /// Makes the folder if it is not there and removes what killed processes left of uploads. Throws Error.
  ModelStore(std::filesystem::path folder, StoreLimits);

  const std::filesystem::path& folder() const { return folder_; }
  /// In alphabetical order.
  std::vector<std::string> names() const;
  /// The file of a model. Throws Error: ServerUnknownModel, ServerBadRequest for what is no name.
  std::filesystem::path path_of(const std::string& name) const;
  /// Throws Error: the folder is full, the model too large (ServerTooLarge), or on its way already (ConfigWrongState).
  std::unique_ptr<ModelUpload> begin_upload(const std::string& name, uint64_t bytes);
  void remove(const std::string& name);  ///< throws as path_of

 private:
  friend class ModelUpload;
  std::filesystem::path file(const std::string& name) const { return folder_ / (name + ".rknn"); }
  bool has(const std::string& name) const;

  const std::filesystem::path folder_;
  const StoreLimits limits_;
  std::mutex mutex_;
  std::set<std::string> uploading_;
};

}  // namespace openrknn::server
