#include "toolkit/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "core/base/layout.h"
#include "core/graph/custom.h"
#include "runtime/session/door.h"
#include "runtime/session/element_types.h"
#include "runtime/session/model_context.h"

namespace openrknn {
namespace {

// The C API has fewer types than numpy: the others go by value in the nearest one that holds them.
Tensor as_runtime_type(const Tensor& tensor) {
  if (element_type_of(tensor.dtype())) return tensor;
  return cast(tensor, tensor.dtype() == DType::UInt64 ? DType::Int64 : DType::Float32);
}

rknn_tensor_type runtime_type(DType dtype) {
  if (const std::optional<ElementType> type = element_type_of(dtype)) return static_cast<rknn_tensor_type>(*type);
  fail(Code::RuntimeBadInput, fmt::format("the runtime takes no {} arrays", name(dtype)));
}

// Whole numbers stay what they are; codes and halves come as float32.
DType output_dtype(const rknn_tensor_attr& attr) {
  if (attr.qnt_type == RKNN_TENSOR_QNT_NONE || attr.type == RKNN_TENSOR_INT64 || attr.type == RKNN_TENSOR_INT32 ||
      attr.type == RKNN_TENSOR_BOOL) {
    if (const std::optional<DType> own = dtype_of(attr.type); own && !is_floating(*own)) return *own;
  }
  return DType::Float32;
}

// The shape an array of this layout must have for the attribute of an input.
Shape shape_for(const rknn_tensor_attr& attr, PortLayout layout) {
  const Shape queried(attr.dims, attr.dims + attr.n_dims);
  if (queried.size() != 4 || attr.fmt == RKNN_TENSOR_UNDEFINED) return queried;
  const bool queried_nhwc = attr.fmt == RKNN_TENSOR_NHWC, given_nhwc = layout == PortLayout::Nhwc;
  if (queried_nhwc == given_nhwc) return queried;
  return permute(queried, given_nhwc ? std::vector<int>{0, 2, 3, 1} : std::vector<int>{0, 3, 1, 2});
}

// The C API takes integers of a quantized model's own type for codes; here every array is given by value.
Tensor by_value(const Tensor& tensor, const rknn_tensor_attr& attr) {
  const bool taken_for_codes = !is_floating(tensor.dtype()) && bit_width(tensor.dtype()) <= 16 &&
                               tensor.dtype() != DType::Bool && runtime_type(tensor.dtype()) == attr.type;
  return taken_for_codes ? cast(tensor, DType::Float32) : tensor;
}

// What passes through goes in the NPU's own type and layout.
Tensor as_native(const SimulatorInput& given, const rknn_tensor_attr& native) {
  const DType own = dtype_of(native.type).value_or(DType::Float32);
  Tensor array = given.array;
  if (array.dtype() != own && !(is_floating(array.dtype()) && is_floating(own))) {
    fail(Code::RuntimeBadInput, Location{.tensor = native.name},
         fmt::format("passed through, this input takes {} elements, got {}", name(own), name(array.dtype())),
         "give the array in the model's own type, or do not pass it through");
  }
  if (array.dtype() != own) array = cast(array, own);
  if (array.rank() != 4 || native.fmt == RKNN_TENSOR_UNDEFINED) return array;
  const bool is_nhwc = given.layout == PortLayout::Nhwc;
  if (native.fmt == RKNN_TENSOR_NHWC) return is_nhwc ? array : transpose(array, {0, 2, 3, 1});
  const Tensor nchw = is_nhwc ? transpose(array, {0, 3, 1, 2}) : array;
  if (native.fmt != RKNN_TENSOR_NC1HWC2) return nchw;
  const Shape& shape = nchw.shape();
  Tensor cube(own, Shape(native.dims, native.dims + native.n_dims));
  const std::byte zero[8] = {};
  nchw_to_cube(nchw.bytes().data(), cube_layout(shape[0], shape[1], shape[2], shape[3], native.dims[1], native.dims[4]),
               bit_width(own) / 8, zero, cube.mutable_bytes().data());
  return cube;
}

uint32_t checked_size(size_t bytes) {
  if (bytes > std::numeric_limits<uint32_t>::max())
    fail(Code::RuntimeBadInput, fmt::format("{} bytes are more than the C API can say (4 GiB)", bytes));
  return static_cast<uint32_t>(bytes);
}

}  // namespace

/// The user's code for one operator type, behind the runtime's C callback.
struct RegisteredCode {
  CustomOperatorCode code;
  std::map<std::string, CustomNode> nodes;  // by name, with their attributes
  std::exception_ptr failure;               // what the code threw: it cannot pass the C API

