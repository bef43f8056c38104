// protobuf's text format, as Caffe's .prototxt files are written in it: fields with numbers, words, strings or further
// messages. Nothing is known of the schema here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace openrknn::caffe {

struct Message;

struct Field {
  std::string name;
  std::string text;                        ///< of a number, word or string; empty for a message
  std::shared_ptr<const Message> message;  ///< null: `text` it is
  int64_t line = 0;
};

/// Getters take the last of several, as protobuf does, and throw Error (ImportBadFile) naming file, line and field for
/// what has another form than asked for.
struct Message {
  std::vector<Field> fields;
  int64_t line = 0;
  std::string file;

  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string text(std::string_view name, std::string_view fallback = {}) const;
  int64_t integer(std::string_view name, int64_t fallback) const;
  /// Throws for numbers outside [low, high] too.
  int64_t integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) const;
  double number(std::string_view name, double fallback) const;
  bool boolean(std::string_view name, bool fallback) const;
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<int64_t> integers(std::string_view name) const;
  std::vector<double> numbers(std::string_view name) const;
  /// An empty message if it is absent.
  const Message& message(std::string_view name) const;
  std::vector<const Message*> messages(std::string_view name) const;

  Location where(std::string_view name = {}) const;

 private:
  const Field* find(std::string_view name) const;
};

/// Throws Error (ImportBadFile) at the first line that is none, and for messages nested too deeply.
Message parse_text(std::string_view text, const std::string& file);

}  // namespace openrknn::caffe
