#include "runtime/server/infer_request.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "runtime/server/json_body.h"
#include "runtime/server/tensor_type.h"

namespace openrknn::server {
namespace {

using nlohmann::json;

constexpr size_t kMaxRank = 16;      // RKNN_MAX_DIMS
constexpr size_t kMaxTensors = 256;  // inputs or outputs of one request
constexpr int kMaxNesting = 20;      // of "data": a list per dimension, and some for the request itself

/// Writes one number as an element; false if the type cannot hold it.
using StoreNumber = bool (*)(const json&, std::byte*);

template <class T>
bool store_integer(const json& number, std::byte* out) {
  T value{};
  if (number.is_boolean()) {
    value = number.get<bool>() ? T{1} : T{0};
  } else if (number.is_number_unsigned()) {
    const auto wide = number.get<uint64_t>();
    if (wide > static_cast<uint64_t>(std::numeric_limits<T>::max())) return false;
    value = static_cast<T>(wide);
  } else if (number.is_number_integer()) {  // negative
    const auto wide = number.get<int64_t>();
    if (!std::numeric_limits<T>::is_signed || wide < static_cast<int64_t>(std::numeric_limits<T>::min())) return false;
    value = static_cast<T>(wide);
  } else {
    return false;
  }
  std::memcpy(out, &value, sizeof value);
  return true;
}

bool store_bool(const json& number, std::byte* out) {
  uint8_t value = 0;
  if (!store_integer<uint8_t>(number, reinterpret_cast<std::byte*>(&value)) || value > 1) return false;
  *out = std::byte{value};
  return true;
}

bool store_float32(const json& number, std::byte* out) {
  if (!number.is_number()) return false;
  const auto value = number.get<float>();
  std::memcpy(out, &value, sizeof value);
  return true;
}

bool store_float16(const json& number, std::byte* out) {
  if (!number.is_number()) return false;
  const uint16_t value = float_to_half_bits(number.get<float>());
  std::memcpy(out, &value, sizeof value);
  return true;
}

// By ElementType.
constexpr StoreNumber kStore[] = {store_float32,          store_float16,
                                  store_integer<int8_t>,  store_integer<uint8_t>,
                                  store_integer<int16_t>, store_integer<uint16_t>,
                                  store_integer<int32_t>, store_integer<uint32_t>,
                                  store_integer<int64_t>, store_bool};

/// Reads one request; problems are collected.
class Reader {
 public:
  Reader(std::span<const std::byte> binary, const RequestLimits& limits) : binary_(binary), limits_(limits) {}

  InferRequest read(const json& request) {
    if (!request.is_object()) {
      problem("", "the request is no JSON object");
      problems_.throw_if_any();
    }
    if (const json* id = find(request, "id")) {
      if (id->is_string()) {
        result_.id = id->get<std::string>();
      } else {
        problem("", "'id' is no string");
      }
    }
    if (const json* parameters = find(request, "parameters")) read_parameters(*parameters);
    read_list(request, "inputs", true, [this](const json& entry) { read_input(entry); });
    read_list(request, "outputs", false, [this](const json& entry) { read_output(entry); });
    if (problems_.empty() && used_ != binary_.size()) {
      problem("", fmt::format("{} bytes follow the JSON, the inputs' binary_data_size say {}", binary_.size(), used_),
              "check Inference-Header-Content-Length and the sizes");
    }
    problems_.throw_if_any();
    return std::move(result_);
  }

 private:
  void problem(const std::string& tensor, std::string what, std::string fix = {}) {
    problems_.add(Code::ServerBadRequest, Location{.tensor = tensor}, std::move(what), std::move(fix));
  }

