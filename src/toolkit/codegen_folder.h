// A folder that appears with all its files or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace openrknn {

/// Throws Error (FileUnwritable) if the folder exists, unless `overwrite` and it is empty or a generated project:
/// nothing else is ever deleted.
void require_free_folder(const std::filesystem::path& folder, bool overwrite);

/// Files go to a sibling of the folder, which takes its name in the end. What stood there before is gone then, and
/// stays as it is if anything fails. Throws Error (FileUnwritable).
class FolderSink {
 public:
  explicit FolderSink(const std::filesystem::path& folder);
  ~FolderSink();
  FolderSink(const FolderSink&) = delete;
  FolderSink& operator=(const FolderSink&) = delete;

  void add_file(const std::filesystem::path& relative, std::string_view bytes, bool executable = false);
  void add_folder(const std::filesystem::path& relative);
  void commit();

 private:
  std::filesystem::path folder_, temporary_;
};

}  // namespace openrknn
