// The life of a context: init, dup, destroy, where it runs, run.
#include <fmt/format.h>

#include <array>

#include "core/base/log.h"
#include "runtime/capi/arrays.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/io_memory.h"
#include "runtime/capi/logging.h"
#include "runtime/capi/runtime_version.h"

namespace openrknn::capi {
namespace {

constexpr uint32_t kKnownFlags = 0x1ffff;

struct UnbuiltFlag {
  uint32_t flag;
  std::string_view name;
};
// The other flags are hints (priority, SRAM, caches, GPU) or are done.
constexpr std::array kUnbuiltFlags = {
    UnbuiltFlag{RKNN_FLAG_MEM_ALLOC_OUTSIDE, "RKNN_FLAG_MEM_ALLOC_OUTSIDE"},
    UnbuiltFlag{RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE, "RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE"},
    UnbuiltFlag{RKNN_FLAG_SHARE_WEIGHT_MEM, "RKNN_FLAG_SHARE_WEIGHT_MEM"},
    UnbuiltFlag{RKNN_FLAG_FENCE_IN_OUTSIDE, "RKNN_FLAG_FENCE_IN_OUTSIDE"},
    UnbuiltFlag{RKNN_FLAG_FENCE_OUT_OUTSIDE, "RKNN_FLAG_FENCE_OUT_OUTSIDE"},
    UnbuiltFlag{RKNN_FLAG_SHARE_SRAM, "RKNN_FLAG_SHARE_SRAM"},
};

void check_flags(uint32_t flags) {
  if ((flags & ~kKnownFlags) != 0) {
    fail(Code::RuntimeBadArgument, fmt::format("flag {:#x} has unknown bits {:#x}", flags, flags & ~kKnownFlags));
  }
  for (const UnbuiltFlag& unbuilt : kUnbuiltFlags) {
    if ((flags & unbuilt.flag) != 0) refuse_unbuilt(std::string(unbuilt.name));
  }
}

/// The part of a larger file or buffer that extend names; everything if it names nothing.
std::span<const std::byte> model_part(std::span<const std::byte> whole, const rknn_init_extend* extend) {
  if (extend == nullptr || (extend->real_model_offset == 0 && extend->real_model_size == 0)) return whole;
  const int64_t offset = extend->real_model_offset;
  const int64_t size =
      extend->real_model_size != 0 ? extend->real_model_size : static_cast<int64_t>(whole.size()) - offset;
  if (offset < 0 || size < 0 || static_cast<uint64_t>(offset + size) > whole.size()) {
    fail(Code::RuntimeBadArgument,
         fmt::format("real_model_offset {} and real_model_size {} lie outside the {} bytes given", offset, size,
                     whole.size()));
  }
  return whole.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}

bool is_aligned(const std::byte* data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }

std::shared_ptr<const MappedFile> open_model(void* model, uint32_t size, uint32_t flags,
                                             const rknn_init_extend* extend) {
  require_pointer(model, "model");
  if (size == 0) {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(static_cast<const char*>(model));
    const std::span<const std::byte> part = model_part(file->bytes(), extend);
    if (part.size() == file->bytes().size()) return file;
    return is_aligned(part.data()) ? MappedFile::borrow(part, file->name(), file)
                                   : MappedFile::copy_of(part, file->name());
  }
  const std::span<const std::byte> whole{static_cast<const std::byte*>(model), size};
  if ((flags & RKNN_FLAG_MODEL_BUFFER_ZERO_COPY) == 0) return MappedFile::copy_of(whole, "model in memory");
  const std::span<const std::byte> part = model_part(whole, extend);
  return is_aligned(part.data()) ? MappedFile::borrow(part, "model in memory", nullptr)
                                 : MappedFile::copy_of(part, "model in memory");
}

void log_model(const Context& context) {
  const Model& model = context.model();
  log(LogLevel::Info, "", fmt::format("RKNN Runtime Information, {}", version_line()));
  log(LogLevel::Info, "", fmt::format("RKNN Driver Information, version: {}", context.device().driver_version()));
  log(LogLevel::Info, "",
      fmt::format(
          "RKNN Model Information, version: 6, toolkit version: {0}(compiler version: {0}), target: RKNPU v2, "
          "target platform: {1}, framework name: {2}, framework layout: NCHW, model inference type: static_shape",
          model.tool_version, model.target, model.source_framework));
}

std::unique_ptr<Context> make_context(std::shared_ptr<const MappedFile> file) {
  std::shared_ptr<LoadedModel> model = LoadedModel::load(std::move(file));
  const Target& target = *find_target(model->model().target);
  auto context = std::make_unique<Context>(std::move(model), library().device(target));
  require_expressible(*context);
  return context;
}

bool is_known_mask(rknn_core_mask mask) {
  switch (mask) {
    case RKNN_NPU_CORE_AUTO:
    case RKNN_NPU_CORE_0:
    case RKNN_NPU_CORE_1:
    case RKNN_NPU_CORE_2:
    case RKNN_NPU_CORE_0_1:
    case RKNN_NPU_CORE_0_1_2:
    case RKNN_NPU_CORE_ALL:
      return true;
    default:
      return false;
  }
}

void set_core_mask(Context& context, rknn_core_mask mask) {
  const Target& target = context.device().target();
  if (!target.core_mask) {
    throw ApiError(RKNN_ERR_TARGET_PLATFORM_UNMATCH, Code::RuntimeBadArgument,
                   fmt::format("rknn_set_core_mask: {} has one core and no core mask", target.display_name));
  }
  if (!is_known_mask(mask)) {
    throw ApiError(RKNN_ERR_FAIL, Code::RuntimeBadArgument,
                   fmt::format("The core mode {} is not supported currently", static_cast<int>(mask)));
  }
  const uint32_t present = (1u << target.cores) - 1;
  if (mask != RKNN_NPU_CORE_ALL && (mask & ~present) != 0) {
    throw ApiError(RKNN_ERR_FAIL, Code::RuntimeBadArgument,
                   fmt::format("rknn_set_core_mask: failed to set core mask: {}, {} has {} cores",
                               static_cast<int>(mask), target.display_name, target.cores));
  }
  context.set_core_mask(mask == RKNN_NPU_CORE_ALL ? present : static_cast<uint32_t>(mask));
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_init(rknn_context* context, void* model, uint32_t size, uint32_t flag, rknn_init_extend* extend) {
  return guard("rknn_init", [&] {
    configure_logging();
    require_pointer(context, "context");
    *context = 0;
    check_flags(flag);
    auto state = std::make_shared<ContextState>(make_context(open_model(model, size, flag, extend)), flag);
    state->context->set_profiling((flag & RKNN_FLAG_COLLECT_PERF_MASK) != 0);
    log_model(*state->context);
    *context = library().add(std::move(state));
  });
}

int rknn_dup_context(rknn_context* context_in, rknn_context* context_out) {
  return guard("rknn_dup_context", [&] {
    require_pointer(context_in, "context_in");
    require_pointer(context_out, "context_out");
    const std::shared_ptr<ContextState> source = library().find(*context_in);
    const std::lock_guard lock(source->mutex);
    auto copy = std::make_shared<ContextState>(source->context->duplicate(), source->flags);
    copy->context->set_profiling((copy->flags & RKNN_FLAG_COLLECT_PERF_MASK) != 0);
    *context_out = library().add(std::move(copy));
  });
}

int rknn_destroy(rknn_context context) {
  return guard("rknn_destroy", [&] {
    const std::shared_ptr<ContextState> state = library().remove(context);
    const std::lock_guard lock(state->mutex);  // a call on another thread ends first
  });
}

int rknn_set_core_mask(rknn_context context, rknn_core_mask core_mask) {
  return with_context("rknn_set_core_mask", context,
                      [&](ContextState& state) { set_core_mask(*state.context, core_mask); });
}

int rknn_set_batch_core_num(rknn_context context, int core_num) {
  return with_context("rknn_set_batch_core_num", context, [&](ContextState&) {
    fail(Code::RuntimeBadArgument,
         fmt::format("core number {} makes no sense: the model was not built with rknn_batch_size", core_num));
  });
}

int rknn_run(rknn_context context, rknn_run_extend* extend) {
  return with_context("rknn_run", context, [&](ContextState& state) {
    if ((state.flags & RKNN_FLAG_COLLECT_MODEL_INFO_ONLY) != 0) {
      fail(Code::RuntimeBadArgument, "the context was made with RKNN_FLAG_COLLECT_MODEL_INFO_ONLY and cannot run");
    }
    read_bound_inputs(state);
    state.context->run();
    write_bound_outputs(state);
    if (extend != nullptr) extend->frame_id = state.context->runs();
  });
}

// rknn_run computes before it returns, with non_block too: there is nothing left to wait for.
int rknn_wait(rknn_context context, rknn_run_extend* extend) {
  return with_context("rknn_wait", context, [&](ContextState& state) {
    if (state.context->runs() == 0) fail(Code::RuntimeNotInitialized, "nothing was run");
    if (extend != nullptr && extend->frame_id > state.context->runs()) {
      fail(Code::RuntimeBadArgument, fmt::format("frame {} was not run yet", extend->frame_id));
    }
  });
}

int rknn_set_input_shapes(rknn_context context, uint32_t n_inputs, rknn_tensor_attr attr[]) {
  return with_context("rknn_set_input_shapes", context, [&](ContextState& state) {
    require_pointer(attr, "attr");
    const Context& model = *state.context;
    if (n_inputs != count(model, Side::Input)) {
      fail(Code::RuntimeBadArgument, fmt::format("{} shapes for {} inputs", n_inputs, count(model, Side::Input)));
    }
    // A static model has one shape set: its own.
    for (uint32_t i = 0; i < n_inputs; ++i) {
      if (attr[i].index >= n_inputs) fail(Code::RuntimeBadArgument, fmt::format("there is no input {}", attr[i].index));
      require_enumerators(attr[i].type, attr[i].fmt);
      const rknn_tensor_attr own = logical_attr(model, Side::Input, attr[i].index);
      const uint32_t dims = std::min<uint32_t>(attr[i].n_dims, RKNN_MAX_DIMS);
      const Shape given(attr[i].dims, attr[i].dims + dims), known(own.dims, own.dims + own.n_dims);
      const bool as_nchw = own.fmt == RKNN_TENSOR_NHWC && attr[i].fmt == RKNN_TENSOR_NCHW;
      if (given == known || (as_nchw && given == permute(known, {0, 3, 1, 2}))) continue;
      throw ApiError(
          RKNN_ERR_FAIL, Code::RuntimeBadInput,
          fmt::format(
              "rknn_set_input_shapes error, input name = {} input supported input shapes are as "
              "follows:\n shape = {}, layout = {}\nwhile get rknn_tensor_attr[{}].name = {}, dims = {}, fmt = {}",
              own.name, to_string(known), get_format_string(own.fmt), i, own.name, to_string(given),
              get_format_string(attr[i].fmt)));
    }
  });
}

int rknn_set_input_shape(rknn_context context, rknn_tensor_attr* attr) {
  return rknn_set_input_shapes(context, 1, attr);
}
