// Files: mapped for reading, written completely or not at all.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace openrknn {

/// A read-only mapping of a whole file, or bytes in memory behind the same interface. Immutable: thread-safe.
class MappedFile {
 public:
  /// Throws Error (FileNotFound, FileUnreadable).
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path&);
  /// Copies `bytes` (64-byte aligned). `name` is used in messages.
  static std::shared_ptr<const MappedFile> copy_of(std::span<const std::byte> bytes, std::string name);
  /// Borrows `bytes`, kept alive by `owner`.
  static std::shared_ptr<const MappedFile> borrow(std::span<const std::byte> bytes, std::string name,
                                                  std::shared_ptr<const void> owner);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& name() const { return name_; }

 private:
  MappedFile() = default;
  std::span<const std::byte> bytes_;
  std::string name_;
  void* mapping_ = nullptr;
  std::shared_ptr<const void> owner_;
};

/// Where bytes are written. write() throws Error (FileUnwritable) on failure.
struct Sink {
  virtual ~Sink() = default;
  virtual void write(std::span<const std::byte>) = 0;
};

/// Writes in the target's folder and renames on commit(); without commit() nothing is left behind, not even by a
/// process that is killed: until then the file has no name (where the file system can do that).
class FileSink : public Sink {
 public:
  explicit FileSink(std::filesystem::path target);  ///< throws Error (FileUnwritable)
  ~FileSink() override;
  void write(std::span<const std::byte>) override;
  /// `durable`: also on the disk before the name is, so that not even a power cut leaves half a file under it.
  void commit(bool durable = false);

 private:
  void give_name();
  std::filesystem::path target_, temporary_;
  std::FILE* file_ = nullptr;
  bool has_name_ = false;
};

class MemorySink : public Sink {
 public:
  void write(std::span<const std::byte> bytes) override {
    data.insert(data.end(), reinterpret_cast<const char*>(bytes.data()),
                reinterpret_cast<const char*>(bytes.data()) + bytes.size());
  }
  std::string data;
};

std::string read_text_file(const std::filesystem::path&);
void write_file(const std::filesystem::path&, std::string_view bytes);  ///< through FileSink

}  // namespace openrknn