  static int compute(void* user, const char* node, const openrknn_value* inputs, uint32_t n_inputs,
                     const openrknn_value* outputs, uint32_t n_outputs) noexcept {
    auto& self = *static_cast<RegisteredCode*>(user);
    try {
      std::vector<std::byte*> buffers;
      const auto add = [&](const openrknn_value* values, uint32_t count) {
        for (uint32_t i = 0; i < count; ++i) {
          buffers.push_back(static_cast<std::byte*>(const_cast<void*>(values[i].data)));
        }
      };
      add(inputs, n_inputs);
      add(outputs, n_outputs);
      compute_custom(self.code, self.nodes.at(node), buffers);
      return 0;
    } catch (...) {
      self.failure = std::current_exception();
      return -1;
    }
  }
};

struct Simulator::State {
  std::string file;
  std::vector<std::unique_ptr<RegisteredCode>> codes;  // outlive the context
  session::ModelContext context;
  std::vector<rknn_tensor_attr> inputs, outputs;          // of the shapes that are active
  std::vector<std::vector<rknn_tensor_attr>> shape_sets;  // the inputs of each; empty: the model has one

  std::vector<Port> ports;  // of the inputs

  State(std::string bytes, std::vector<Port> ports_of_inputs, size_t shape_set_count, const std::string& key_file)
      : file(std::move(bytes)),
        context(session::open_runtime(""),
                {.path = "", .bytes = std::as_bytes(std::span(file.data(), file.size())), .key_file = key_file}),
        inputs(context.attributes(true)),
        outputs(context.attributes(false)),
        ports(std::move(ports_of_inputs)) {
    file = {};  // the runtime made its own copy
    if (shape_set_count > 1) read_shape_sets();
  }

  void register_custom(std::vector<CustomOperatorCode> custom, const Graph& graph) {
    for (CustomOperatorCode& code : custom) {
      auto registered = std::make_unique<RegisteredCode>();
      for (const NodeId id : graph.order()) {
        if (custom_type(graph[id]) == code.type) registered->nodes.emplace(graph[id].name, custom_node(graph, id));
      }
      if (registered->nodes.empty() || !code.compute) continue;
      const std::string type = code.type;
      registered->code = std::move(code);
      codes.push_back(std::move(registered));
      const openrknn_functions* door = session::open_door(context.runtime(), context.handle());
      if (door == nullptr || door->version < 4) {
        fail(Code::RuntimeCallFailed, fmt::format("the runtime takes no code for the custom operator {}", type),
             "use the librknnrt.so of this version");
      }
      context.check(door->register_compute(context.handle(), type.c_str(), RegisteredCode::compute, codes.back().get()),
                    "register_compute");
    }
  }

  /// What the user's code threw during a run that failed.
  void rethrow_failure_of_code() {
    for (const auto& code : codes) {
      if (code->failure) std::rethrow_exception(std::exchange(code->failure, nullptr));
    }
  }

  void read_shape_sets() {
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto range = std::make_unique<rknn_input_range>();  // 33 KB
      range->index = static_cast<uint32_t>(i);
      context.check(
          context.runtime().query(context.handle(), RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range),
          "rknn_query");
      shape_sets.resize(range->shape_number, inputs);
      for (size_t set = 0; set < shape_sets.size(); ++set) {
        std::copy(range->dyn_range[set], range->dyn_range[set] + RKNN_MAX_DIMS, shape_sets[set][i].dims);
      }
    }
  }

  /// The arrays' shapes say which set is meant. With none that fits, the active one stays and says what is wrong.
  void activate_set_of(const std::vector<SimulatorInput>& arrays) {
    for (std::vector<rknn_tensor_attr>& set : shape_sets) {
      bool fits = true;
      for (size_t i = 0; i < arrays.size(); ++i) {
        fits = fits && arrays[i].array.shape() == shape_for(set[i], arrays[i].layout);
      }
      if (!fits) continue;
      context.check(context.runtime().set_input_shapes(context.handle(), static_cast<uint32_t>(set.size()), set.data()),
                    "rknn_set_input_shapes");
      query_all(RKNN_QUERY_CURRENT_INPUT_ATTR, inputs);
      query_all(RKNN_QUERY_CURRENT_OUTPUT_ATTR, outputs);
      return;
    }
  }