  static const json* find(const json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  template <class Read>
  void read_list(const json& request, const char* key, bool required, const Read& read) {
    const json* const list = find(request, key);
    if (list == nullptr || !list->is_array()) {
      if (list != nullptr || required) problem("", fmt::format("'{}' is {}, expected a list", key, kind_of(list)));
      return;
    }
    if (list->size() > kMaxTensors) {
      problem("", fmt::format("'{}' has {} entries, at most {} are taken", key, list->size(), kMaxTensors));
      return;
    }
    for (const json& entry : *list) {
      if (entry.is_object()) {
        read(entry);
      } else {
        problem("", fmt::format("an entry of '{}' is {}, expected an object", key, kind_of(&entry)));
      }
    }
  }

  static std::string kind_of(const json* value) { return value == nullptr ? "missing" : value->type_name(); }

  void read_parameters(const json& parameters) {
    if (!parameters.is_object()) return problem("", "'parameters' is no object");
    for (const auto& [key, value] : parameters.items()) {
      if (key == "binary_data_output" && value.is_boolean()) {
        result_.binary_by_default = value.get<bool>();
      } else if (key == "core_mask" && value.is_number_unsigned() && value.get<uint64_t>() <= 0xffff) {
        result_.core_mask = value.get<uint32_t>();
      } else {
        problem("", fmt::format("parameter '{}' with {}", excerpt(key), excerpt(value.dump(-1, ' ', true))),
                "expected are binary_data_output (true or false) and core_mask (a number as in rknn_api.h); sequences, "
                "priorities and server timeouts are not offered");
      }
    }
  }

  std::string read_name(const json& entry, const char* list) {
    const json* const name = find(entry, "name");
    if (name != nullptr && name->is_string()) return name->get<std::string>();
    problem("", fmt::format("an entry of '{}' has no name", list));
    return {};
  }

  /// Elements of the shape, or nothing if it is none that a tensor may have.
  std::optional<size_t> read_shape(const json& entry, const std::string& name, size_t element_size,
                                   std::vector<int64_t>& shape) {
    const json* const list = find(entry, "shape");
    if (list == nullptr || !list->is_array() || list->size() > kMaxRank) {
      problem(name, fmt::format("'shape' is {}, expected a list of at most {} numbers", kind_of(list), kMaxRank));
      return std::nullopt;
    }
    size_t elements = 1;
    for (const json& extent : *list) {
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > limits_.tensor_bytes) {
        problem(name, fmt::format("'shape' has {}, expected numbers from 0 to {}", excerpt(extent.dump(-1, ' ', true)),
                                  limits_.tensor_bytes));
        return std::nullopt;
      }
      const auto count = extent.get<size_t>();
      shape.push_back(static_cast<int64_t>(count));
      if (count != 0 && elements > limits_.tensor_bytes / count)
        elements = limits_.tensor_bytes + 1;  // stays there
      else
        elements *= count;
    }
    if (elements > limits_.tensor_bytes / element_size) {
      problem(name, fmt::format("the tensor has more than {} bytes", limits_.tensor_bytes));
      return std::nullopt;
    }
    return elements;
  }

  void read_input(const json& entry) {
    InferInput input;
    input.name = read_name(entry, "inputs");
    const json* const datatype = find(entry, "datatype");
    const std::string type = datatype != nullptr && datatype->is_string() ? datatype->get<std::string>() : "";
    const std::optional<ElementType> known = wire_type(type);
    if (!known) {
      problem(input.name, fmt::format("'datatype' is '{}', expected one of {}", excerpt(type), wire_names()));
      return;
    }
    input.type = *known;
    const size_t element_size = element_bytes(input.type);
    const std::optional<size_t> elements = read_shape(entry, input.name, element_size, input.shape);
    if (!elements) return;

    std::optional<size_t> binary_size;
    if (const json* parameters = find(entry, "parameters")) {
      if (!parameters->is_object()) return problem(input.name, "'parameters' is no object");
      for (const auto& [key, value] : parameters->items()) {
        if (key == "binary_data_size" && value.is_number_unsigned()) {
          binary_size = value.get<size_t>();
        } else {
          problem(input.name, fmt::format("parameter '{}' with {}", excerpt(key), excerpt(value.dump(-1, ' ', true))),
                  "expected is binary_data_size; shared memory is not offered");
          return;
        }
      }
    }
    const json* const data = find(entry, "data");
    if (binary_size.has_value() == (data != nullptr)) {
      problem(input.name, binary_size ? "has both 'data' and binary data" : "has neither 'data' nor binary_data_size");
      return;
    }
    const bool taken = binary_size ? take_binary(input, *elements * element_size, *binary_size)
                                   : take_numbers(input, *elements, element_size, *data);
    if (taken) result_.inputs.push_back(std::move(input));
  }

