// The bytes around a model: the frame other readers know, then our header, section table and sections.
// Nothing here knows what a section means. Layout: docs/rknn_file.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"

namespace openrknn {

inline constexpr uint32_t kContainerVersion = 1;
inline constexpr uint64_t kSectionAlignment = 64;
inline constexpr size_t kSectionNameBytes = 96;  ///< with the terminating NUL

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Location in_file(const MappedFile& file) { return Location{.file = file.name()}; }
constexpr uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// The frame common to all .rknn files. Spans look into the file.
struct Frame {
  uint64_t version = 0;  ///< low byte 6: FlatBuffer body
  Bytes body, json;
  uint64_t end = 0;  ///< offset of the first byte after the JSON
};

/// Throws Error (RknnBadMagic, RknnEncrypted for formats of other stacks, RknnTruncated, RknnDamaged).
Frame read_frame(const MappedFile&);

struct Section {
  std::string name;
  uint64_t offset = 0, size = 0, hash = 0;
  bool required = true;  ///< a reader that does not know the section must refuse the file
  Bytes bytes;
};

/// True if the file carries our header after the frame (it may still be damaged further on).
bool has_own_header(const MappedFile&, const Frame&);

/// Our sections, in file order. Checks header, table, padding and (unless told not to) the hash of every section.
/// Throws Error (RknnTruncated, RknnDamaged naming the part, RknnNewerVersion).
std::vector<Section> read_sections(const MappedFile&, const Frame&, bool check_hashes = true);

/// The frame, with zeros to where our header lies.
std::string frame_bytes(std::string_view body, std::string_view json);

/// A section to write: its bytes are the pieces one after the other, so that weights are never gathered in memory.
struct SectionPieces {
  std::string name;
  bool required = true;
  std::vector<Bytes> pieces;
};

/// Throws Error (InvalidArgument) for a name of more than 95 bytes.
void write_container(std::string_view body, std::string_view json, std::span<const SectionPieces>, Sink&);

}  // namespace openrknn
