#include "runtime/capi/matmul_state.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base/environment.h"
#include "runtime/capi/attributes.h"

namespace openrknn::capi {
namespace {

/// A C program may leave any int in an enumerator: looked at as bytes.
int32_t number_of(const rknn_matmul_type& type) {
  int32_t number = 0;
  static_assert(sizeof type == sizeof number);
  std::memcpy(&number, &type, sizeof number);
  return number;
}

void require_below(std::string_view field, int value, int end, Diagnostics& problems) {
  if (value >= 0 && value < end) return;
  problems.add(Code::RuntimeBadArgument, {}, fmt::format("{} is {}, expected 0 to {}", field, value, end - 1));
}

const Target& matmul_target() {
  const std::string name = environment_variable("OPENRKNN_TARGET");
  const Target* target = find_target(name.empty() ? "rk3588" : name);
  if (target == nullptr) {
    fail(Code::ConfigUnknownPlatform, fmt::format("OPENRKNN_TARGET is '{}', which this build does not know", name));
  }
  return *target;
}

void show(const MatmulSpec& spec, const MatmulShape& shape, MatmulSide side, rknn_matmul_tensor_attr& attr) {
  attr = {};
  attr.name[0] = "ABC"[static_cast<size_t>(side)];
  for (const int64_t extent : matmul_dims(spec, shape, side)) attr.dims[attr.n_dims++] = static_cast<uint32_t>(extent);
  attr.size = static_cast<uint32_t>(matmul_bytes(spec, shape, side));
  attr.type = *tensor_type(matmul_dtype(spec, side));
}

}  // namespace

MatmulSpec matmul_spec(const rknn_matmul_info& info) {
  Diagnostics problems;
  MatmulSpec spec;
  spec.kind = find_matmul_kind(number_of(info.type));
  if (spec.kind == nullptr) {
    problems.add(Code::RuntimeBadArgument, {}, fmt::format("type {} is no rknn_matmul_type", number_of(info.type)));
  }
  require_below("B_layout", info.B_layout, 3, problems);
  require_below("AC_layout", info.AC_layout, 2, problems);
  require_below("B_quant_type", info.B_quant_type, 6, problems);
  require_below("AC_quant_type", info.AC_quant_type, 1, problems);
  problems.throw_if_any();
  spec.target = &matmul_target();
  spec.b_layout = static_cast<MatmulLayout>(info.B_layout);
  spec.ac_layout = static_cast<MatmulLayout>(info.AC_layout);
  spec.b_quant = static_cast<MatmulQuant>(info.B_quant_type);
  spec.group = info.group_size;
  spec.blocks = matmul_blocks(*spec.target, *spec.kind);
  return spec;
}

void show(const MatmulSpec& spec, const MatmulShape& shape, rknn_matmul_io_attr& io) {
  show(spec, shape, MatmulSide::A, io.A);
  show(spec, shape, MatmulSide::B, io.B);
  show(spec, shape, MatmulSide::C, io.C);
}

MatmulSide matmul_side(const char (&name)[RKNN_MAX_NAME_LEN]) {
  const std::string_view text(name, strnlen(name, RKNN_MAX_NAME_LEN));
  if (text != "A" && text != "B" && text != "C") {
    fail(Code::RuntimeBadArgument, fmt::format("'{}' is no matrix, expected A, B or C", text));
  }
  return static_cast<MatmulSide>(text[0] - 'A');
}

}  // namespace openrknn::capi
