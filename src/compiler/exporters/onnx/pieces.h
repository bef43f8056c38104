// A protobuf message put together from pieces of a mapped file and new bytes, written without being held in memory.
#pragma once

#include <optional>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.h"

namespace openrknn::onnx_export {

class Pieces {
 public:
  /// Bytes of the file as they are; it outlives this.
  void keep(std::string_view);
  void add(std::string);
  void add_field(uint32_t number, Pieces content);
  uint64_t size() const { return size_; }
  void write(Sink&) const;

 private:
  struct Piece {
    std::string_view kept;
    std::string made;  ///< where nothing is kept
  };
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

/// Calls take(number, content, whole) for every field; `whole` is tag and value, `content` that of a field with a
/// length and nullopt of others. Throws protozero::exception where the message is damaged.
template <class Take>
void for_each_field(std::string_view message, const Take& take) {
  protozero::pbf_reader reader(message.data(), message.size());
  const char* begin = message.data();
  while (reader.next()) {
    std::optional<std::string_view> content;
    if (reader.wire_type() == protozero::pbf_wire_type::length_delimited) {
      const protozero::data_view view = reader.get_view();
      content = std::string_view(view.data(), view.size());
    } else {
      reader.skip();
    }
    const char* const end = message.data() + message.size() - reader.length();
    take(static_cast<uint32_t>(reader.tag()), content, std::string_view(begin, static_cast<size_t>(end - begin)));
    begin = end;
  }
}

/// The message with the fields for which change(number, content) gives something written anew; nullopt: none.
template <class Change>
std::optional<Pieces> change_fields(std::string_view message, const Change& change) {
  Pieces result;
  bool changed = false;
  for_each_field(message, [&](uint32_t number, const std::optional<std::string_view>& content, std::string_view whole) {
    std::optional<Pieces> made = content ? change(number, *content) : std::nullopt;
    if (made) {
      result.add_field(number, std::move(*made));
      changed = true;
    } else {
      result.keep(whole);
    }
  });
  return changed ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace openrknn::onnx_export
