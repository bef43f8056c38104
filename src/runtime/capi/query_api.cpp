// rknn_query: one row a command.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/log.h"
#include "runtime/capi/attributes.h"
#include "runtime/capi/extension.h"
#include "runtime/capi/external_memory.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/perf_detail.h"
#include "runtime/capi/runtime_version.h"
#include "runtime/capi/shapes.h"

namespace openrknn::capi {
namespace {

template <size_t N>
void copy_text(std::string_view text, char (&out)[N]) {
  std::memset(out, 0, N);
  text.copy(out, N - 1);
}

void query_counts(ContextState& state, void* info) {
  *static_cast<rknn_input_output_num*>(info) = {static_cast<uint32_t>(count(*state.context, Side::Input)),
                                                static_cast<uint32_t>(count(*state.context, Side::Output))};
}

template <Side side, rknn_tensor_attr (*attr_of)(const Context&, Side, size_t)>
void query_attr(ContextState& state, void* info) {
  auto& attr = *static_cast<rknn_tensor_attr*>(info);
  const size_t available = count(*state.context, side);
  if (attr.index >= available) {
    fail(Code::RuntimeBadArgument, fmt::format("there is no {} {}, the model has {}",
                                               side == Side::Input ? "input" : "output", attr.index, available));
  }
  attr = attr_of(*state.context, side, attr.index);
}

void query_perf_detail(ContextState& state, void* info) {
  if ((state.flags & RKNN_FLAG_COLLECT_PERF_MASK) == 0 || state.context->profile().empty()) {
    fail(Code::RuntimeBadArgument, "there are no times: initialise with RKNN_FLAG_COLLECT_PERF_MASK and run first");
  }
  state.perf_text = perf_detail(*state.context);
  *static_cast<rknn_perf_detail*>(info) = {state.perf_text.data(), state.perf_text.size()};
}

void query_perf_run(ContextState& state, void* info) {
  if (state.context->runs() == 0) fail(Code::RuntimeBadArgument, "there is no time: the model has not run");
  static_cast<rknn_perf_run*>(info)->run_duration = state.context->last_run_microseconds();
}

void query_version(ContextState& state, void* info) {
  auto& version = *static_cast<rknn_sdk_version*>(info);
  copy_text(api_version(), version.api_version);
  copy_text(state.context->device().driver_version(), version.drv_version);
}

void query_memory(ContextState& state, void* info) {
  const Context& context = *state.context;
  const auto clamped = [](int64_t bytes) { return static_cast<uint32_t>(std::clamp<int64_t>(bytes, 1, UINT32_MAX)); };
  int64_t ports = 0;
  for (const Side side : {Side::Input, Side::Output}) {
    for (size_t i = 0; i < count(context, side); ++i) ports += native_attr(context, side, i).size_with_stride;
  }
  rknn_mem_size sizes{};
  const int64_t weights = context.loaded()->weight_bytes(), internal = context.internal_bytes();
  sizes.total_weight_size = clamped(weights);
  sizes.total_internal_size = clamped(internal);
  sizes.total_dma_allocated_size = static_cast<uint64_t>(weights + internal + ports);
  *static_cast<rknn_mem_size*>(info) = sizes;
}

void query_custom_string(ContextState& state, void* info) {
  copy_text(state.context->model().custom_string, static_cast<rknn_custom_string*>(info)->string);
}

void query_device_memory(ContextState& state, void* info) {
  *static_cast<rknn_tensor_mem*>(info) = device_memory(state);
}

void query_range(ContextState& state, void* info) {
  query_dynamic_range(*state.context, *static_cast<rknn_input_range*>(info));
}

template <Side side, rknn_tensor_attr (*attr_of)(const Context&, Side, size_t)>
void query_current(ContextState& state, void* info) {
  if (!state.context->loaded()->is_dynamic()) {
    throw ApiError(RKNN_ERR_MODEL_INVALID, Code::RuntimeBadArgument,
                   "rknn_query, the current attributes exist for models with dynamic shapes only, this one is static");
  }
  query_attr<side, attr_of>(state, info);
}

struct Query {
  const char* type;
  size_t size;
  void (*answer)(ContextState&, void*);
  bool with_model_info_only = false;
};
template <class T>
constexpr Query query(const char* type, void (*answer)(ContextState&, void*), bool with_model_info_only = false) {
  return {type, sizeof(T), answer, with_model_info_only};
}
constexpr const char* kAttr = "rknn_tensor_attr";

// By rknn_query_cmd.
constexpr std::array kQueries = {
    query<rknn_input_output_num>("rknn_input_output_num", query_counts),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Input, largest_attr>),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Output, largest_attr>),
    query<rknn_perf_detail>("rknn_perf_detail", query_perf_detail),
    query<rknn_perf_run>("rknn_perf_run", query_perf_run),
    query<rknn_sdk_version>("rknn_sdk_version", query_version),
    query<rknn_mem_size>("rknn_mem_size", query_memory, true),
    query<rknn_custom_string>("rknn_custom_string", query_custom_string),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Input, native_attr>),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Output, native_attr>),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Input, native_nhwc_attr>),
    query<rknn_tensor_attr>(kAttr, query_attr<Side::Output, native_nhwc_attr>),
    query<rknn_tensor_mem>("rknn_tensor_mem", query_device_memory),
    query<rknn_input_range>("rknn_input_range", query_range),
    query<rknn_tensor_attr>(kAttr, query_current<Side::Input, logical_attr>),
    query<rknn_tensor_attr>(kAttr, query_current<Side::Output, logical_attr>),
    query<rknn_tensor_attr>(kAttr, query_current<Side::Input, native_attr>),
    query<rknn_tensor_attr>(kAttr, query_current<Side::Output, native_attr>),
};
static_assert(kQueries.size() == RKNN_QUERY_CMD_MAX);

