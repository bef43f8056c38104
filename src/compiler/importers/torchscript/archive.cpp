#include "compiler/importers/torchscript/archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/error.h"

namespace openrknn::torchscript {
namespace {

constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint32_t kCentral = 0x02014b50, kLocal = 0x04034b50;
constexpr size_t kMostEntries = 1 << 20;

template <class T>
std::optional<T> number_at(std::span<const std::byte> bytes, size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

/// The fields of the archive's structures: little-endian numbers at offsets.
struct Fields {
  std::span<const std::byte> bytes;
  const std::string& file;
  size_t at;
  template <class T>
  T get(size_t offset) const {
    if (const std::optional<T> value = number_at<T>(bytes, at + offset)) return *value;
    fail(Code::ImportTruncated, Location{.file = file}, "the archive ends within its directory", "get the file again");
  }
};

/// Sizes and the offset are in the extra field where 32 bits are not enough.
void read_extra(std::span<const std::byte> extra, uint64_t& size, uint64_t& packed, uint64_t& offset) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const uint16_t kind = *number_at<uint16_t>(extra, at), length = *number_at<uint16_t>(extra, at + 2);
    size_t field = at + 4;
    const size_t end = field + length;
    if (end > extra.size()) return;
    if (kind == 1) {
      for (uint64_t* const value : {&size, &packed, &offset}) {
        if (*value != 0xffffffff || field + 8 > end) continue;
        *value = *number_at<uint64_t>(extra, field);
        field += 8;
      }
    }
    at = end;
  }
}

}  // namespace

Archive::Archive(std::shared_ptr<const MappedFile> mapped) : file_(mapped->name()) {
  storage_ = std::make_shared<Storage>();
  storage_->budget = (size_t{64} << 20) + 20 * mapped->bytes().size();
  storage_->mapped = std::move(mapped);
  read_directory();
}

Archive::Archive(std::map<std::string, std::string> entries, std::string file) : file_(std::move(file)) {
  storage_ = std::make_shared<Storage>();
  storage_->budget = size_t{64} << 20;
  for (auto& [name, content] : entries) {
    storage_->budget += 20 * content.size();
    entries_[name] = Entry{.size = content.size(), .method = 8};
    storage_->unpacked.emplace(name, std::move(content));
  }
}

void Archive::read_directory() {
  const std::span<const std::byte> bytes = storage_->mapped->bytes();
  // The end record is followed by a comment of up to 64 KB.
  std::optional<size_t> end;
  const size_t lowest = bytes.size() > 22 + 0xffff ? bytes.size() - 22 - 0xffff : 0;
  for (size_t at = bytes.size() < 22 ? 0 : bytes.size() - 22; bytes.size() >= 22; --at) {
    if (number_at<uint32_t>(bytes, at) == kEnd) end = at;
    if (end || at == lowest) break;
  }
  if (!end) {
    fail(Code::ImportTruncated, Location{.file = file_}, "the archive has no directory at its end: it is cut off",
         "get the file again");
  }
  const Fields record{bytes, file_, *end};
  uint64_t count = record.get<uint16_t>(10), start = record.get<uint32_t>(16);
  if (*end >= 20 && number_at<uint32_t>(bytes, *end - 20) == kLocator64) {
    const auto at = Fields{bytes, file_, *end - 20}.get<uint64_t>(8);
    if (at < bytes.size() && number_at<uint32_t>(bytes, at) == kEnd64) {
      const Fields record64{bytes, file_, at};
      count = record64.get<uint64_t>(32);
      start = record64.get<uint64_t>(48);
    }
  }
  if (count > kMostEntries || start > bytes.size() || count > (bytes.size() - start) / 46) {
    fail(Code::ImportBadFile, Location{.file = file_},
         fmt::format("the archive declares {} entries, more than its {} bytes hold", count, bytes.size()));
  }
  std::vector<std::pair<std::string, Entry>> found;
  size_t at = start;
  for (uint64_t i = 0; i < count; ++i) {
    const Fields central{bytes, file_, at};
    if (central.get<uint32_t>(0) != kCentral)
      fail(Code::ImportBadFile, Location{.file = file_}, "the archive's directory is damaged", "get the file again");
    uint64_t packed = central.get<uint32_t>(20), size = central.get<uint32_t>(24), offset = central.get<uint32_t>(42);
    const size_t name_size = central.get<uint16_t>(28), extra_size = central.get<uint16_t>(30),
                 comment_size = central.get<uint16_t>(32);
    const size_t name_at = at + 46;
    at = name_at + name_size + extra_size + comment_size;
    if (at > bytes.size())
      fail(Code::ImportTruncated, Location{.file = file_}, "the archive ends within its directory",
           "get the file again");
    std::string name(reinterpret_cast<const char*>(bytes.data()) + name_at, name_size);
    read_extra(bytes.subspan(name_at + name_size, extra_size), size, packed, offset);
    if ((central.get<uint16_t>(8) & 1) != 0)
      fail(Code::ImportBadFile, Location{.file = file_, .node = name}, "the entry is encrypted");
    if (name.ends_with('/')) continue;
    found.emplace_back(std::move(name), Entry{.offset = offset,
                                              .packed = packed,
                                              .size = size,
                                              .method = central.get<uint16_t>(10),
                                              .checksum = central.get<uint32_t>(16)});
  }
  // All entries lie below one folder, whatever it is called.
  std::string folder = found.empty() ? "" : found.front().first.substr(0, found.front().first.find('/') + 1);
  for (const auto& [name, entry] : found) {
    if (!name.starts_with(folder)) folder.clear();
  }
  for (auto& [name, entry] : found) {
    if (!entries_.emplace(name.substr(folder.size()), entry).second)
      fail(Code::ImportBadFile, Location{.file = file_, .node = name}, "the archive has two entries of this name");
  }
}

