#include "toolkit/created_files.h"

#include <fmt/format.h>

#include <system_error>

#include "core/base/error.h"

namespace openrknn {

CreatedFiles::~CreatedFiles() {
  std::error_code ignored;
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) std::filesystem::remove(*path, ignored);
}

void CreatedFiles::make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
  make_folder(folder.parent_path());
  if (!std::filesystem::create_directory(folder, error) && error) {
    fail(Code::FileUnwritable, Location{.file = folder.string()},
         fmt::format("cannot make the folder: {}", error.message()), "check that the folder it lies in may be written");
  }
  made_.push_back(folder);
}

}  // namespace openrknn
