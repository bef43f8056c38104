#include "runtime/server/model_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/base/error.h"
#include "runtime/server/model_name.h"

namespace openrknn::server {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSuffix = ".rknn";
constexpr std::string_view kPartSuffix = ".part";  // of FileSink, where files cannot be nameless

}  // namespace

ModelUpload::ModelUpload(std::shared_ptr<ModelStore> store, std::string name, int64_t bytes,
                         std::unique_ptr<FileSink> sink)
    : store_(std::move(store)), name_(std::move(name)), expected_(bytes), sink_(std::move(sink)) {}

ModelUpload::~ModelUpload() {
  sink_.reset();
  const std::lock_guard lock(store_->mutex_);
  store_->uploading_.erase(name_);
}

void ModelUpload::write(std::span<const std::byte> bytes) {
  sink_->write(bytes);
  written_ += static_cast<int64_t>(bytes.size());
}

void ModelUpload::commit() {
  if (written_ != expected_) {
    fail(Code::ServerBadRequest,
         fmt::format("the upload of '{}' ended after {} of {} bytes", name_, written_, expected_), "upload it again");
  }
  sink_->commit(true);
}

ModelStore::ModelStore(fs::path folder, StoreLimits limits) : folder_(std::move(folder)), limits_(limits) {
  std::error_code failure;
  fs::create_directories(folder_, failure);
  if (!fs::is_directory(folder_)) {
    fail(Code::FileUnwritable, Location{.file = folder_.string()},
         fmt::format("the models' folder cannot be made: {}", failure.message()), "name another one with --models");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    const std::string file_name = entry.path().filename().string();
    if (file_name.ends_with(kPartSuffix) && file_name.find(".rknn.") != std::string::npos) {
      fs::remove(entry.path(), failure);
    }
  }
}

std::vector<std::string> ModelStore::names() const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    const std::string file_name = entry.path().filename().string();
    std::error_code ignored;
    if (!file_name.ends_with(kSuffix) || !entry.is_regular_file(ignored)) continue;
    std::string name = file_name.substr(0, file_name.size() - kSuffix.size());
    if (is_model_name(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool ModelStore::has(const std::string& name) const {
  std::error_code ignored;
  return fs::is_regular_file(file(name), ignored);
}

fs::path ModelStore::path_of(const std::string& name) const {
  require_model_name(name);
  if (!has(name)) {
    fail(Code::ServerUnknownModel, fmt::format("there is no model '{}' in the models' folder", name),
         "upload it first (PUT /openrknn/v1/models/NAME)");
  }
  return file(name);
}

std::unique_ptr<ModelUpload> ModelStore::begin_upload(const std::string& name, uint64_t bytes) {
  require_model_name(name);
  if (bytes > static_cast<uint64_t>(limits_.max_model_bytes)) {
    fail(Code::ServerTooLarge,
         fmt::format("the model '{}' has {} bytes, at most {} are taken", name, bytes, limits_.max_model_bytes),
         "start the server with a larger --max-model-bytes");
  }
  if (bytes == 0) fail(Code::ServerBadRequest, fmt::format("the model '{}' has no bytes", name));
  const std::vector<std::string> present = names();
  const std::lock_guard lock(mutex_);
  if (uploading_.count(name) != 0) {
    fail(Code::ConfigWrongState, fmt::format("the model '{}' is being uploaded by somebody else", name),
         "wait for the other upload, or use another name");
  }
  std::set<std::string> all(present.begin(), present.end());
  all.insert(uploading_.begin(), uploading_.end());
  if (all.count(name) == 0 && static_cast<int64_t>(all.size()) >= limits_.max_models) {
    fail(Code::ServerTooLarge,
         fmt::format("there are {} models already, at most {} are kept", all.size(), limits_.max_models),
         "delete one, or start the server with a larger --max-models");
  }
  auto sink = std::make_unique<FileSink>(file(name));
  uploading_.insert(name);
  return std::unique_ptr<ModelUpload>(
      new ModelUpload(shared_from_this(), name, static_cast<int64_t>(bytes), std::move(sink)));
}

void ModelStore::remove(const std::string& name) {
  const fs::path path = path_of(name);
  std::error_code failure;
  fs::remove(path, failure);
  if (failure) fail(Code::FileUnwritable, Location{.file = path.string()}, failure.message());
}

}  // namespace openrknn::server