const Query& find_query(uint32_t cmd, const void* info, uint32_t size) {
  if (cmd >= kQueries.size()) {
    throw ApiError(
        RKNN_ERR_PARAM_INVALID, Code::RuntimeBadArgument,
        fmt::format("rknn_query, cmd = {} is not in [0, {}]!", static_cast<int32_t>(cmd), kQueries.size() - 1));
  }
  require_pointer(info, "info");
  const Query& query = kQueries[cmd];
  if (size < query.size) {
    throw ApiError(RKNN_ERR_PARAM_INVALID, Code::RuntimeBadArgument,
                   fmt::format("rknn_query, info_len({}) < sizeof({})({})!", size, query.type, query.size));
  }
  return query;
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_query(rknn_context context, rknn_query_cmd cmd, void* info, uint32_t size) {
  const auto number = static_cast<uint32_t>(cmd);
  if (number == RKNN_QUERY_OPENRKNN) return guard("rknn_query", [&] { query_extension(info, size); });
  // A program whose rknn_init failed may still want to know whom it is talking to.
  if (context == 0 && cmd == RKNN_QUERY_SDK_VERSION) {
    return guard("rknn_query", [&] {
      find_query(number, info, size);
      copy_text(api_version(), static_cast<rknn_sdk_version*>(info)->api_version);
      copy_text("none (no context)", static_cast<rknn_sdk_version*>(info)->drv_version);
    });
  }
  return with_context("rknn_query", context, [&](ContextState& state) {
    const Query& query = find_query(number, info, size);
    if ((state.flags & RKNN_FLAG_COLLECT_MODEL_INFO_ONLY) != 0 && !query.with_model_info_only) {
      fail(Code::RuntimeBadArgument,
           "the context was made with RKNN_FLAG_COLLECT_MODEL_INFO_ONLY and answers RKNN_QUERY_MEM_SIZE only");
    }
    query.answer(state, info);
  });
}
