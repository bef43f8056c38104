// Files that belong together: all of them stay, or none.
#pragma once

#include <filesystem>
#include <vector>

namespace openrknn {

/// Removes what was made through it unless keep() is called.
class CreatedFiles {
 public:
  CreatedFiles() = default;
  ~CreatedFiles();
  CreatedFiles(const CreatedFiles&) = delete;
  CreatedFiles& operator=(const CreatedFiles&) = delete;

  /// Calls write(path), which makes the file whole or throws. A file that was there before is replaced and stays.
  template <class Write>
  void make(const std::filesystem::path& path, const Write& write) {
    std::error_code ignored;
    const bool is_new = !std::filesystem::exists(path, ignored);
    write(path);
    if (is_new) made_.push_back(path);
  }
  /// The folder, and those it lies in.
  void make_folder(const std::filesystem::path&);
  void keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;
};

}  // namespace openrknn
