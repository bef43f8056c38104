#include "compiler/importers/onnx/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <protozero/pbf_reader.hpp>

#include "core/base/error.h"

namespace openrknn::onnx {
namespace {

constexpr std::string_view kText = "text is not processed on an NPU; turn it into numbers before the model";
constexpr std::string_view kComplex = "an NPU has no complex numbers; keep real and imaginary parts in two tensors";
constexpr std::string_view kTinyFloat =
    "the NPUs have no floats of fewer than 16 bits; convert the tensor to float16, or give the float model and "
    "quantize "
    "it here";
constexpr std::string_view kTinyInteger = "the NPUs have no integers of fewer than 4 bits; use int4 or uint4";
constexpr std::string_view kUnknownType = "the ONNX standard does not define it; export the model again";

/// Where an element type may be stored besides raw_data: onnx.proto3, comments of TensorProto's fields.
enum class Field : uint8_t { None, Float, Int32, Int64, Double, UInt64 };

struct TypeRow {
  ElementType type;
  std::string_view name;
  std::optional<DType> stored;  ///< as in the file; nullopt: not supported
  DType ir = DType::Float32;
  Field field = Field::None;
  std::string_view refusal = {};  ///< of types that are not supported
};

constexpr TypeRow kTypes[] = {
    {ElementType::Undefined, "undefined", {}, {}, {}, kUnknownType},
    {ElementType::Float, "float", DType::Float32, DType::Float32, Field::Float},
    {ElementType::UInt8, "uint8", DType::UInt8, DType::UInt8, Field::Int32},
    {ElementType::Int8, "int8", DType::Int8, DType::Int8, Field::Int32},
    {ElementType::UInt16, "uint16", DType::UInt16, DType::UInt16, Field::Int32},
    {ElementType::Int16, "int16", DType::Int16, DType::Int16, Field::Int32},
    {ElementType::Int32, "int32", DType::Int32, DType::Int32, Field::Int32},
    {ElementType::Int64, "int64", DType::Int64, DType::Int64, Field::Int64},
    {ElementType::String, "string", {}, {}, {}, kText},
    {ElementType::Bool, "bool", DType::Bool, DType::Bool, Field::Int32},
    {ElementType::Float16, "float16", DType::Float16, DType::Float32, Field::Int32},
    {ElementType::Double, "double", DType::Float64, DType::Float32, Field::Double},
    {ElementType::UInt32, "uint32", DType::UInt32, DType::UInt32, Field::UInt64},
    {ElementType::UInt64, "uint64", DType::UInt64, DType::UInt64, Field::UInt64},
    {ElementType::Complex64, "complex64", {}, {}, {}, kComplex},
    {ElementType::Complex128, "complex128", {}, {}, {}, kComplex},
    {ElementType::BFloat16, "bfloat16", DType::BFloat16, DType::Float32, Field::Int32},
    {ElementType::Float8E4M3FN, "float8e4m3fn", {}, {}, {}, kTinyFloat},
    {ElementType::Float8E4M3FNUZ, "float8e4m3fnuz", {}, {}, {}, kTinyFloat},
    {ElementType::Float8E5M2, "float8e5m2", {}, {}, {}, kTinyFloat},
    {ElementType::Float8E5M2FNUZ, "float8e5m2fnuz", {}, {}, {}, kTinyFloat},
    {ElementType::UInt4, "uint4", DType::UInt4, DType::UInt4, Field::Int32},
    {ElementType::Int4, "int4", DType::Int4, DType::Int4, Field::Int32},
    {ElementType::Float4E2M1, "float4e2m1", {}, {}, {}, kTinyFloat},
    {ElementType::Float8E8M0, "float8e8m0", {}, {}, {}, kTinyFloat},
    {ElementType::UInt2, "uint2", {}, {}, {}, kTinyInteger},
    {ElementType::Int2, "int2", {}, {}, {}, kTinyInteger},
    {ElementType::Float6E2M3, "float6e2m3", {}, {}, {}, kTinyFloat},
    {ElementType::Float6E3M2, "float6e3m2", {}, {}, {}, kTinyFloat},
};

const TypeRow* row_of(ElementType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

std::span<const std::byte> as_bytes(Bytes view) {
  return {reinterpret_cast<const std::byte*>(view.data()), view.size()};
}

/// Calls visit(value) for every entry of a repeated scalar field, packed or not, in file order.
template <class Visit>
void for_each_entry(Bytes message, Field field, const Visit& visit) {
  using protozero::pbf_wire_type;
  using protozero::tag_and_type;
  constexpr auto packed = pbf_wire_type::length_delimited;
  protozero::pbf_reader reader(message.data(), message.size());
  while (reader.next()) {
    const uint32_t at = reader.tag_and_type();
    if (field == Field::Float && at == tag_and_type(4, packed)) {
      for (const float v : reader.get_packed_float()) visit(v);
    } else if (field == Field::Float && at == tag_and_type(4, pbf_wire_type::fixed32)) {
      visit(reader.get_float());
    } else if (field == Field::Int32 && at == tag_and_type(5, packed)) {
      for (const int32_t v : reader.get_packed_int32()) visit(v);
    } else if (field == Field::Int32 && at == tag_and_type(5, pbf_wire_type::varint)) {
      visit(reader.get_int32());
    } else if (field == Field::Int64 && at == tag_and_type(7, packed)) {
      for (const int64_t v : reader.get_packed_int64()) visit(v);
    } else if (field == Field::Int64 && at == tag_and_type(7, pbf_wire_type::varint)) {
      visit(reader.get_int64());
    } else if (field == Field::Double && at == tag_and_type(10, packed)) {
      for (const double v : reader.get_packed_double()) visit(v);
    } else if (field == Field::Double && at == tag_and_type(10, pbf_wire_type::fixed64)) {
      visit(reader.get_double());
    } else if (field == Field::UInt64 && at == tag_and_type(11, packed)) {
      for (const uint64_t v : reader.get_packed_uint64()) visit(v);
    } else if (field == Field::UInt64 && at == tag_and_type(11, pbf_wire_type::varint)) {
      visit(reader.get_uint64());
    } else {
      reader.skip();
    }
  }
}

/// Typed fields hold one element an entry, but 16-bit floats as their bits and 4-bit types two to an entry.
Tensor read_typed_field(const TensorProto& proto, const TypeRow& row, const Shape& shape, int64_t count,
                        const Location& where) {
  const DType dtype = *row.stored;
  const bool packed4 = bit_width(dtype) == 4;
  const int64_t expected = packed4 ? byte_size(dtype, count) : count;
  int64_t entries = 0;
  for_each_entry(proto.message, row.field, [&](auto) { ++entries; });
  if (entries != expected) {
    fail(Code::ImportBadFile, where,
         fmt::format("a {} tensor of shape {} needs {} entries, the file has {}", row.name, to_string(shape), expected,
                     entries),
         "export the model again");
  }
  Tensor tensor(dtype, shape);
  std::byte* out = tensor.mutable_bytes().data();
  const auto width = static_cast<size_t>(packed4 ? 1 : bit_width(dtype) / 8);
  for_each_entry(proto.message, row.field, [&]<class T>(T value) {
    if constexpr (std::is_integral_v<T>) {
      const auto bits = dtype == DType::Bool ? uint64_t{value != 0} : static_cast<uint64_t>(value);
      std::memcpy(out, &bits, width);  // little-endian: the low bytes come first
    } else {
      std::memcpy(out, &value, sizeof value);
    }
    out += width;
  });
  return tensor;
}

bool only_zero_and_one(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b <= std::byte{1}; });
}

/// A view if the bytes can be used as they lie, a copy otherwise.
Tensor from_raw(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, DType dtype, const Shape& shape) {
  const auto alignment = static_cast<uintptr_t>(std::max(1, bit_width(dtype) / 8));
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
  const bool usable = aligned && (dtype != DType::Bool || only_zero_and_one(bytes));
  if (usable) return Tensor::view(dtype, shape, bytes, std::move(owner));
  Tensor copy(dtype, shape);
  std::span<std::byte> out = copy.mutable_bytes();
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  if (dtype == DType::Bool) {
    for (std::byte& b : out) b = b == std::byte{0} ? b : std::byte{1};
  }
  return copy;
}

std::optional<int64_t> parse_number(Bytes text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<DType> ir_dtype(ElementType type) {
  const TypeRow* row = row_of(type);
  return row != nullptr && row->stored ? std::optional(row->ir) : std::nullopt;
}

std::string_view type_refusal(ElementType type) {
  const TypeRow* row = row_of(type);
  return row != nullptr ? row->refusal : kUnknownType;
}

std::string_view name(ElementType type) {
  const TypeRow* row = row_of(type);
  return row != nullptr ? row->name : "unknown";
}

TensorFiles::TensorFiles(std::shared_ptr<const MappedFile> model, const std::filesystem::path& model_path)
    : model_(std::move(model)), directory_(model_path.parent_path()) {
  if (directory_.empty()) directory_ = ".";
}

Tensor TensorFiles::read(const TensorProto& proto, std::string_view tensor_name) {
  Location where;
  where.file = model_->name();
  where.tensor = std::string(tensor_name);
  const TypeRow* row = row_of(proto.type);
  if (row == nullptr || !row->stored) {
    fail(Code::ImportUnsupportedType, where,
         fmt::format("element type {} ({}) is not supported: {}", name(proto.type), static_cast<int>(proto.type),
                     type_refusal(proto.type)));
  }
  const DType dtype = *row->stored;
  int64_t count = 0;
  try {
    count = element_count(proto.dims);
  } catch (const Error&) {
    fail(Code::ImportBadFile, where, fmt::format("impossible shape {}", to_string(proto.dims)),
         "export the model again");
  }
  if (count > std::numeric_limits<int64_t>::max() / 16) {
    fail(Code::ImportBadFile, where, fmt::format("impossible shape {}", to_string(proto.dims)),
         "export the model again");
  }
  const int64_t needed = byte_size(dtype, count);

  Tensor tensor;
  if (proto.external || proto.raw_data) {
    const Stored stored = proto.external ? external(proto, where, needed) : Stored{as_bytes(*proto.raw_data), model_};
    if (static_cast<int64_t>(stored.bytes.size()) != needed) {
      fail(Code::ImportBadFile, where,
           fmt::format("a {} tensor of shape {} needs {} bytes, the file has {}", row->name, to_string(proto.dims),
                       needed, stored.bytes.size()),
           "export the model again");
    }
    tensor = from_raw(stored.bytes, stored.file, dtype, proto.dims);
  } else {
    try {
      tensor = read_typed_field(proto, *row, proto.dims, count, where);
    } catch (const protozero::exception& error) {
      fail(Code::ImportBadFile, where, fmt::format("damaged tensor data: {}", error.what()), "export the model again");
    }
  }
  return cast(tensor, row->ir);
}

// External data is named by the model file, which may come from anywhere: only files below the model's own directory
// are opened, symbolic links resolved first.
TensorFiles::Stored TensorFiles::external(const TensorProto& proto, const Location& where, int64_t needed) {
  namespace fs = std::filesystem;
  Bytes location;
  int64_t offset = 0;
  std::optional<int64_t> length;
  for (const auto& [key, value] : proto.external_data) {
    if (key == "location") location = value;
    if (key != "offset" && key != "length") continue;
    const std::optional<int64_t> number = parse_number(value);
    if (!number) fail(Code::ImportExternalData, where, fmt::format("bad {} of external data: '{}'", key, value));
    if (key == "offset") offset = *number;
    if (key == "length") length = *number;
  }
  const fs::path relative{std::string(location)};
  const bool escapes = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (location.empty() || location.find('\0') != Bytes::npos || relative.is_absolute() || escapes) {
    fail(Code::ImportExternalData, where,
         fmt::format("external data must lie in the model's directory, got location '{}'", location),
         "save the model again with its data file beside it");
  }
  auto found = files_.find(location);
  if (found == files_.end()) {
    std::error_code error;
    const fs::path root = fs::canonical(directory_, error);
    const fs::path real = error ? fs::path() : fs::canonical(directory_ / relative, error);
    if (error) {
      fail(Code::ImportExternalData, where, fmt::format("the external data file '{}' is missing", location),
           fmt::format("put it beside the model, in '{}'", directory_.string()));
    }
    if (std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first != root.end()) {
      fail(Code::ImportExternalData, where,
           fmt::format("external data '{}' leads out of the model's directory", location),
           "copy the data file itself beside the model");
    }
    found = files_.emplace(std::string(location), MappedFile::open(real)).first;
  }
  const std::span<const std::byte> all = found->second->bytes();
  const auto size = static_cast<int64_t>(all.size());
  const int64_t taken = length.value_or(std::max<int64_t>(0, size - offset));
  if (offset > size || taken > size - offset) {
    fail(Code::ImportExternalData, where,
         fmt::format("external data '{}' has {} bytes, the tensor lies at {} with {} bytes", location, size, offset,
                     length.value_or(needed)),
         "the data file is truncated or belongs to another model; export the model again");
  }
  return {all.subspan(static_cast<size_t>(offset), static_cast<size_t>(taken)), found->second};
}

}  // namespace openrknn::onnx
