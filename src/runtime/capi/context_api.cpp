// The life of a context: init, dup, destroy, and which cores it uses.
#include <fmt/format.h>

#include <bit>

#include <array>

#include "core/base/log.h"
#include "runtime/capi/attributes.h"
#include "runtime/capi/environment.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/layer_log.h"
#include "runtime/capi/logging.h"
#include "runtime/capi/model_key_file.h"
#include "runtime/capi/runtime_version.h"
#include "runtime/engine/model_file.h"

namespace openrknn::capi {
namespace {

constexpr uint32_t kKnownFlags = 0x1ffff;

void check_flags(uint32_t flags) {
  if ((flags & ~kKnownFlags) != 0) {
    fail(Code::RuntimeBadArgument, fmt::format("flag {:#x} has unknown bits {:#x}", flags, flags & ~kKnownFlags));
  }
  // Priorities, SRAM, caches and the GPU are hints; these two would be promises.
  for (const auto& [flag, name] : {std::pair{RKNN_FLAG_FENCE_IN_OUTSIDE, "RKNN_FLAG_FENCE_IN_OUTSIDE"},
                                   std::pair{RKNN_FLAG_FENCE_OUT_OUTSIDE, "RKNN_FLAG_FENCE_OUT_OUTSIDE"}}) {
    if ((flags & flag) == 0) continue;
    fail(Code::NotBuilt, fmt::format("{}: the simulator has no fences, they belong to a driver's queue", name),
         "use non_block and rknn_wait");
  }
  if ((flags & RKNN_FLAG_SHARE_SRAM) != 0 && (flags & RKNN_FLAG_ENABLE_SRAM) == 0) {
    fail(Code::RuntimeBadArgument, "RKNN_FLAG_SHARE_SRAM needs RKNN_FLAG_ENABLE_SRAM");
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

std::shared_ptr<const MappedFile> open_model(void* model, uint32_t size, uint32_t flags,
                                             const rknn_init_extend* extend) {
  require_pointer(model, "model");
  if (size == 0) {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(static_cast<const char*>(model));
    const std::span<const std::byte> part = model_part(file->bytes(), extend);
    return usable_file({.bytes = part, .name = file->name(), .owner = file}, model_key_file());
  }
  const std::span<const std::byte> whole{static_cast<const std::byte*>(model), size};
  const bool borrows = (flags & RKNN_FLAG_MODEL_BUFFER_ZERO_COPY) != 0;
  const std::span<const std::byte> bytes = borrows ? model_part(whole, extend) : whole;
  return usable_file({.bytes = bytes, .name = "model in memory", .owner = nullptr, .may_be_kept = borrows},
                     model_key_file());
}

void log_model(const Context& context) {
  const Model& model = context.model();
  log(LogLevel::Info, "", fmt::format("RKNN Runtime Information, {}", version_line()));
  log(LogLevel::Info, "", fmt::format("RKNN Driver Information, version: {}", context.device().driver_version()));
  log(LogLevel::Info, "",
      fmt::format("RKNN Model Information, version: 6, toolkit version: {0}(compiler version: {0}), target: RKNPU v2, "
                  "target platform: {1}, framework name: {2}, framework layout: NCHW, model inference type: {3}",
                  model.tool_version, model.target, model.source_framework,
                  context.loaded()->is_dynamic() ? "dynamic_shape" : "static_shape"));
}

/// The model whose weights are to be shared; none without RKNN_FLAG_SHARE_WEIGHT_MEM.
std::shared_ptr<LoadedModel> master_model(uint32_t flags, const rknn_init_extend* extend) {
  if ((flags & RKNN_FLAG_SHARE_WEIGHT_MEM) == 0) return nullptr;
  if (extend == nullptr) {
    fail(Code::RuntimeBadArgument, "extend is NULL, RKNN_FLAG_SHARE_WEIGHT_MEM needs extend->ctx");
  }
  return library().find(extend->ctx)->context->loaded();  // never changes: needs no lock
}

std::unique_ptr<Context> make_context(std::shared_ptr<const MappedFile> file,
                                      const std::shared_ptr<LoadedModel>& master) {
  std::shared_ptr<LoadedModel> model = LoadedModel::load(std::move(file), master);
  if (master && (model->is_dynamic() || master->is_dynamic())) {
    throw ApiError(RKNN_ERR_FAIL, Code::NotBuilt,
                   "models with dynamic shapes do not share weights: they have several shapes already");
  }
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
  if (context.model().single_core && std::popcount(static_cast<uint32_t>(mask)) > 1) {
    throw ApiError(RKNN_ERR_FAIL, Code::RuntimeBadArgument,
                   fmt::format("rknn_set_core_mask: mask {} names several cores, the model was built with "
                               "single_core_mode",
                               static_cast<int>(mask)),
                   "name one core, or build the model without single_core_mode");
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
    Environment environment = read_environment();
    const std::shared_ptr<LoadedModel> master = master_model(flag, extend);
    // For that flag programs set extend->ctx alone and leave the rest as it was.
    if (master) extend = nullptr;
    auto made = make_context(open_model(model, size, flag, extend), master);
    auto state = std::make_shared<ContextState>(std::move(made), flag, std::move(environment));
    log_model(*state->context);
    log_plan(*state);
    *context = library().add(std::move(state));
  });
}

int rknn_dup_context(rknn_context* context_in, rknn_context* context_out) {
  return guard("rknn_dup_context", [&] {
    require_pointer(context_in, "context_in");
    require_pointer(context_out, "context_out");
    const std::shared_ptr<ContextState> source = library().find(*context_in);
    require_no_callback(*source);
    const std::lock_guard lock(source->mutex);
    if (source->context->loaded()->is_dynamic()) {
      throw ApiError(
          RKNN_ERR_FAIL, Code::NotBuilt,
          "rknn_dup_context, models with dynamic shapes cannot be duplicated, please initialise the model again");
    }
    *context_out =
        library().add(std::make_shared<ContextState>(source->context->duplicate(), source->flags, source->environment));
  });
}

int rknn_destroy(rknn_context context) {
  return guard("rknn_destroy", [&] {
    require_no_callback(*library().find(context));
    const std::shared_ptr<ContextState> state = library().remove(context);
    const std::lock_guard lock(state->mutex);  // a call on another thread ends first
    state->background.wait();
    state->context->release_custom_ops();  // their destroy callbacks run on this thread
  });
}

int rknn_set_core_mask(rknn_context context, rknn_core_mask core_mask) {
  return with_context("rknn_set_core_mask", context,
                      [&](ContextState& state) { set_core_mask(*state.context, core_mask); });
}

int rknn_set_batch_core_num(rknn_context context, int core_num) {
  return with_context("rknn_set_batch_core_num", context, [&](ContextState& state) {
    if (state.context->model().batch == 1) {
      fail(Code::RuntimeBadArgument,
           fmt::format("core number {} makes no sense: the model was not built with rknn_batch_size", core_num));
    }
    const Target& target = state.context->device().target();
    if (core_num < 1 || core_num > target.cores) {
      fail(Code::RuntimeBadArgument, fmt::format("core number {} is not in [1, {}], {} has no more", core_num,
                                                 target.cores, target.display_name));
    }
    state.context->set_batch_cores(core_num);
  });
}
