#include "core/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace openrknn {
namespace {

std::string reason() { return std::strerror(errno); }

/// Of an open file, whether it has a name or not.
std::string path_of(int descriptor) { return fmt::format("/proc/self/fd/{}", descriptor); }

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const Code code = errno == ENOENT ? Code::FileNotFound : Code::FileUnreadable;
    fail(code, Location{.file = path.string()}, fmt::format("cannot open the file: {}", reason()),
         code == Code::FileNotFound ? "check the path" : "");
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    fail(Code::FileUnreadable, Location{.file = path.string()}, "not a regular file");
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->name_ = path.string();
  const size_t size = static_cast<size_t>(status.st_size);
  if (size > 0) {
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED) {
      const std::string why = reason();
      ::close(fd);
      fail(Code::FileUnreadable, Location{.file = path.string()}, fmt::format("cannot map {} bytes: {}", size, why));
    }
    file->mapping_ = mapping;
    file->bytes_ = {static_cast<const std::byte*>(mapping), size};
  }
  ::close(fd);
  return file;
}

std::shared_ptr<const MappedFile> MappedFile::copy_of(std::span<const std::byte> bytes, std::string name) {
  auto copy = std::make_shared<Tensor>(DType::UInt8, Shape{static_cast<int64_t>(bytes.size())});
  const std::span<std::byte> target = copy->mutable_bytes();
  if (!bytes.empty()) std::memcpy(target.data(), bytes.data(), bytes.size());
  return borrow(copy->bytes(), std::move(name), copy);
}

std::shared_ptr<const MappedFile> MappedFile::borrow(std::span<const std::byte> bytes, std::string name,
                                                     std::shared_ptr<const void> owner) {
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->bytes_ = bytes;
  file->name_ = std::move(name);
  file->owner_ = std::move(owner);
  return file;
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

FileSink::FileSink(std::filesystem::path target) : target_(std::move(target)) {
  // In the same folder, so that the rename stays within one file system; the pid keeps processes apart.
  temporary_ = target_;
  temporary_ += fmt::format(".{}.part", ::getpid());
  const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
  const int nameless = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  // Naming it later goes through /proc.
  if (nameless >= 0 && ::access(path_of(nameless).c_str(), F_OK) == 0) {
    file_ = ::fdopen(nameless, "wb");
  } else {
    if (nameless >= 0) ::close(nameless);
    file_ = std::fopen(temporary_.c_str(), "wb");
    has_name_ = true;
  }
  if (file_ == nullptr) {
    fail(Code::FileUnwritable, Location{.file = target_.string()}, fmt::format("cannot write the file: {}", reason()),
         "check that the folder exists and may be written");
  }
}

FileSink::~FileSink() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  if (has_name_) ::unlink(temporary_.c_str());
}

void FileSink::give_name() {
  if (has_name_) return;
  ::unlink(temporary_.c_str());  // of a process of the same number that was killed
  has_name_ =
      ::linkat(AT_FDCWD, path_of(::fileno(file_)).c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

void FileSink::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    fail(Code::FileUnwritable, Location{.file = target_.string()}, fmt::format("writing failed: {}", reason()),
         "check the free space of the disk");
  }
}

void FileSink::commit(bool durable) {
  const bool flushed = std::fflush(file_) == 0 && (!durable || ::fsync(::fileno(file_)) == 0);
  if (flushed) give_name();
  const int why_nameless = errno;
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (flushed && !has_name_) errno = why_nameless;
  if (!flushed || !has_name_ || !closed || ::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary_.c_str());
    fail(Code::FileUnwritable, Location{.file = target_.string()}, fmt::format("writing failed: {}", why));
  }
  if (!durable) return;
  // The name is an entry of the folder, which has to reach the disk as well.
  const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::string read_text_file(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  FileSink sink(path);
  sink.write(std::as_bytes(std::span(bytes.data(), bytes.size())));
  sink.commit();
}

}  // namespace openrknn
