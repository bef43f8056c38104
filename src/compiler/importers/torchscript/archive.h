// A zip archive as entries that look into the mapped file. Nothing it declares is believed.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.h"

namespace openrknn::torchscript {

/// Names are those below the archive's one folder ("data.pkl"). What is stored is a view into the file; what is
/// compressed is unpacked when it is asked for, into no more than its declared size and a bound over all entries.
class Archive {
 public:
  /// Throws Error (ImportBadFile, ImportTruncated).
  explicit Archive(std::shared_ptr<const MappedFile>);
  /// Entries in memory.
  Archive(std::map<std::string, std::string> entries, std::string file);

  bool has(std::string_view name) const { return entries_.find(name) != entries_.end(); }
  /// Throws Error (ImportBadFile) if there is none, or if its checksum does not fit (`check`).
  std::span<const std::byte> bytes(std::string_view name, bool check = true) const;
  std::string_view text(std::string_view name) const;
  std::vector<std::string> names() const;
  const std::string& file() const { return file_; }
  /// Takes memory for what is copied out of entries from the same bound. Throws Error.
  void spend(size_t bytes) const;
  /// Keeps the bytes of entries alive.
  std::shared_ptr<const void> owner() const { return storage_; }

 private:
  struct Entry {
    size_t offset = 0, packed = 0, size = 0;
    uint16_t method = 0;
    uint32_t checksum = 0;
  };
  struct Storage {
    std::shared_ptr<const MappedFile> mapped;
    std::map<std::string, std::string, std::less<>> unpacked;
    size_t budget = 0;  // bytes that may still be unpacked
  };
  void read_directory();
  std::span<const std::byte> data_of(const std::string& name, const Entry&) const;
  const std::string& unpack(const std::string& name, const Entry&, std::span<const std::byte> packed) const;
  std::map<std::string, Entry, std::less<>> entries_;
  std::shared_ptr<Storage> storage_;
  std::string file_;
};

}  // namespace openrknn::torchscript
