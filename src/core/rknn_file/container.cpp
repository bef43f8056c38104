#include "core/rknn_file/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace openrknn {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian and are mapped, not converted");

constexpr uint64_t kFrameHeaderBytes = 64;
constexpr std::string_view kFrameMagic = "RKNN";
constexpr std::string_view kOwnMagic = "OpenRKNN";

/// Our header. Its 64 bytes, the place of `version` and the trailing hash stay for all versions.
struct OwnHeader {
  char magic[8];
  uint32_t version;
  uint32_t section_count;
  uint64_t file_size;
  uint64_t frame_hash;  ///< of everything before this header
  uint64_t table_hash;
  uint64_t reserved[2];
  uint64_t header_hash;  ///< of the 56 bytes before it
};
static_assert(sizeof(OwnHeader) == 64);

struct TableEntry {
  char name[kSectionNameBytes];
  uint64_t offset, size, hash;
  uint32_t flags;  ///< bit 0: required
  uint32_t reserved;
};
static_assert(sizeof(TableEntry) == 128);
constexpr uint32_t kRequired = 1;

template <class T>
T load(Bytes bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
Bytes bytes_of(const T& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

uint64_t hash_of(const OwnHeader& header) { return hash64(bytes_of(header).first(offsetof(OwnHeader, header_hash))); }

[[noreturn]] void fail_truncated(const MappedFile& file, uint64_t needed) {
  fail(Code::RknnTruncated, in_file(file),
       fmt::format("the file ends early: it has {} bytes, its header speaks of {}", file.bytes().size(), needed),
       "copy or download the file again");
}

[[noreturn]] void fail_damaged(const MappedFile& file, std::string_view part) {
  fail(Code::RknnDamaged, in_file(file), fmt::format("{} is damaged (its checksum does not match)", part),
       "copy or download the file again");
}

void require_zero(const MappedFile& file, uint64_t begin, uint64_t end, std::string_view part) {
  const Bytes gap = file.bytes().subspan(begin, end - begin);
  if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; })) fail_damaged(file, part);
}

void write_zeros(Sink& sink, uint64_t count) {
  static constexpr std::byte kZeros[kSectionAlignment] = {};
  for (; count > 0; count -= std::min(count, kSectionAlignment)) {
    sink.write(Bytes(kZeros).first(std::min(count, kSectionAlignment)));
  }
}

std::string frame_header(uint64_t body_size) {
  std::string header(kFrameHeaderBytes, '\0');
  const uint64_t version = 6;
  std::memcpy(header.data(), kFrameMagic.data(), kFrameMagic.size());
  std::memcpy(header.data() + 8, &version, 8);
  std::memcpy(header.data() + 16, &body_size, 8);
  return header;
}

}  // namespace

Frame read_frame(const MappedFile& file) {
  const Bytes bytes = file.bytes();
  const Location where = in_file(file);
  const std::string_view magic = as_text(bytes.first(std::min<size_t>(bytes.size(), 8)));
  if (magic.starts_with("RKNX")) {
    fail(Code::RknnVendorFile, where, "this is a model of the RKNPU3 stack (RKNX), which is another format",
         "export the source model for an RKNPU2 target with OpenRKNN");
  }
  if (!magic.starts_with(kFrameMagic) && file.name().ends_with(".crypt.rknn")) {
    fail(Code::RknnEncrypted, where, "the model is encrypted by another tool's key, which only that tool's runtime has",
         "use the .rknn it was encrypted from");
  }
  if (!magic.starts_with(kFrameMagic)) {
    fail(Code::RknnBadMagic, where,
         bytes.empty() ? "the file is empty" : "this is not a .rknn file: it does not begin with 'RKNN'",
         "convert the source model with OpenRKNN");
  }
  if (bytes.size() < kFrameHeaderBytes) fail_truncated(file, kFrameHeaderBytes);

  Frame frame;
  frame.version = load<uint64_t>(bytes, 8);
  if (frame.version >> 8 != 0 && frame.version >> 8 != 0x10) {
    fail(Code::RknnDamaged, where, fmt::format("no known .rknn has version {:#x}", frame.version),
         "copy or download the file again");
  }
  const uint64_t body = (frame.version & 0xff) <= 1 ? 24 : kFrameHeaderBytes;
  const uint64_t body_size = load<uint64_t>(bytes, 16);
  if (body_size > bytes.size() - body) fail_truncated(file, body + body_size);
  frame.body = bytes.subspan(body, body_size);
  uint64_t at = body + body_size;
  if (bytes.size() - at < 8) fail_truncated(file, at + 8);
  const uint64_t json_size = load<uint64_t>(bytes, at);
  at += 8;
  if (json_size > bytes.size() - at) fail_truncated(file, at + json_size);
  frame.json = bytes.subspan(at, json_size);
  frame.end = at + json_size;
  return frame;
}

bool has_own_header(const MappedFile& file, const Frame& frame) {
  const uint64_t at = align_up(frame.end, kSectionAlignment);
  const Bytes bytes = file.bytes();
  return at <= bytes.size() && as_text(bytes.subspan(at)).starts_with(kOwnMagic);
}