  bool take_binary(InferInput& input, size_t expected, size_t size) {
    if (size != expected) {
      problem(input.name,
              fmt::format("binary_data_size is {}, a tensor of this shape and type has {}", size, expected));
      return false;
    }
    if (size > binary_.size() - used_) {
      problem(input.name,
              fmt::format("binary_data_size is {}, only {} bytes are left in the body", size, binary_.size() - used_));
      return false;
    }
    input.data = binary_.data() + used_;
    used_ += size;
    if (reinterpret_cast<uintptr_t>(input.data) % element_bytes(input.type) != 0) {
      ByteBuffer copy(size);
      if (size > 0) std::memcpy(copy.data(), input.data, size);
      input.data = copy.data();
      result_.storage.push_back(std::move(copy));
    }
    return true;
  }

  bool take_numbers(InferInput& input, size_t elements, size_t element_size, const json& data) {
    // Each number takes two characters at least, so the room is no more than the request itself had.
    const size_t given = count_numbers(data);
    if (given != elements) {
      problem(input.name, fmt::format("'data' has {} numbers, the shape {}", given, elements));
      return false;
    }
    ByteBuffer numbers(elements * element_size);
    std::byte* out = numbers.data();
    if (!store(data, kStore[static_cast<size_t>(input.type)], element_size, out)) {
      problem(input.name, fmt::format("'data' has something that is no {}", wire_name(input.type)));
      return false;
    }
    input.data = numbers.data();
    result_.storage.push_back(std::move(numbers));
    return true;
  }

  static size_t count_numbers(const json& data) {  // not deep: the parser saw to it
    if (!data.is_array()) return 1;
    size_t count = 0;
    for (const json& entry : data) count += count_numbers(entry);
    return count;
  }

  static bool store(const json& data, StoreNumber store_number, size_t element_size, std::byte*& out) {
    if (!data.is_array()) {
      if (!store_number(data, out)) return false;
      out += element_size;
      return true;
    }
    for (const json& entry : data) {
      if (!store(entry, store_number, element_size, out)) return false;
    }
    return true;
  }

  void read_output(const json& entry) {
    RequestedOutput output{read_name(entry, "outputs"), result_.binary_by_default};
    if (const json* parameters = find(entry, "parameters")) {
      if (!parameters->is_object()) return problem(output.name, "'parameters' is no object");
      for (const auto& [key, value] : parameters->items()) {
        if (key == "binary_data" && value.is_boolean()) {
          output.binary = value.get<bool>();
        } else {
          problem(output.name, fmt::format("parameter '{}' with {}", excerpt(key), excerpt(value.dump(-1, ' ', true))),
                  "expected is binary_data; classification and shared memory are not offered");
        }
      }
    }
    result_.outputs.push_back(std::move(output));
  }

  std::span<const std::byte> binary_;
  const RequestLimits& limits_;
  size_t used_ = 0;
  InferRequest result_;
  Diagnostics problems_;
};

}  // namespace

Feed InferRequest::feed() const {
  std::vector<std::pair<std::string, ArrayView>> arrays;
  arrays.reserve(inputs.size());
  for (const InferInput& input : inputs) {
    arrays.emplace_back(input.name, ArrayView{.type = input.type, .shape = input.shape, .data = input.data});
  }
  return Feed::dict(std::move(arrays));
}

InferRequest parse_infer_request(std::span<const std::byte> body, std::optional<size_t> json_bytes,
                                 const RequestLimits& limits) {
  const size_t length = json_bytes.value_or(body.size());
  if (length > body.size()) {
    fail(Code::ServerBadRequest,
         fmt::format("Inference-Header-Content-Length is {}, the body has {} bytes", length, body.size()));
  }
  if (length > limits.json_bytes) {
    fail(Code::ServerTooLarge, fmt::format("the JSON has {} bytes, at most {} are taken", length, limits.json_bytes),
         "send tensors as binary data");
  }
  return Reader(body.subspan(length), limits).read(parse_json(body.first(length), kMaxNesting));
}

}  // namespace openrknn::server