  void query_all(rknn_query_cmd cmd, std::vector<rknn_tensor_attr>& attrs) const {
    for (size_t i = 0; i < attrs.size(); ++i) {
      rknn_tensor_attr attr{};
      attr.index = static_cast<uint32_t>(i);
      attrs[i] = context.query(cmd, "rknn_query", attr);
    }
  }

  std::string expected_shapes(size_t input, PortLayout layout) const {
    if (shape_sets.empty()) return to_string(shape_for(inputs[input], layout));
    std::string text;
    for (const std::vector<rknn_tensor_attr>& set : shape_sets) {
      text += fmt::format("{}{}", text.empty() ? "" : " or ", to_string(shape_for(set[input], layout)));
    }
    return text;
  }

  /// The source's order as one of those the C API has a name for.
  PortLayout named_layout(size_t input, PortLayout layout) const {
    if (layout != PortLayout::Source) return layout;
    return ports[input].source_order == std::vector<int>{0, 2, 3, 1} ? PortLayout::Nhwc : PortLayout::Nchw;
  }

  rknn_tensor_attr native_input(size_t index) const {
    rknn_tensor_attr attr{};
    attr.index = static_cast<uint32_t>(index);
    return context.query(RKNN_QUERY_NATIVE_INPUT_ATTR, "rknn_query", attr);
  }
};

Simulator::Simulator(const std::string& file, std::vector<Port> ports, size_t shape_sets,
                     std::vector<CustomOperatorCode> custom, const Graph* graph, const std::filesystem::path& key_file)
    : state_(std::make_unique<State>(file, std::move(ports), shape_sets, key_file.string())) {
  if (graph != nullptr) state_->register_custom(std::move(custom), *graph);
}
Simulator::~Simulator() = default;

std::vector<Tensor> Simulator::run(const std::vector<SimulatorInput>& given_arrays) {
  if (given_arrays.size() != state_->inputs.size()) {
    fail(Code::RuntimeBadInput,
         fmt::format("got {} inputs, the model has {}", given_arrays.size(), state_->inputs.size()));
  }
  std::vector<SimulatorInput> arrays = given_arrays;
  for (size_t i = 0; i < arrays.size(); ++i) arrays[i].layout = state_->named_layout(i, arrays[i].layout);
  state_->activate_set_of(arrays);
  Diagnostics problems;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const SimulatorInput& given = arrays[i];
    if (given.array.shape() == shape_for(state_->inputs[i], given.layout)) continue;
    problems.add(Code::RuntimeBadInput, Location{.tensor = state_->inputs[i].name},
                 fmt::format("input {} has shape {}, expected {}{}", i, to_string(given.array.shape()),
                             state_->expected_shapes(i, given.layout),
                             state_->shape_sets.empty() ? "" : ", all inputs of one set"),
                 "resize or reshape the array");
  }
  problems.throw_if_any();
  std::vector<Tensor> held;  // conversions live until the runtime has copied them
  std::vector<rknn_input> inputs;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const bool pass_through = arrays[i].pass_through;
    held.push_back(pass_through ? as_native(arrays[i], state_->native_input(i))
                                : as_runtime_type(by_value(arrays[i].array, state_->inputs[i])));
    rknn_tensor_format fmt = RKNN_TENSOR_UNDEFINED;
    if (held.back().rank() == 4) fmt = arrays[i].layout == PortLayout::Nhwc ? RKNN_TENSOR_NHWC : RKNN_TENSOR_NCHW;
    if (fmt == RKNN_TENSOR_NHWC && state_->inputs[i].fmt == RKNN_TENSOR_NCHW && !pass_through) {
      held.back() = transpose(held.back(), {0, 3, 1, 2});  // such inputs (int64, bool) have no choice of layout
      fmt = RKNN_TENSOR_NCHW;
    }
    const Tensor& array = held.back();
    inputs.push_back({.index = static_cast<uint32_t>(i),
                      .buf = const_cast<std::byte*>(array.bytes().data()),
                      .size = checked_size(array.bytes().size()),
                      .pass_through = pass_through,
                      .type = runtime_type(array.dtype()),
                      .fmt = fmt});
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
    state_->rethrow_failure_of_code();
    fail(Code::RuntimeCallFailed, error.what());
  }
  return results;
}

}  // namespace openrknn
