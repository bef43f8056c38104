#include "toolkit/codegen_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "core/base/error.h"
#include "core/base/file.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_folder(const fs::path& path, std::string problem, std::string fix = {}) {
  fail(Code::FileUnwritable, Location{.file = path.string()}, std::move(problem), std::move(fix));
}

void require(const std::error_code& error, const fs::path& path) {
  if (error) refuse_folder(path, fmt::format("cannot write the folder: {}", error.message()));
}

/// "demo/" and "." name the folder, not something in it.
fs::path without_slash(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

/// A name beside the folder that nothing has yet.
fs::path sibling_of(const fs::path& folder, std::string_view purpose) {
  for (int i = 0;; ++i) {
    fs::path sibling =
        folder.parent_path() / fmt::format(".{}.{}-{}-{}", folder.filename().string(), purpose, ::getpid(), i);
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(sibling, ignored))) return sibling;
  }
}

bool is_project(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "CMakeLists.txt", ignored) && fs::exists(folder / "src/rknn_app.cc", ignored);
}

}  // namespace

void require_free_folder(const fs::path& path, bool overwrite) {
  const fs::path folder = without_slash(path);
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored))) return;
  if (!overwrite) refuse_folder(path, "the folder exists", "choose another one, or pass overwrite=True to replace it");
  if (!fs::is_directory(folder, ignored))
    refuse_folder(path, "this is a file, expected a folder", "choose another name");
  if (!fs::is_empty(folder, ignored) && !is_project(folder)) {
    refuse_folder(path, "the folder holds something else than a generated project, which overwrite=True would delete",
                  "choose another folder, or delete this one yourself");
  }
}

FolderSink::FolderSink(const fs::path& folder) : folder_(without_slash(folder)) {
  std::error_code error;
  fs::create_directories(folder_.parent_path(), error);
  require(error, folder_.parent_path());
  temporary_ = sibling_of(folder_, "new");
  fs::create_directory(temporary_, error);
  require(error, folder_);
}

FolderSink::~FolderSink() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void FolderSink::add_folder(const fs::path& relative) {
  std::error_code error;
  fs::create_directories(temporary_ / relative, error);
  require(error, folder_ / relative);
}

void FolderSink::add_file(const fs::path& relative, std::string_view bytes, bool executable) {
  add_folder(relative.parent_path());
  write_file(temporary_ / relative, bytes);
  if (!executable) return;
  std::error_code error;
  fs::permissions(temporary_ / relative, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add, error);
  require(error, folder_ / relative);
}

void FolderSink::commit() {
  std::error_code error, ignored;
  fs::path old;
  if (fs::exists(fs::symlink_status(folder_, ignored))) {
    old = sibling_of(folder_, "old");
    fs::rename(folder_, old, error);
    require(error, folder_);
  }
  fs::rename(temporary_, folder_, error);
  if (error && !old.empty()) fs::rename(old, folder_, ignored);
  require(error, folder_);
  temporary_.clear();
  if (!old.empty()) fs::remove_all(old, ignored);
}

}  // namespace openrknn