std::vector<std::string> Archive::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

std::span<const std::byte> Archive::data_of(const std::string& name, const Entry& entry) const {
  const std::span<const std::byte> bytes = storage_->mapped->bytes();
  const Location where{.file = file_, .node = name};
  if (entry.offset > bytes.size() || number_at<uint32_t>(bytes, entry.offset) != kLocal)
    fail(Code::ImportBadFile, where, "the archive's directory points to no entry here", "get the file again");
  const Fields local{bytes, file_, entry.offset};
  const size_t start = entry.offset + 30 + local.get<uint16_t>(26) + local.get<uint16_t>(28);
  if (start > bytes.size() || bytes.size() - start < entry.packed) {
    fail(Code::ImportTruncated, where,
         fmt::format("the entry declares {} bytes, the file has {}", entry.packed,
                     start > bytes.size() ? 0 : bytes.size() - start),
         "get the file again");
  }
  return bytes.subspan(start, entry.packed);
}

const std::string& Archive::unpack(const std::string& name, const Entry& entry,
                                   std::span<const std::byte> packed) const {
  const Location where{.file = file_, .node = name};
  // Deflate makes at most 1032 bytes of one.
  if (entry.size > storage_->budget || entry.size / 1032 > packed.size() + 1) {
    fail(Code::ImportBadFile, where,
         fmt::format("{} bytes are said to unpack to {}, more than a model needs", packed.size(), entry.size));
  }
  storage_->budget -= entry.size;
  std::string content(entry.size, '\0');
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(std::min<size_t>(packed.size(), UINT32_MAX));
  char none = 0;
  stream.next_out = reinterpret_cast<Bytef*>(content.empty() ? &none : content.data());
  stream.avail_out = static_cast<uInt>(std::min<size_t>(content.size(), UINT32_MAX));
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail(Code::OutOfMemory, where, "there is no memory to unpack it");
  const int result = inflate(&stream, Z_FINISH);
  const size_t made = stream.total_out;
  inflateEnd(&stream);
  if (result != Z_STREAM_END || made != content.size())
    fail(Code::ImportBadFile, where, "the compressed entry is damaged", "get the file again");
  return storage_->unpacked.emplace(name, std::move(content)).first->second;
}

std::span<const std::byte> Archive::bytes(std::string_view name, bool check) const {
  const auto found = entries_.find(name);
  const Location where{.file = file_, .node = std::string(name)};
  if (found == entries_.end()) fail(Code::ImportBadFile, where, "the archive has no such entry", "get the file again");
  const Entry& entry = found->second;
  if (const auto known = storage_->unpacked.find(name); known != storage_->unpacked.end())
    return std::as_bytes(std::span(known->second));
  const std::span<const std::byte> packed = data_of(found->first, entry);
  std::span<const std::byte> content = packed;
  if (entry.method == 8) {
    content = std::as_bytes(std::span(unpack(found->first, entry, packed)));
  } else if (entry.method != 0) {
    fail(Code::ImportBadFile, where,
         fmt::format("the entry is compressed by method {}, expected 0 or 8", entry.method));
  } else if (entry.size != entry.packed) {
    fail(Code::ImportBadFile, where, "the entry's two sizes differ");
  }
  const bool fits =
      !check || crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()) == entry.checksum;
  if (!fits) fail(Code::ImportBadFile, where, "the entry's checksum does not fit: it is damaged", "get the file again");
  return content;
}

void Archive::spend(size_t bytes) const {
  if (bytes > storage_->budget)
    fail(Code::ImportBadFile, Location{.file = file_},
         "the archive's tensors need many times the memory it has itself");
  storage_->budget -= bytes;
}

std::string_view Archive::text(std::string_view name) const {
  const std::span<const std::byte> content = bytes(name);
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

}  // namespace openrknn::torchscript