std::vector<Section> read_sections(const MappedFile& file, const Frame& frame, bool check_hashes) {
  const Bytes bytes = file.bytes();
  const uint64_t header_at = align_up(frame.end, kSectionAlignment);
  if (header_at > bytes.size() || bytes.size() - header_at < sizeof(OwnHeader)) {
    fail_truncated(file, header_at + sizeof(OwnHeader));
  }
  const auto header = load<OwnHeader>(bytes, header_at);
  if (as_text(Bytes(bytes_of(header.magic))) != kOwnMagic || hash_of(header) != header.header_hash) {
    fail_damaged(file, "the OpenRKNN header");
  }
  if (header.version > kContainerVersion) {
    fail(Code::RknnNewerVersion, in_file(file),
         fmt::format("the file has container version {}, this build reads up to {}", header.version, kContainerVersion),
         "use a newer OpenRKNN, or convert the source model again with this one");
  }
  if (bytes.size() < header.file_size) fail_truncated(file, header.file_size);
  if (bytes.size() > header.file_size) {
    fail(Code::RknnDamaged, in_file(file),
         fmt::format("{} bytes follow the end of the model", bytes.size() - header.file_size),
         "copy or download the file again");
  }
  const uint64_t table_at = header_at + sizeof(OwnHeader);
  if (header.section_count > (bytes.size() - table_at) / sizeof(TableEntry)) fail_damaged(file, "the section table");
  const uint64_t table_size = header.section_count * sizeof(TableEntry);
  if (hash64(bytes.subspan(table_at, table_size)) != header.table_hash) fail_damaged(file, "the section table");
  if (check_hashes && hash64(bytes.first(header_at)) != header.frame_hash) fail_damaged(file, "the frame");

  std::vector<Section> sections;
  uint64_t end = table_at + table_size;
  for (uint32_t i = 0; i < header.section_count; ++i) {
    const auto entry = load<TableEntry>(bytes, table_at + i * sizeof(TableEntry));
    Section section;
    section.name.assign(entry.name, strnlen(entry.name, kSectionNameBytes));
    section.offset = entry.offset;
    section.size = entry.size;
    section.hash = entry.hash;
    section.required = (entry.flags & kRequired) != 0;
    const std::string part = fmt::format("section '{}'", section.name);
    // Sections lie in table order without overlap; what is between them is zero.
    if (entry.offset != align_up(end, kSectionAlignment) || entry.offset > bytes.size() ||
        entry.size > bytes.size() - entry.offset) {
      fail_damaged(file, part);
    }
    require_zero(file, end, entry.offset, part);
    section.bytes = bytes.subspan(entry.offset, entry.size);
    if (check_hashes && hash64(section.bytes) != entry.hash) fail_damaged(file, part);
    end = entry.offset + entry.size;
    sections.push_back(std::move(section));
  }
  if (end != header.file_size) fail_damaged(file, "the section table");
  return sections;
}

std::string frame_bytes(std::string_view body, std::string_view json) {
  std::string frame = frame_header(body.size());
  frame += body;
  const uint64_t json_size = json.size();
  frame.append(reinterpret_cast<const char*>(&json_size), sizeof json_size);
  frame += json;
  frame.resize(align_up(frame.size(), kSectionAlignment), '\0');
  return frame;
}

void write_container(std::string_view body, std::string_view json, std::span<const SectionPieces> sections,
                     Sink& sink) {
  const std::string frame = frame_bytes(body, json);
  OwnHeader header{};
  std::memcpy(header.magic, kOwnMagic.data(), sizeof header.magic);
  header.version = kContainerVersion;
  header.section_count = static_cast<uint32_t>(sections.size());
  header.frame_hash = hash64(as_bytes(frame));

  std::vector<TableEntry> table(sections.size());
  uint64_t end = frame.size() + sizeof header + table.size() * sizeof(TableEntry);
  for (size_t i = 0; i < sections.size(); ++i) {
    const SectionPieces& section = sections[i];
    TableEntry& entry = table[i];
    if (section.name.size() >= kSectionNameBytes) {
      fail(Code::InvalidArgument, fmt::format("section name '{}' has {} bytes, at most {} fit", section.name,
                                              section.name.size(), kSectionNameBytes - 1));
    }
    std::memcpy(entry.name, section.name.data(), section.name.size());
    entry.flags = section.required ? kRequired : 0;
    entry.offset = align_up(end, kSectionAlignment);
    entry.hash = hash64_of_pieces(section.pieces);
    for (const Bytes piece : section.pieces) entry.size += piece.size();
    end = entry.offset + entry.size;
  }
  header.file_size = end;
  const Bytes table_bytes{reinterpret_cast<const std::byte*>(table.data()), table.size() * sizeof(TableEntry)};
  header.table_hash = hash64(table_bytes);
  header.header_hash = hash_of(header);

  sink.write(as_bytes(frame));
  sink.write(bytes_of(header));
  sink.write(table_bytes);
  uint64_t written = frame.size() + sizeof header + table_bytes.size();
  for (size_t i = 0; i < sections.size(); ++i) {
    write_zeros(sink, table[i].offset - written);
    for (const Bytes piece : sections[i].pieces) sink.write(piece);
    written = table[i].offset + table[i].size;
  }
}

}  // namespace openrknn
