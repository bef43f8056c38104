// Functions of one Int8 code, on every CPU: 256 results, looked up. The reference computes them when the plan is made.
// Unary functions, Convert from codes, and arithmetic with one constant number.
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

struct LookupState {
  reference::Body<LookupState> body = nullptr;
  size_t operand = 0;              ///< the one that varies
  std::vector<std::byte> results;  ///< by code as an unsigned byte
  reference::Tiles tiles;
};

/// T: any type as large as a result.
template <class T>
void run(const LookupState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* x = reference::input<uint8_t>(buffers, s.operand);
  const T* results = reinterpret_cast<const T*>(s.results.data());
  T* y = reference::output<T>(buffers);
  const int64_t end = s.tiles.end(tile);
  int64_t i = s.tiles.begin(tile);
  for (; i + 8 <= end; i += 8) {  // all reads before any write: the compiler cannot know that they do not meet
    uint8_t codes[8];
    T some[8];
    std::memcpy(codes, x + i, sizeof(codes));
    for (size_t j = 0; j < 8; ++j) some[j] = results[codes[j]];
    std::memcpy(y + i, some, sizeof(some));
  }
  for (; i < end; ++i) y[i] = results[x[i]];
}

/// The operand that varies; no value unless it is one of codes as large as the output, and all others are constants.
std::optional<size_t> varying_operand(const Call& call) {
  std::optional<size_t> varying;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const Operand& operand = call.inputs[i];
    if (!operand.present || operand.constant != nullptr) continue;
    if (varying || !reference::is_codes(operand)) return std::nullopt;
    if (element_count(operand.shape) != element_count(call.outputs[0].shape)) return std::nullopt;
    varying = i;
  }
  return varying;
}
/// kNumber: the constants are single numbers, not tables.
template <bool kNumber>
bool accepts(const Call& call) {
  const std::optional<size_t> varying = varying_operand(call);
  if (!varying || reference::whole_bytes(call.outputs[0].dtype) == 0) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const bool constant = i != *varying && call.inputs[i].present;
    if (kNumber && constant && element_count(call.inputs[i].shape) != 1) return false;
  }
  return choose_kernel(reference_kernels(), call, 0) != nullptr;
}

/// What the reference makes of the codes 0, 1, …, 127, -128, …, -1.
std::vector<std::byte> results_of(const Call& call, size_t varying, Weights& weights) {
  Tensor codes(DType::Int8, {256});
  for (size_t i = 0; i < 256; ++i) codes.mutable_values<int8_t>()[i] = static_cast<int8_t>(i);
  std::vector<Operand> inputs(call.inputs.begin(), call.inputs.end());
  std::vector<Operand> outputs(call.outputs.begin(), call.outputs.end());
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].layout = Layout::Logical;
    if (i == varying)
      tensors.push_back(codes);
    else
      tensors.push_back(inputs[i].present ? inputs[i].constant->reshaped({inputs[i].constant->size()}) : Tensor());
    if (inputs[i].present) inputs[i].shape = tensors.back().shape();
    if (inputs[i].constant != nullptr) inputs[i].constant = &tensors.back();
  }
  outputs[0].shape = {256};
  outputs[0].layout = Layout::Logical;
  const Call all{call.node, inputs, outputs, call.law, call.ideal};
  const Tensor results = run_kernel(*choose_kernel(reference_kernels(), all, 0), all, tensors, weights)[0];
  return {results.bytes().begin(), results.bytes().end()};
}
Prepared prepare(const Call& call, Weights& weights) {
  LookupState s;
  s.operand = *varying_operand(call);
  s.results = results_of(call, s.operand, weights);
  s.tiles.total = element_count(call.outputs[0].shape);
  const int64_t result_bytes = reference::whole_bytes(call.outputs[0].dtype);
  reference::visit_size(result_bytes, [&]<class T>(reference::Tag<T>) { s.body = run<T>; });
  const int in_place = result_bytes == 1 ? static_cast<int>(s.operand) : -1;
  const size_t operand = s.operand;
  const int64_t tiles = s.tiles.count();
  Prepared prepared = reference::make_prepared(std::move(s), tiles, 0, in_place);
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (i != operand) prepared.unread_inputs |= uint32_t{1} << i;
  }
  return prepared;
}

constexpr Kernel function(std::string_view op) {
  return {op, "lookup_i8", 0, accepts<false>, prepare, reference::run_body<LookupState>};
}
constexpr Kernel with_number(std::string_view op) {
  return {op, "lookup_i8", 0, accepts<true>, prepare, reference::run_body<LookupState>};
}
constexpr Kernel kRows[] = {
    function("Convert"),   function("LeakyRelu"),   function("Elu"),     function("Selu"),
    function("Celu"),      function("HardSigmoid"), function("Sigmoid"), function("ThresholdedRelu"),
    function("Tanh"),      function("Softplus"),    function("SiLU"),    function("Softsign"),
    function("HardSwish"), function("Mish"),        function("Gelu"),    function("Neg"),
    function("Abs"),       function("Relu"),        function("Clip"),    with_number("PRelu"),
    with_number("Add"),    with_number("Sub"),      with_number("Mul"),  with_number("Max"),
    with_number("Min"),
};

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_lookup_kernels() { return fast::kRows; }
}  // namespace openrknn
