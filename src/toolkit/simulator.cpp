#include "toolkit/simulator.h"

#include <fmt/format.h>

#include <limits>

#include "runtime/session/model_context.h"

namespace openrknn {
namespace {

struct TypePair {
  DType dtype;
  rknn_tensor_type type;
};
constexpr TypePair kTypes[] = {
    {DType::Float32, RKNN_TENSOR_FLOAT32}, {DType::Float16, RKNN_TENSOR_FLOAT16}, {DType::Int8, RKNN_TENSOR_INT8},
    {DType::UInt8, RKNN_TENSOR_UINT8},     {DType::Int16, RKNN_TENSOR_INT16},     {DType::UInt16, RKNN_TENSOR_UINT16},
    {DType::Int32, RKNN_TENSOR_INT32},     {DType::UInt32, RKNN_TENSOR_UINT32},   {DType::Int64, RKNN_TENSOR_INT64},
    {DType::Bool, RKNN_TENSOR_BOOL},
};

// The C API has fewer types than numpy: the others go by value in the nearest one that holds them.
Tensor as_runtime_type(const Tensor& tensor) {
  for (const TypePair& pair : kTypes) {
    if (pair.dtype == tensor.dtype()) return tensor;
  }
  return cast(tensor, tensor.dtype() == DType::UInt64 ? DType::Int64 : DType::Float32);
}

rknn_tensor_type runtime_type(DType dtype) {
  for (const TypePair& pair : kTypes) {
    if (pair.dtype == dtype) return pair.type;
  }
  fail(Code::RuntimeBadInput, fmt::format("the runtime takes no {} arrays", name(dtype)));
}

// Whole numbers stay what they are; codes and halves come as float32.
DType output_dtype(const rknn_tensor_attr& attr) {
  if (attr.qnt_type == RKNN_TENSOR_QNT_NONE || attr.type == RKNN_TENSOR_INT64 || attr.type == RKNN_TENSOR_INT32 ||
      attr.type == RKNN_TENSOR_BOOL) {
    for (const TypePair& pair : kTypes) {
      if (pair.type == attr.type && !is_floating(pair.dtype)) return pair.dtype;
    }
  }
  return DType::Float32;
}

uint32_t checked_size(size_t bytes) {
  if (bytes > std::numeric_limits<uint32_t>::max())
    fail(Code::RuntimeBadInput, fmt::format("{} bytes are more than the C API can say (4 GiB)", bytes));
  return static_cast<uint32_t>(bytes);
}

}  // namespace

struct Simulator::State {
  std::string file;
  session::ModelContext context;
  std::vector<rknn_tensor_attr> inputs, outputs;

  explicit State(std::string bytes)
      : file(std::move(bytes)),
        context(session::open_runtime(""), {.path = "", .bytes = std::as_bytes(std::span(file.data(), file.size()))}),
        inputs(context.attributes(true)),
        outputs(context.attributes(false)) {
    file = {};  // the runtime made its own copy
  }
};

Simulator::Simulator(const std::string& file, int) : state_(std::make_unique<State>(file)) {}
Simulator::~Simulator() = default;

std::vector<Tensor> Simulator::run(const std::vector<SimulatorInput>& arrays) {
  if (arrays.size() != state_->inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", arrays.size(), state_->inputs.size()));
  }
  std::vector<Tensor> held;  // conversions live until the runtime has copied them
  std::vector<rknn_input> inputs;
  for (size_t i = 0; i < arrays.size(); ++i) {
    held.push_back(as_runtime_type(arrays[i].array));
    const Tensor& array = held.back();
    const bool image = array.rank() == 4;
    inputs.push_back({.index = static_cast<uint32_t>(i),
                      .buf = const_cast<std::byte*>(array.bytes().data()),
                      .size = checked_size(array.bytes().size()),
                      .pass_through = arrays[i].pass_through,
                      .type = runtime_type(array.dtype()),
                      .fmt = image && arrays[i].layout == PortLayout::Nhwc ? RKNN_TENSOR_NHWC
                             : image                                       ? RKNN_TENSOR_NCHW
                                                                           : RKNN_TENSOR_UNDEFINED});
  }
  std::vector<Tensor> results;
  std::vector<rknn_output> outputs;
  for (size_t i = 0; i < state_->outputs.size(); ++i) {
    const rknn_tensor_attr& attr = state_->outputs[i];
    const DType dtype = output_dtype(attr);
    results.emplace_back(dtype, Shape(attr.dims, attr.dims + attr.n_dims));
    const std::span<std::byte> bytes = results.back().mutable_bytes();
    outputs.push_back({.want_float = dtype == DType::Float32,
                       .is_prealloc = 1,
                       .index = static_cast<uint32_t>(i),
                       .buf = bytes.data(),
                       .size = checked_size(bytes.size())});
  }
  try {
    state_->context.set_inputs(inputs);
    state_->context.run();
    state_->context.get_outputs(outputs);
  } catch (const SessionError& error) {
    fail(Code::RuntimeCallFailed, error.what());
  }
  return results;
}

}  // namespace openrknn
