#include "runtime/server/tensor_type.h"

#include <array>

namespace openrknn::server {
namespace {

struct Row {
  ElementType type;
  std::string_view wire;
};
constexpr std::array kRows = {
    Row{ElementType::Bool, "BOOL"},     Row{ElementType::UInt8, "UINT8"}, Row{ElementType::UInt16, "UINT16"},
    Row{ElementType::UInt32, "UINT32"}, Row{ElementType::Int8, "INT8"},   Row{ElementType::Int16, "INT16"},
    Row{ElementType::Int32, "INT32"},   Row{ElementType::Int64, "INT64"}, Row{ElementType::Float16, "FP16"},
    Row{ElementType::Float32, "FP32"},
};

struct DtypeRow {
  std::string_view dtype, wire;
};
constexpr std::array kDtypes = {
    DtypeRow{"f32", "FP32"},  DtypeRow{"f16", "FP16"},   DtypeRow{"bf16", "BF16"}, DtypeRow{"f64", "FP64"},
    DtypeRow{"i4", "INT4"},   DtypeRow{"u4", "UINT4"},   DtypeRow{"i8", "INT8"},   DtypeRow{"u8", "UINT8"},
    DtypeRow{"i16", "INT16"}, DtypeRow{"u16", "UINT16"}, DtypeRow{"i32", "INT32"}, DtypeRow{"u32", "UINT32"},
    DtypeRow{"i64", "INT64"}, DtypeRow{"u64", "UINT64"}, DtypeRow{"bool", "BOOL"},
};

}  // namespace

std::string_view wire_name(ElementType type) {
  for (const Row& row : kRows) {
    if (row.type == type) return row.wire;
  }
  return "UNKNOWN";
}

std::optional<ElementType> wire_type(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.wire == name) return row.type;
  }
  return std::nullopt;
}

std::string wire_names() {
  std::string text;
  for (const Row& row : kRows) text += (text.empty() ? "" : ", ") + std::string(row.wire);
  return text;
}

std::optional<ElementType> type_of_tensor(std::string_view tensor) {
  for (const Row& row : kRows) {
    if (tensor == type_name(row.type)) return row.type;
  }
  return std::nullopt;
}

std::string wire_name_of_dtype(std::string_view dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return std::string(row.wire);
  }
  return std::string(dtype);
}

std::string dtype_of_wire_name(std::string_view name) {
  for (const DtypeRow& row : kDtypes) {
    if (row.wire == name) return std::string(row.dtype);
  }
  return std::string(name);
}

}  // namespace openrknn::server
