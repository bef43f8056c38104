// Contexts, what they answer, and the cores they run on.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "call.h"
#include "rknn_custom_op.h"

namespace openrknn::stub {
namespace {

std::string model_text(const void* model, uint32_t size) {
  if (size > 0) return {static_cast<const char*>(model), size};
  std::ifstream file(static_cast<const char*>(model), std::ios::binary);
  if (!file) throw std::invalid_argument("no such file: " + std::string(static_cast<const char*>(model)));
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
int answer(void* info, uint32_t size, const T& value) {
  if (info == nullptr || size < sizeof(T)) return RKNN_ERR_PARAM_INVALID;
  std::memcpy(info, &value, sizeof(T));
  return RKNN_SUCC;
}

template <class Choose>
int answer_attr(void* info, uint32_t size, size_t count, const Choose& choose) {
  if (info == nullptr || size < sizeof(rknn_tensor_attr)) return RKNN_ERR_PARAM_INVALID;
  const uint32_t index = static_cast<const rknn_tensor_attr*>(info)->index;
  if (index >= count) return RKNN_ERR_PARAM_INVALID;
  return answer(info, size, choose(index));
}

/// As the logical attribute, channels last.
rknn_tensor_attr nhwc(rknn_tensor_attr attr) {
  if (attr.n_dims != 4 || attr.fmt != RKNN_TENSOR_NCHW) return attr;
  const uint32_t* const d = attr.dims;
  const Dims dims = {d[0], d[2], d[3], d[1]};
  attr.fmt = RKNN_TENSOR_NHWC;
  set_dims(attr, dims);
  return attr;
}

int answer_range(const Context& context, void* info, uint32_t size) {
  if (!context.model->dynamic()) return RKNN_ERR_MODEL_INVALID;
  if (info == nullptr || size < sizeof(rknn_input_range)) return RKNN_ERR_PARAM_INVALID;
  auto& range = *static_cast<rknn_input_range*>(info);
  if (range.index >= context.inputs.size()) return RKNN_ERR_PARAM_INVALID;
  const TextModel::Tensor& tensor = context.model->inputs[range.index];
  const size_t groups = context.model->groups();
  std::memset(range.dyn_range, 0, sizeof range.dyn_range);
  std::memcpy(range.name, tensor.attr.name, sizeof range.name);
  range.fmt = tensor.attr.fmt;
  range.n_dims = tensor.attr.n_dims;
  range.shape_number = static_cast<uint32_t>(groups);
  for (size_t group = 0; group < groups; ++group) {
    if (tensor.groups.empty()) {
      std::copy_n(tensor.attr.dims, tensor.attr.n_dims, range.dyn_range[group]);
    } else {
      std::copy(tensor.groups[group].begin(), tensor.groups[group].end(), range.dyn_range[group]);
    }
  }
  return RKNN_SUCC;
}

int answer_version(const TextModel& model, void* info, uint32_t size) {
  rknn_sdk_version version{};
  model.version.copy(version.api_version, sizeof version.api_version - 1);
  model.driver.copy(version.drv_version, sizeof version.drv_version - 1);
  return answer(info, size, version);
}

int query(const Context& context, int command, void* info, uint32_t size) {
  const TextModel& model = *context.model;
  const auto& in = context.inputs;
  const auto& out = context.outputs;
  const auto native_in = [&](uint32_t i) { return model.inputs[i].native; };
  const auto native_out = [&](uint32_t i) { return model.outputs[i].native; };
  switch (command) {
    case RKNN_QUERY_IN_OUT_NUM:
      return answer(info, size,
                    rknn_input_output_num{static_cast<uint32_t>(in.size()), static_cast<uint32_t>(out.size())});
    case RKNN_QUERY_INPUT_ATTR:
      return answer_attr(info, size, in.size(), [&](uint32_t i) { return model.inputs[i].attr; });
    case RKNN_QUERY_OUTPUT_ATTR:
      return answer_attr(info, size, out.size(), [&](uint32_t i) { return model.outputs[i].attr; });
    case RKNN_QUERY_PERF_RUN:
      return answer(info, size, rknn_perf_run{context.last_run_us});
    case RKNN_QUERY_SDK_VERSION:
      return answer_version(model, info, size);
    case RKNN_QUERY_MEM_SIZE: {
      rknn_mem_size sizes{};
      sizes.total_weight_size = model.weight_bytes;
      sizes.total_internal_size = model.internal_bytes;
      return answer(info, size, sizes);
    }
    case RKNN_QUERY_CUSTOM_STRING: {
      rknn_custom_string text{};
      model.custom_string.copy(text.string, sizeof text.string - 1);
      return answer(info, size, text);
    }
    case RKNN_QUERY_NATIVE_INPUT_ATTR:
      return answer_attr(info, size, in.size(), native_in);
    case RKNN_QUERY_NATIVE_OUTPUT_ATTR:
      return answer_attr(info, size, out.size(), native_out);
    case RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR:
      return answer_attr(info, size, in.size(), [&](uint32_t i) { return nhwc(model.inputs[i].attr); });
    case RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR:
      return answer_attr(info, size, out.size(), [&](uint32_t i) { return nhwc(model.outputs[i].attr); });
    case RKNN_QUERY_INPUT_DYNAMIC_RANGE:
      return answer_range(context, info, size);
    case RKNN_QUERY_CURRENT_INPUT_ATTR:
      if (!model.dynamic()) return RKNN_ERR_MODEL_INVALID;
      return answer_attr(info, size, in.size(), [&](uint32_t i) { return in[i]; });
    case RKNN_QUERY_CURRENT_OUTPUT_ATTR:
      if (!model.dynamic()) return RKNN_ERR_MODEL_INVALID;
      return answer_attr(info, size, out.size(), [&](uint32_t i) { return out[i]; });
    case RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR:
      if (!model.dynamic()) return RKNN_ERR_MODEL_INVALID;
      return answer_attr(info, size, in.size(), [&](uint32_t i) { return in[i]; });
    case RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR:
      if (!model.dynamic()) return RKNN_ERR_MODEL_INVALID;
      return answer_attr(info, size, out.size(), [&](uint32_t i) { return out[i]; });
    default:
      return RKNN_ERR_PARAM_INVALID;
  }
}

bool same_dims(const rknn_tensor_attr& attr, const Dims& dims) {
  return attr.n_dims == dims.size() && std::equal(dims.begin(), dims.end(), attr.dims);
}

Dims dims_of(const TextModel::Tensor& tensor, size_t group) {
  if (!tensor.groups.empty()) return tensor.groups[group];
  return {tensor.attr.dims, tensor.attr.dims + tensor.attr.n_dims};
}

/// The group in which every input has the shape `wanted` gives it.
int set_shapes(Context& context, uint32_t count, const rknn_tensor_attr* wanted) {
  const TextModel& model = *context.model;
  if (wanted == nullptr || count != model.inputs.size()) return RKNN_ERR_PARAM_INVALID;
  const size_t groups = std::max<size_t>(model.groups(), 1);
  for (size_t group = 0; group < groups; ++group) {
    const bool fits = std::all_of(wanted, wanted + count, [&](const rknn_tensor_attr& attr) {
      return attr.index < count && same_dims(attr, dims_of(model.inputs[attr.index], group));
    });
    if (!fits) continue;
    for (size_t i = 0; i < model.inputs.size(); ++i) set_dims(context.inputs[i], dims_of(model.inputs[i], group));
    for (size_t i = 0; i < model.outputs.size(); ++i) set_dims(context.outputs[i], dims_of(model.outputs[i], group));
    for (Given& given : context.given) given.set = false;
    return RKNN_SUCC;
  }
  return RKNN_ERR_FAIL;
}

int core_mask_code(const TextModel& model, uint32_t mask) {
  if (model.cores == 1) return RKNN_ERR_TARGET_PLATFORM_UNMATCH;
  if (mask == RKNN_NPU_CORE_ALL) return RKNN_SUCC;
  return mask >> model.cores != 0 ? RKNN_ERR_FAIL : RKNN_SUCC;
}

}  // namespace
}  // namespace openrknn::stub

using namespace openrknn::stub;

STUB_EXPORT int rknn_init(rknn_context* context, void* model, uint32_t size, uint32_t flag, rknn_init_extend*) {
  Call call(Api::Init);
  call.set_argument(flag);
  if (context == nullptr || model == nullptr) return call.finish(RKNN_ERR_PARAM_INVALID);
  *context = 0;
  if (call.code() != RKNN_SUCC) return call.code();
  try {
    *context = registry().add(parse_model(model_text(model, size)), 0)->handle;
  } catch (const std::invalid_argument& error) {
    control().set_error(error.what());
    return call.finish(RKNN_ERR_MODEL_INVALID);
  }
  call.set_handle(*context);
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT int rknn_dup_context(rknn_context* in, rknn_context* out) {
  Call call(Api::DupContext, in == nullptr ? 0 : *in);
  if (out == nullptr) return call.finish(RKNN_ERR_PARAM_INVALID);
  *out = 0;
  if (call.code() != RKNN_SUCC) return call.code();
  if (!call.context().model->may_dup || call.context().model->dynamic()) return call.finish(RKNN_ERR_FAIL);
  *out = registry().add(call.context().model, call.context().handle)->handle;
  call.set_argument(*out);
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT int rknn_destroy(rknn_context context) {
  Call call(Api::Destroy, context);
  if (call.code() == RKNN_ERR_CTX_INVALID) return call.code();
  bool early = false;
  if (!registry().remove(context, early)) return call.finish(RKNN_ERR_CTX_INVALID);  // another thread was first
  if (early) ++control().counters.originals_destroyed_first;
  return call.code();
}

STUB_EXPORT int rknn_query(rknn_context context, rknn_query_cmd command, void* info, uint32_t size) {
  Call call(Api::Query, context);
  uint32_t number = 0;  // need not be an enumerator
  std::memcpy(&number, &command, sizeof number);
  call.set_argument(number);
  if (call.code() != RKNN_SUCC) return call.code();
  const std::scoped_lock lock(call.context().data);
  return call.finish(query(call.context(), static_cast<int>(number), info, size));
}

STUB_EXPORT int rknn_set_input_shapes(rknn_context context, uint32_t count, rknn_tensor_attr attrs[]) {
  Call call(Api::SetInputShapes, context);
  if (call.code() != RKNN_SUCC) return call.code();
  const std::scoped_lock lock(call.context().data);
  return call.finish(set_shapes(call.context(), count, attrs));
}

STUB_EXPORT int rknn_set_core_mask(rknn_context context, rknn_core_mask mask) {
  Call call(Api::SetCoreMask, context);
  uint32_t bits = 0;  // need not be an enumerator
  std::memcpy(&bits, &mask, sizeof bits);
  call.set_argument(bits);
  if (call.code() != RKNN_SUCC) return call.code();
  const int code = core_mask_code(*call.context().model, bits);
  if (code != RKNN_SUCC) return call.finish(code);
  const uint32_t all = (1u << call.context().model->cores) - 1;
  const std::scoped_lock lock(call.context().data);
  call.context().core_mask = bits == RKNN_NPU_CORE_ALL ? all : bits;
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT int rknn_set_batch_core_num(rknn_context context, int core_num) {
  Call call(Api::SetBatchCoreNum, context);
  call.set_argument(static_cast<uint64_t>(core_num));
  if (call.code() != RKNN_SUCC) return call.code();
  const bool fits = core_num >= 1 && core_num <= call.context().model->cores;
  return call.finish(fits ? RKNN_SUCC : RKNN_ERR_FAIL);
}

STUB_EXPORT int rknn_register_custom_ops(rknn_context context, rknn_custom_op* op, uint32_t count) {
  Call call(Api::RegisterCustomOps, context);
  call.set_argument(count);
  if (call.code() != RKNN_SUCC) return call.code();
  if (op == nullptr || count == 0) return call.finish(RKNN_ERR_PARAM_INVALID);
  control().counters.custom_ops += count;
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT void rknn_custom_op_get_op_attr(rknn_custom_op_context*, const char*, rknn_custom_op_attr* attr) {
  const Call call(Api::CustomOpGetOpAttr);
  if (attr != nullptr) *attr = {};  // the stub's models have no nodes
}
