// The JSON of a response.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "runtime/server/infer_request.h"
#include "runtime/server/json_body.h"

namespace openrknn::server {
namespace {

using nlohmann::json;

/// Appends one element as a JSON number; false if there is none for it.
using WriteNumber = bool (*)(const std::byte*, std::string&);

template <class T>
bool write_integer(const std::byte* element, std::string& text) {
  T value{};
  std::memcpy(&value, element, sizeof value);
  fmt::format_to(std::back_inserter(text), "{}", value);
  return true;
}

bool write_real(float value, std::string& text) {
  if (!std::isfinite(value)) return false;
  fmt::format_to(std::back_inserter(text), "{}", value);  // the shortest text that reads back as this float
  return true;
}

bool write_float32(const std::byte* element, std::string& text) {
  float value = 0;
  std::memcpy(&value, element, sizeof value);
  return write_real(value, text);
}

bool write_float16(const std::byte* element, std::string& text) {
  uint16_t value = 0;
  std::memcpy(&value, element, sizeof value);
  return write_real(half_bits_to_float(value), text);
}

bool write_bool(const std::byte* element, std::string& text) {
  text += *element != std::byte{0} ? "true" : "false";
  return true;
}

// By ElementType.
constexpr WriteNumber kWrite[] = {write_float32,          write_float16,
                                  write_integer<int8_t>,  write_integer<uint8_t>,
                                  write_integer<int16_t>, write_integer<uint16_t>,
                                  write_integer<int32_t>, write_integer<uint32_t>,
                                  write_integer<int64_t>, write_bool};

void append_numbers(const WireTensor& tensor, std::string& text) {
  const size_t element_size = element_bytes(tensor.type);
  const WriteNumber write = kWrite[static_cast<size_t>(tensor.type)];
  for (size_t at = 0; at + element_size <= tensor.bytes.size(); at += element_size) {
    if (at > 0) text += ',';
    if (!write(tensor.bytes.data() + at, text)) {
      fail(Code::ServerBadRequest, Location{.tensor = tensor.name},
           "holds infinities or NaN, which JSON has no words for", "ask for it with binary_data");
    }
  }
}

}  // namespace

std::string infer_response_json(const std::string& model, const std::string& id, std::span<const WireTensor> tensors) {
  // Written by hand: a number an element in between would take sixteen times the tensor's memory.
  std::string text = R"({"model_name":)" + json(model).dump() + R"(,"model_version":"1")";
  if (!id.empty()) text += R"(,"id":)" + json_text(json(id));
  text += R"(,"outputs":[)";
  for (const WireTensor& tensor : tensors) {
    if (&tensor != tensors.data()) text += ',';
    text += R"({"name":)" + json_text(json(tensor.name));
    text += fmt::format(R"(,"datatype":"{}","shape":[{}])", tensor.datatype, fmt::join(tensor.shape, ","));
    if (tensor.binary) {
      text += fmt::format(R"(,"parameters":{{"binary_data_size":{}}}}})", tensor.bytes.size());
    } else {
      text += R"(,"data":[)";
      append_numbers(tensor, text);
      text += "]}";
    }
  }
  return text + "]}";
}

}  // namespace openrknn::server
