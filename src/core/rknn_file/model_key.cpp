#include "core/rknn_file/model_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/rknn_file/secret_memory.h"

namespace openrknn {
namespace {

constexpr size_t kMostText = 1024;  // digits and white space around them
constexpr std::string_view kForms = "expected 32 raw bytes or 64 hexadecimal digits";
constexpr std::string_view kHowToMake = "make a key with: openssl rand -hex 32 > model.key";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<ModelKey> key_of_digits(std::string_view text) {
  const std::string_view digits = trimmed(text);
  if (digits.size() != 2 * kModelKeyBytes) return std::nullopt;
  std::array<std::byte, kModelKeyBytes> bytes;
  for (size_t i = 0; i < kModelKeyBytes; ++i) {
    const int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  ModelKey key(bytes, "");
  wipe(bytes);
  return key;
}

const char* variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? nullptr : text;
}

}  // namespace

ModelKey::ModelKey(std::span<const std::byte> bytes, std::string_view where) : bytes_() {
  if (bytes.size() != kModelKeyBytes) {
    fail(Code::ConfigBadValue, fmt::format("{}: a key has {} bytes, got {}", where, kModelKeyBytes, bytes.size()),
         std::string(kHowToMake));
  }
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

ModelKey::~ModelKey() { wipe(bytes_); }

ModelKey read_model_key(const std::filesystem::path& path) {
  const Location where{.file = path.string()};
  // Not mapped: a key may come through a pipe.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) {
    fail(errno == ENOENT ? Code::FileNotFound : Code::FileUnreadable, where,
         fmt::format("cannot open the key file: {}", std::strerror(errno)), "check the path");
  }
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // no copy of the key in a buffer
  std::array<std::byte, kMostText + 1> content{};
  const size_t size = std::fread(content.data(), 1, content.size(), file.get());
  if (std::ferror(file.get()) != 0) {
    fail(Code::FileUnreadable, where, fmt::format("cannot read the key file: {}", std::strerror(errno)));
  }
  std::optional<ModelKey> key;
  if (size == kModelKeyBytes) {
    key.emplace(std::span(content).first(size), path.string());
  } else {
    key = key_of_digits({reinterpret_cast<const char*>(content.data()), size});
  }
  wipe(content);
  if (!key) {
    fail(Code::ConfigBadValue, where,
         fmt::format("the key file has {}{} bytes that are no key, {}", size > kMostText ? "more than " : "",
                     std::min(size, kMostText), kForms),
         std::string(kHowToMake));
  }
  return *key;
}

std::optional<ModelKey> model_key_of_environment() {
  if (const char* path = variable("OPENRKNN_MODEL_KEY_FILE")) return read_model_key(path);
  const char* text = variable("OPENRKNN_MODEL_KEY");
  if (text == nullptr) return std::nullopt;
  std::optional<ModelKey> key = key_of_digits(text);
  if (!key) {
    fail(Code::ConfigBadValue,
         fmt::format("OPENRKNN_MODEL_KEY has {} characters that are no key, expected 64 hexadecimal digits",
                     std::strlen(text)),
         std::string(kHowToMake));
  }
  return key;
}

std::optional<ModelKey> find_model_key(const std::filesystem::path& file) {
  return file.empty() ? model_key_of_environment() : read_model_key(file);
}

}  // namespace openrknn
