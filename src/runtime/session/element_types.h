// The element types that callers' arrays may have, in the words of the core, of the session and of the C API.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/dtype.h"
#include "openrknn/session_types.hpp"
#include "rknn_api.h"

namespace openrknn {

/// By ElementType, whose numbers are those of rknn_tensor_type.
inline constexpr std::array kDTypesOfElements = {DType::Float32, DType::Float16, DType::Int8,  DType::UInt8,
                                                 DType::Int16,   DType::UInt16,  DType::Int32, DType::UInt32,
                                                 DType::Int64,   DType::Bool};
static_assert(kDTypesOfElements.size() == RKNN_TENSOR_BOOL + 1);
static_assert(static_cast<int>(ElementType::Bool) == RKNN_TENSOR_BOOL);

/// Nothing for the C API's other types (int4, bfloat16) and for numbers that are none.
inline std::optional<DType> dtype_of_number(uint32_t number) {
  if (number >= kDTypesOfElements.size()) return std::nullopt;
  return kDTypesOfElements[number];
}
inline std::optional<DType> dtype_of(ElementType type) { return dtype_of_number(static_cast<uint32_t>(type)); }
inline std::optional<DType> dtype_of(rknn_tensor_type type) { return dtype_of_number(static_cast<uint32_t>(type)); }

/// Nothing for types that no array of a caller has (float64, uint64).
inline std::optional<ElementType> element_type_of(DType dtype) {
  for (size_t number = 0; number < kDTypesOfElements.size(); ++number) {
    if (kDTypesOfElements[number] == dtype) return static_cast<ElementType>(number);
  }
  return std::nullopt;
}

}  // namespace openrknn
