#include "runtime/capi/custom_op_binding.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base/log.h"
#include "runtime/capi/attributes.h"
#include "runtime/capi/custom_op_attributes.h"
#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

using Callback = int (*)(rknn_custom_op_context*, rknn_custom_op_tensor*, uint32_t, rknn_custom_op_tensor*, uint32_t);

/// What is kept of an rknn_custom_op: the program's may be gone after the call.
struct Callbacks {
  std::string type;
  Callback init, prepare, compute;
  int (*destroy)(rknn_custom_op_context*);
};

/// Logical order, plain numbers: what common_attr() says of a tensor without quantization.
rknn_custom_op_tensor shown_tensor(const CustomTensor& tensor, size_t index) {
  rknn_custom_op_tensor shown{};
  shown.attr.index = static_cast<uint32_t>(index);
  shown.attr.fmt = RKNN_TENSOR_UNDEFINED;
  shown.mem.fd = -1;
  if (!tensor.memory) return shown;  // left out: no dimensions, no memory
  tensor.name.copy(shown.attr.name, RKNN_MAX_NAME_LEN - 1);
  shown.attr.n_dims = static_cast<uint32_t>(tensor.shape.size());
  for (size_t d = 0; d < tensor.shape.size(); ++d) shown.attr.dims[d] = static_cast<uint32_t>(tensor.shape[d]);
  shown.attr.n_elems = static_cast<uint32_t>(element_count(tensor.shape));
  shown.attr.size = shown.attr.size_with_stride = static_cast<uint32_t>(tensor.memory->size());
  if (tensor.shape.size() == 4) shown.attr.fmt = RKNN_TENSOR_NCHW;
  shown.attr.type = *tensor_type(tensor.dtype);
  shown.attr.qnt_type = RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC;
  shown.attr.scale = 1.0f;
  shown.mem.virt_addr = tensor.memory->data();
  shown.mem.phys_addr = tensor.memory->device_address();
  shown.mem.fd = tensor.memory->fd();
  shown.mem.size = static_cast<uint32_t>(tensor.memory->size());
  shown.mem.flags = RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE;
  return shown;
}

void require_expressible_site(const CustomSite& site) {
  for (const std::vector<CustomTensor>* list : {&site.inputs, &site.outputs}) {
    for (const CustomTensor& tensor : *list) {
      if (!tensor.memory) continue;
      const bool fits = tensor.shape.size() <= RKNN_MAX_DIMS && tensor.memory->size() <= INT32_MAX;
      if (tensor_type(tensor.dtype) && fits) continue;
      fail(Code::NotBuilt, Location{.file = {}, .node = site.node, .tensor = tensor.name},
           fmt::format("the RKNN C API cannot show {} {} to custom code", numpy_name(tensor.dtype),
                       to_string(tensor.shape)));
    }
  }
}

class Instance : public CustomInstance {
 public:
  Instance(Callbacks callbacks, const CustomSite& site, const ContextState& state)
      : callbacks_(std::move(callbacks)), site_(site), state_(state) {
    require_expressible_site(site);
    context_.target = RKNN_TARGET_TYPE_CPU;
    context_.internal_ctx = op_attribute_table().add(std::make_shared<const OpAttributes>(site));
  }

  ~Instance() override {
    if (initialized_ && callbacks_.destroy != nullptr) {
      try {
        const CallbackScope scope(state_);
        const int code = callbacks_.destroy(&context_);
        if (code != 0) log(LogLevel::Warning, "", fmt::format("destroy of {} returned {}", where(), code));
      } catch (...) {
        log(LogLevel::Error, "", fmt::format("destroy of {} threw an exception", where()));
      }
    }
    op_attribute_table().remove(context_.internal_ctx);
  }

  /// False if the operator leaves the node alone.
  bool init() {
    const int code = callbacks_.init != nullptr ? call(callbacks_.init, "init") : 0;
    if (code == RKNN_WARNING_SKIP_CUSTOM_OP_COMPUTE) return false;
    require_success(code, "init");
    initialized_ = true;
    return true;
  }

  void compute() override {
    if (callbacks_.prepare != nullptr) require_success(call(callbacks_.prepare, "prepare"), "prepare");
    require_success(call(callbacks_.compute, "compute"), "compute");
  }

 private:
  std::string where() const { return fmt::format("the custom operator {} (node '{}')", callbacks_.type, site_.node); }

  /// Every call gets tensors of its own: a callback may write into them.
  int call(Callback callback, const char* name) {
    std::vector<rknn_custom_op_tensor> inputs, outputs;
    for (size_t i = 0; i < site_.inputs.size(); ++i) inputs.push_back(shown_tensor(site_.inputs[i], i));
    for (size_t i = 0; i < site_.outputs.size(); ++i) outputs.push_back(shown_tensor(site_.outputs[i], i));
    const CallbackScope scope(state_);
    std::string what = "an exception";
    try {
      return callback(&context_, inputs.data(), static_cast<uint32_t>(inputs.size()), outputs.data(),
                      static_cast<uint32_t>(outputs.size()));
    } catch (const std::exception& error) {
      what = fmt::format("an exception: {}", error.what());
    } catch (...) {
    }
    throw ApiError(RKNN_ERR_FAIL, Code::RuntimeCallFailed, fmt::format("{} of {} threw {}", name, where(), what));
  }

  void require_success(int code, const char* name) const {
    if (code == 0) return;
    throw ApiError(RKNN_ERR_FAIL, Code::RuntimeCallFailed, fmt::format("{} of {} returned {}", name, where(), code));
  }

  const Callbacks callbacks_;
  const CustomSite& site_;
  const ContextState& state_;
  rknn_custom_op_context context_{};
  bool initialized_ = false;
};

/// A C program may leave any int here: looked at as bytes.
uint32_t target_of(const rknn_custom_op& op) {
  uint32_t target = 0;
  static_assert(sizeof op.target == sizeof target);
  std::memcpy(&target, &op.target, sizeof target);
  return target;
}

}  // namespace

CustomOperator make_operator(const rknn_custom_op& op, const ContextState& state) {
  const size_t length = strnlen(op.op_type, RKNN_MAX_NAME_LEN);
  if (length == 0 || length == RKNN_MAX_NAME_LEN) {
    fail(Code::RuntimeBadArgument,
         fmt::format("op_type has {} bytes, expected 1 to {} and a NUL", length, RKNN_MAX_NAME_LEN - 1));
  }
  Callbacks callbacks{std::string(op.op_type, length), op.init, op.prepare, op.compute, op.destroy};
  const uint32_t target = target_of(op);
  if (target == RKNN_TARGET_TYPE_GPU) {
    refuse_unbuilt(fmt::format("RKNN_TARGET_TYPE_GPU, which the custom operator {} asks for,", callbacks.type));
  }
  if (target != RKNN_TARGET_TYPE_CPU) {
    fail(Code::RuntimeBadArgument, fmt::format("the custom operator {} has target {}, expected RKNN_TARGET_TYPE_CPU",
                                               callbacks.type, static_cast<int32_t>(target)));
  }
  if (op.compute == nullptr) {
    fail(Code::RuntimeBadArgument, fmt::format("the custom operator {} has no compute callback", callbacks.type));
  }
  const std::string type = callbacks.type;
  return {type, [callbacks = std::move(callbacks), &state](const CustomSite& site) -> std::unique_ptr<CustomInstance> {
            auto instance = std::make_unique<Instance>(callbacks, site, state);
            if (!instance->init()) return nullptr;
            return instance;
          }};
}

}  // namespace openrknn::capi
