#include "compiler/exporters/onnx/pieces.h"

#include <iterator>
#include <span>

#include "compiler/exporters/onnx/messages.h"

namespace openrknn::onnx_export {

void Pieces::keep(std::string_view bytes) {
  size_ += bytes.size();
  if (!pieces_.empty()) {
    std::string_view& last = pieces_.back().kept;
    if (!last.empty() && last.data() + last.size() == bytes.data()) {
      last = {last.data(), last.size() + bytes.size()};
      return;
    }
  }
  if (!bytes.empty()) pieces_.push_back({.kept = bytes, .made = {}});
}

void Pieces::add(std::string bytes) {
  size_ += bytes.size();
  if (!bytes.empty()) pieces_.push_back({.kept = {}, .made = std::move(bytes)});
}

void Pieces::add_field(uint32_t number, Pieces content) {
  add(field_header(number, content.size_));
  size_ += content.size_;
  pieces_.insert(pieces_.end(), std::make_move_iterator(content.pieces_.begin()),
                 std::make_move_iterator(content.pieces_.end()));
}

void Pieces::write(Sink& sink) const {
  for (const Piece& piece : pieces_) {
    const std::string_view bytes = piece.kept.empty() ? std::string_view(piece.made) : piece.kept;
    sink.write(std::as_bytes(std::span(bytes)));
  }
}

}  // namespace openrknn::onnx_export
