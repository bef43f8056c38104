#include "core/model/precision_notes.h"

#include <algorithm>

namespace openrknn {
namespace {

void append_escaped(std::string& text, std::string_view field) {
  for (const char c : field) {
    switch (c) {
      case '\t':
        text += "\\t";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\\':
        text += "\\\\";
        break;
      default:
        text += c;
    }
  }
}

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\t') {
      fields.emplace_back();
    } else if (line[i] == '\\' && i + 1 < line.size()) {
      const char escaped = line[++i];
      fields.back() += escaped == 't' ? '\t' : escaped == 'n' ? '\n' : escaped;
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

}  // namespace

Tensor encode_precision_notes(std::span<const PrecisionNote> notes) {
  std::string text;
  for (const PrecisionNote& note : notes) {
    for (const std::string* field : {&note.node, &note.dtype, &note.rule}) {
      append_escaped(text, *field);
      text += field == &note.rule ? '\n' : '\t';
    }
  }
  return Tensor::from<uint8_t>({static_cast<int64_t>(text.size())}, {text.begin(), text.end()});
}

std::vector<PrecisionNote> precision_notes(const Model& model) {
  std::vector<PrecisionNote> notes;
  const auto section = model.sections.find(std::string(kPrecisionSection));
  if (section == model.sections.end()) return notes;
  const std::span<const std::byte> bytes = section->second.bytes();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::vector<std::string> fields = fields_of(line);
    if (fields.size() == 3) notes.push_back({std::move(fields[0]), std::move(fields[1]), std::move(fields[2])});
  }
  return notes;
}

}  // namespace openrknn
