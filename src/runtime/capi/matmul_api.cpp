// Matrix products: created, given memory, run, destroyed.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/capi/logging.h"
#include "runtime/capi/matmul_state.h"

namespace openrknn::capi {
namespace {

MatmulShape shape_of(const rknn_matmul_shape& shape) { return {shape.M, shape.K, shape.N}; }
std::string text(const MatmulShape& shape) { return fmt::format("M = {}, K = {}, N = {}", shape.m, shape.k, shape.n); }

std::shared_ptr<MatmulState> make_state(const rknn_matmul_info& info, std::vector<MatmulShape> shapes) {
  const MatmulSpec spec = matmul_spec(info);
  for (const MatmulShape& shape : shapes) require_matmul_shape(spec, shape);
  auto state = std::make_shared<MatmulState>();
  state->matmul = std::make_unique<Matmul>(spec, library().device(*spec.target));
  state->shapes = std::move(shapes);
  return state;
}

void require_room(const MatmulState& state, MatmulSide side, const MemoryEntry& memory) {
  const auto needed = static_cast<uint64_t>(matmul_bytes(state.matmul->spec(), *state.current, side));
  if (memory.size() >= needed) return;
  fail(Code::RuntimeBadArgument,
       fmt::format("the memory for {} has {} bytes, {} needs {}", "ABC"[static_cast<size_t>(side)], memory.size(),
                   text(*state.current), needed));
}

void require_current(const MatmulState& state) {
  if (state.current) return;
  throw ApiError(RKNN_ERR_FAIL, Code::RuntimeNotInitialized,
                 "no shape is active: call rknn_matmul_set_dynamic_shape first");
}

void run(MatmulState& state) {
  require_current(state);
  for (const MatmulSide side : {MatmulSide::A, MatmulSide::B, MatmulSide::C}) {
    const char name = "ABC"[static_cast<size_t>(side)];
    const std::shared_ptr<MemoryEntry>& memory = state.memory[static_cast<size_t>(side)];
    if (!memory || memory->destroyed) {
      fail(Code::RuntimeBadArgument,
           fmt::format("{} has no memory{}", name, memory ? " any more: it was destroyed" : ""),
           "call rknn_matmul_set_io_mem for A, B and C before running");
    }
    require_room(state, side, *memory);
  }
  state.matmul->run(*state.current, state.memory[0]->data(), state.memory[1]->data(), state.memory[2]->data());
}

void set_core_mask(Matmul& matmul, rknn_core_mask given) {
  const Target& target = matmul.device().target();
  uint32_t mask = 0;
  static_assert(sizeof given == sizeof mask);
  std::memcpy(&mask, &given, sizeof mask);
  const uint32_t present = (1u << target.cores) - 1;
  const bool known = mask <= 4 || mask == 7 || mask == RKNN_NPU_CORE_ALL;
  if (!target.core_mask || !known || (mask != RKNN_NPU_CORE_ALL && (mask & ~present) != 0)) {
    throw ApiError(
        RKNN_ERR_FAIL, Code::RuntimeBadArgument,
        fmt::format("rknn_matmul_set_core_mask: failed to set core mask: {}, {} has {} core{}",
                    static_cast<int32_t>(mask), target.display_name, target.cores, target.cores == 1 ? "" : "s"));
  }
  matmul.set_core_mask(mask == RKNN_NPU_CORE_ALL ? present : mask);
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_matmul_create(rknn_matmul_ctx* ctx, rknn_matmul_info* info, rknn_matmul_io_attr* io_attr) {
  return guard("rknn_matmul_create", [&] {
    configure_logging();
    require_pointer(ctx, "ctx");
    *ctx = 0;
    require_pointer(info, "info");
    require_pointer(io_attr, "io_attr");
    auto state = make_state(*info, {MatmulShape{info->M, info->K, info->N}});
    state->current = state->shapes[0];
    show(state->matmul->spec(), *state->current, *io_attr);
    *ctx = library().add(std::move(state));
  });
}

int rknn_matmul_create_dynamic_shape(rknn_matmul_ctx* ctx, rknn_matmul_info* info, int shape_num,
                                     rknn_matmul_shape dynamic_shapes[], rknn_matmul_io_attr io_attrs[]) {
  return guard("rknn_matmul_create_dynamic_shape", [&] {
    configure_logging();
    require_pointer(ctx, "ctx");
    *ctx = 0;
    require_pointer(info, "info");
    require_pointer(dynamic_shapes, "dynamic_shapes");
    require_pointer(io_attrs, "io_attrs");
    if (shape_num < 1) fail(Code::RuntimeBadArgument, fmt::format("shape_num is {}, expected at least 1", shape_num));
    std::vector<MatmulShape> shapes;
    for (int i = 0; i < shape_num; ++i) shapes.push_back(shape_of(dynamic_shapes[i]));
    auto state = make_state(*info, std::move(shapes));
    for (size_t i = 0; i < state->shapes.size(); ++i) show(state->matmul->spec(), state->shapes[i], io_attrs[i]);
    *ctx = library().add(std::move(state));
  });
}

int rknn_matmul_set_dynamic_shape(rknn_matmul_ctx ctx, rknn_matmul_shape* shape) {
  return with_matmul("rknn_matmul_set_dynamic_shape", ctx, [&](MatmulState& state) {
    require_pointer(shape, "shape");
    const MatmulShape wanted = shape_of(*shape);
    if (std::find(state.shapes.begin(), state.shapes.end(), wanted) == state.shapes.end()) {
      std::string known;
      for (const MatmulShape& one : state.shapes) known += (known.empty() ? "" : "; ") + text(one);
      throw ApiError(RKNN_ERR_FAIL, Code::RuntimeBadArgument,
                     fmt::format("{} is none of the context's shapes: {}", text(wanted), known));
    }
    state.current = wanted;
  });
}

int rknn_matmul_set_io_mem(rknn_matmul_ctx ctx, rknn_tensor_mem* mem, rknn_matmul_tensor_attr* attr) {
  return with_matmul("rknn_matmul_set_io_mem", ctx, [&](MatmulState& state) {
    require_pointer(mem, "mem");
    require_pointer(attr, "attr");
    require_current(state);
    const MatmulSide side = matmul_side(attr->name);
    std::shared_ptr<MemoryEntry> memory = library().find(mem);
    require_room(state, side, *memory);
    state.memory[static_cast<size_t>(side)] = std::move(memory);
  });
}

int rknn_matmul_set_core_mask(rknn_matmul_ctx context, rknn_core_mask core_mask) {
  return with_matmul("rknn_matmul_set_core_mask", context,
                     [&](MatmulState& state) { set_core_mask(*state.matmul, core_mask); });
}

int rknn_matmul_run(rknn_matmul_ctx ctx) {
  return with_matmul("rknn_matmul_run", ctx, [&](MatmulState& state) { run(state); });
}

int rknn_matmul_destroy(rknn_matmul_ctx ctx) {
  return guard("rknn_matmul_destroy", [&] {
    const std::shared_ptr<MatmulState> state = library().remove_matmul(ctx);
    const std::lock_guard lock(state->mutex);  // a call on another thread ends first
  });
}

int rknn_B_normal_layout_to_native_layout(void* B_input, void* B_output, int K, int N, rknn_matmul_info* info) {
  return guard("rknn_B_normal_layout_to_native_layout", [&] {
    require_pointer(B_input, "B_input");
    require_pointer(B_output, "B_output");
    require_pointer(info, "info");
    if (K < 1 || N < 1) fail(Code::RuntimeBadArgument, fmt::format("K = {}, N = {}, expected at least 1", K, N));
    const MatmulSpec spec = matmul_spec(*info);
    normal_to_native_b(spec.blocks, {.m = 1, .k = K, .n = N}, spec.kind->b, static_cast<const std::byte*>(B_input),
                       static_cast<std::byte*>(B_output));
  });
}
